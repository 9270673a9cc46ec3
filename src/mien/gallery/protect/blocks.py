"""BlockFile: a large file of equally long blocks, each encrypted and authenticated by itself.

So it is read as fast as the disk gives it, a block is overwritten in place without the rest, and
no block can be changed, exchanged, cut off, or brought in from another file unnoticed. ::

    magic (8) | file id (16, random) | bytes of a block (4) | number of blocks (4)
    then each block: nonce (12, random) | ciphertext | tag (16)

AES-256-GCM (NIST SP 800-38D) under a key of the file's own, which HKDF-SHA256 (RFC 5869) derives
from the caller's key, the file id and the context; the header and the block's number are
authenticated with every block. What it does not notice: the whole file, or a block, replaced by
what the same file held in the same place before.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mien.errors import GalleryUnavailable, InvalidArgument, KeyMismatch

__all__ = ["BlockFile"]

_MAGIC = b"MIENBLK1"
_HEADER = struct.Struct("<8s16sII")
_NONCE = 12
_TAG = 16


class BlockFile:
    r"""An encrypted file that is open. Not safe to use from several threads at once.

    Make one with :meth:`write`, open it with :meth:`open`; a context manager.

    Attributes:
        block_bytes: bytes of every block.
        count: number of blocks.

    Example:
        >>> import tempfile
        >>> key = {"key": bytes(32), "context": b"example"}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "file"
        ...     BlockFile.write(path, [b"one", b"two"], count=2, block_bytes=4, **key)
        ...     with BlockFile.open(path, writable=True, **key) as file:
        ...         file.replace(0, b"1")
        ...         file.read(0), file.read(1)
        (b'1\x00\x00\x00', b'two\x00')
    """

    def __init__(
        self, file: BinaryIO, path: Path, header: bytes, *, key: bytes, context: bytes
    ) -> None:
        _, file_id, self.block_bytes, self.count = _HEADER.unpack(header)
        self._file = file
        self._path = path
        self._name = path.name
        self._header = header
        self._key = key, context
        derive = HKDF(SHA256(), length=32, salt=file_id, info=b"mien block file\0" + context)
        self._cipher = AESGCM(derive.derive(key))

    @classmethod
    def write(
        cls,
        path: Path,
        blocks: Iterable[bytes | bytearray | memoryview],
        *,
        count: int,
        block_bytes: int,
        key: bytes,
        context: bytes,
    ) -> None:
        """Write a new file, which replaces one of that name only when it is complete and durable.

        Args:
            path: where; mode 0600. The file is made beside it first (``.new`` is appended).
            blocks: ``count`` payloads of at most ``block_bytes``; shorter ones are filled with
                zeros. One may be changed as soon as the next is asked for.
            count: number of blocks, at most 2**32 - 1.
            block_bytes: bytes of a block, 1 to 2**31 - 1.
            key: 32 bytes.
            context: what the file is and whose; not secret, and needed to open it.

        Raises:
            GalleryUnavailable: it cannot be written, such as on a full disk.
            InvalidArgument: another number of blocks, or one that is too long.
        """
        header = _HEADER.pack(_MAGIC, os.urandom(16), block_bytes, count)
        unfinished = path.with_name(path.name + ".new")
        try:
            descriptor = os.open(unfinished, os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o600)
            with open(descriptor, "w+b", buffering=0) as raw:  # noqa: PTH123 - a descriptor
                made = cls(raw, path, header, key=key, context=context)
                _write_all(raw, header)
                written = 0
                for number, payload in enumerate(blocks):
                    _write_all(raw, made._sealed(number, payload))
                    written += 1
                if written != count:
                    raise InvalidArgument(f"{written} blocks were given, not {count}.")
                os.fsync(descriptor)
            unfinished.replace(path)
            _sync_folder(path.parent)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise _unavailable(path.name, error) from None
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise

    @classmethod
    def open(cls, path: Path, *, key: bytes, context: bytes, writable: bool = False) -> Self:
        """Open a file, for reading its blocks or also for overwriting them.

        Raises:
            GalleryUnavailable: no such file, or it cannot be read, is cut off or is no such file.
        """
        try:
            raw = open(path, "r+b" if writable else "rb", buffering=0)  # noqa: PTH123, SIM115
        except OSError as error:
            raise _unavailable(path.name, error) from None
        try:
            header = raw.read(_HEADER.size)
            if len(header) < _HEADER.size or header[: len(_MAGIC)] != _MAGIC:
                raise GalleryUnavailable(f"{path.name!r} is not an encrypted file of Mien.")
            opened = cls(raw, path, header, key=key, context=context)
            whole = _HEADER.size + opened.count * opened._stride
            if os.fstat(raw.fileno()).st_size != whole:
                raise GalleryUnavailable(f"{path.name!r} is not complete.")
        except OSError as error:
            raw.close()
            raise _unavailable(path.name, error) from None
        except BaseException:
            raw.close()
            raise
        return opened

    def again(self) -> Self:
        """The same file opened once more, such as for another thread.

        Raises:
            GalleryUnavailable: another file has taken its place.
        """
        key, context = self._key
        opened = self.open(self._path, key=key, context=context)
        if opened._header != self._header:
            opened.close()
            raise GalleryUnavailable(f"{self._name!r} was replaced while it was being read.")
        return opened

    def read(self, number: int) -> bytes:
        """The ``block_bytes`` bytes of a block; raises as :meth:`blocks`."""
        (block,) = self.blocks(number, 1)
        return block

    def blocks(self, first: int, count: int) -> Iterator[bytes]:
        """The bytes of ``count`` blocks from the block ``first`` on.

        Raises:
            KeyMismatch: another key or context, or a block that was changed.
            GalleryUnavailable: the disk does not give it.
            InvalidArgument: there are no such blocks.
        """
        self._check(first, count)
        buffer = bytearray(self._stride)
        with self._reporting():
            self._file.seek(_HEADER.size + first * self._stride)
            for number in range(first, first + count):
                self._fill(buffer)
                yield self._opened(number, buffer)

    def replace(self, number: int, payload: bytes | bytearray | memoryview) -> None:
        """Overwrite a block in place; :meth:`sync` waits for the disk.

        Raises:
            GalleryUnavailable: the disk does not take it.
            InvalidArgument: there is no such block, or the payload is too long.
        """
        self._check(number, 1)
        sealed = self._sealed(number, payload)
        with self._reporting():
            self._file.seek(_HEADER.size + number * self._stride)
            _write_all(self._file, sealed)

    def sync(self) -> None:
        """Wait until what was replaced is on the disk."""
        with self._reporting():
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _stride(self) -> int:
        return _NONCE + int(self.block_bytes) + _TAG

    def _sealed(self, number: int, payload: bytes | bytearray | memoryview) -> bytes:
        if len(payload) > self.block_bytes:
            raise InvalidArgument(f"A block has {self.block_bytes} bytes, not {len(payload)}.")
        if len(payload) < self.block_bytes:
            payload = bytes(payload).ljust(self.block_bytes, b"\0")
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, payload, self._facts(number))

    def _opened(self, number: int, sealed: bytearray) -> bytes:
        view = memoryview(sealed)
        try:
            return self._cipher.decrypt(view[:_NONCE], view[_NONCE:], self._facts(number))
        except InvalidTag:
            raise KeyMismatch(
                f"{self._name!r} does not open: it is damaged, or was written with another key."
            ) from None

    def _facts(self, number: int) -> bytes:
        return self._header + number.to_bytes(8, "little")

    def _fill(self, buffer: bytearray) -> None:
        view, done = memoryview(buffer), 0
        while done < len(buffer):
            got = self._file.readinto(view[done:])  # type: ignore[attr-defined]
            if not got:
                raise GalleryUnavailable(f"{self._name!r} is not complete.")
            done += got

    def _check(self, first: int, count: int) -> None:
        if first < 0 or count < 0 or first + count > self.count:
            raise InvalidArgument(f"{self._name!r} has the blocks 0 to {self.count - 1}.")

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _unavailable(self._name, error) from None


def _write_all(file: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unavailable(name: str, error: OSError) -> GalleryUnavailable:
    return GalleryUnavailable(f"{name!r} cannot be read or written: {error.strerror}.")
