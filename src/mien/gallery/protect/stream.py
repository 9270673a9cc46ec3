"""Sealed streams: encrypted bytes of any length, written and read once, from the first to the last.

For files that leave the gallery (archives, backups), which are too large to be held in memory and
may go through a pipe. ::

    magic (8) | length of the head (4) | head (JSON)
    then each block: 262,144 bytes of content encrypted | tag (16); the last one is shorter

The head says how the stream's own random key is wrapped: by a passphrase (scrypt) or by a master
key. Blocks are AES-256-GCM (NIST SP 800-38D); the nonce is the block's number and whether it is the
last (the STREAM construction: Hoang, Reyhanitabar, Rogaway, Vizár 2015), the head is authenticated
with every block. So nothing can be changed, exchanged, cut off or appended unnoticed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import struct
from types import TracebackType
from typing import Any, BinaryIO, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from mien.errors import ArchiveUnusable, InvalidArgument, KeyMismatch
from mien.gallery.protect.master import KeyWrapper
from mien.gallery.protect.sealing import KEY_BYTES, new_key, open_sealed, seal

__all__ = ["Passphrase", "SealedReader", "SealedWriter", "key_id"]

MAGIC = b"MIENARC\0"
FORMAT = 1
BLOCK = 256 * 1024
_TAG = 16
_LENGTH = struct.Struct("<I")
_MAX_HEAD = 16 * 1024
_CONTEXT = b"mien archive key "


class Passphrase:
    """What a person keeps in the head or in a safe, as a :class:`KeyWrapper`.

    The key comes from it by scrypt (RFC 7914) with a random salt for every archive.

    Args:
        text: at least 12 characters.
        cost: scrypt's N as a power of two, 14 to 20: 17 needs 128 MB of memory.
        most: the cost that a file may demand when it is opened, which its maker has chosen.

    Raises:
        InvalidArgument: too short.

    Example:
        >>> import io
        >>> file, key = io.BytesIO(), Passphrase("correct horse battery", cost=14)
        >>> with SealedWriter(file, key) as writer:
        ...     writer.write(b"secret")
        >>> _ = file.seek(0)
        >>> SealedReader(file, key).read(6)
        b'secret'
    """

    LEAST = 12
    current = "passphrase"

    def __init__(self, text: str, *, cost: int = 17, most: int = 20) -> None:
        if len(text) < self.LEAST:
            raise InvalidArgument(
                f"A passphrase has at least {self.LEAST} characters: it is all that protects the "
                "archive."
            )
        if not 14 <= cost <= 20:
            raise InvalidArgument("The cost of a passphrase is 14 to 20.")
        self._text = text.encode()
        self._cost = cost
        self._most = most

    def __repr__(self) -> str:  # a passphrase must not reach a log
        return "Passphrase(...)"

    def wrap(self, key: bytes, *, context: bytes) -> bytes:
        """See :class:`KeyWrapper`: cost (1) | salt (16) | the key sealed."""
        head = bytes([self._cost]) + os.urandom(16)
        return head + seal(key, key=self._derived(head), context=context + head)

    def unwrap(self, wrapped: bytes, *, key_id: str, context: bytes) -> bytes:
        """See :class:`KeyWrapper`."""
        head, sealed = wrapped[:17], wrapped[17:]
        if key_id != self.current:
            raise KeyMismatch(
                "The file was not made with a passphrase but with a key: name the key file, or "
                "the master key."
            )
        if len(head) < 17 or not 14 <= head[0] <= 20:
            raise ArchiveUnusable("The head of the file is damaged.")
        if head[0] > self._most:
            raise ArchiveUnusable(
                "The file's passphrase takes more memory to check than is allowed here: import it "
                "with 'mien gallery import'."
            )
        try:
            return open_sealed(sealed, key=self._derived(head), context=context + head)
        except KeyMismatch:
            raise KeyMismatch("The passphrase is not the one of this file.") from None

    def _derived(self, head: bytes) -> bytes:
        return Scrypt(salt=head[1:], length=KEY_BYTES, n=2 ** head[0], r=8, p=1).derive(self._text)


class SealedWriter:
    """Encrypts what is written to it into a stream; a context manager.

    Without :meth:`close`, or when the block raises, the last block is missing and whoever reads the
    stream finds it cut off.

    Args:
        stream: takes bytes; is not closed.
        key: wraps the stream's own key.

    Raises:
        ArchiveUnusable: the stream does not take it, such as on a full disk.
    """

    def __init__(self, stream: BinaryIO, key: KeyWrapper) -> None:
        self._stream = stream
        own = new_key()
        head = {
            "format": FORMAT,
            "key_id": key.current,
            "wrapped": base64.b64encode(key.wrap(own, context=_CONTEXT)).decode(),
        }
        text = json.dumps(head).encode()
        self._head = MAGIC + _LENGTH.pack(len(text)) + text
        self._cipher = AESGCM(own)
        self._facts = hashlib.sha256(self._head).digest()
        self._waiting = bytearray()
        self._number = 0
        self._put(self._head)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and pass on; raises as the class."""
        self._waiting += data
        while len(self._waiting) > BLOCK:  # the last block is kept back, until it is the last
            self._seal(self._waiting[:BLOCK], last=False)
            del self._waiting[:BLOCK]

    def close(self) -> None:
        """Write the last block."""
        self._seal(self._waiting, last=True)
        self._waiting.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()

    def _seal(self, content: bytearray, *, last: bool) -> None:
        nonce = _nonce(self._number, last=last)
        self._put(self._cipher.encrypt(nonce, bytes(content), self._facts))
        self._number += 1

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[self._stream.write(view) :]
        except OSError as error:
            raise ArchiveUnusable(
                f"The file cannot be written: {error.strerror or type(error).__name__}."
            ) from None


class SealedReader:
    """Decrypts what :class:`SealedWriter` wrote, a block at a time.

    Args:
        stream: gives bytes; is not closed.
        key: unwraps the stream's own key.

    Raises:
        ArchiveUnusable: no such stream, one of a newer Mien, or a damaged one.
        KeyMissing, KeyMismatch: another key or passphrase.
    """

    def __init__(self, stream: BinaryIO, key: KeyWrapper) -> None:
        self._stream = stream
        head, which, wrapped = _head(stream)
        if which == Passphrase.current and key.current != Passphrase.current:
            raise KeyMismatch("The file was made with a passphrase: name the passphrase.")
        own = key.unwrap(wrapped, key_id=which, context=_CONTEXT)
        if len(own) != KEY_BYTES:
            raise ArchiveUnusable("The head of the file is damaged.")
        self._cipher = AESGCM(own)
        self._facts = hashlib.sha256(head).digest()
        self._number = 0
        self._ended = False
        self._next = self._take(BLOCK + _TAG)
        self._content = memoryview(b"")

    def read(self, count: int) -> bytes:
        """The next ``count`` bytes.

        Raises:
            ArchiveUnusable: the stream ends before, was cut off or changed, or cannot be read.
        """
        found = bytearray()
        while len(found) < count:
            if not self._content and not self._advance():
                raise ArchiveUnusable("The file ends too early: it was not written completely.")
            part = self._content[: count - len(found)]
            found += part
            self._content = self._content[len(part) :]
        return bytes(found)

    def finish(self) -> None:
        """Make sure that nothing follows.

        Raises:
            ArchiveUnusable: there is more, or the end was cut off.
        """
        if self._content or self._advance():
            raise ArchiveUnusable("The file goes on behind its end: it is damaged.")

    def _advance(self) -> bool:
        """Open blocks until there is content; False: there is no more."""
        while not self._content and not self._ended:
            block, self._next = self._next, b""
            if len(block) == BLOCK + _TAG:
                self._next = self._take(BLOCK + _TAG)
            self._ended = not self._next
            self._content = memoryview(self._opened(block, last=self._ended))
            self._number += 1
        return bool(self._content)

    def _opened(self, block: bytes, *, last: bool) -> bytes:
        try:
            return self._cipher.decrypt(_nonce(self._number, last=last), block, self._facts)
        except InvalidTag:
            raise ArchiveUnusable(
                "The file was cut off or changed: nothing of it was used. Take another copy."
            ) from None

    def _take(self, count: int) -> bytes:
        return _take(self._stream, count)


def key_id(stream: BinaryIO) -> str:
    """Which key opens a stream, of which the head is read: ``passphrase``, or a master key's id.

    Raises:
        ArchiveUnusable: no such stream, one of a newer Mien, or a damaged one.
    """
    return _head(stream)[1]


def _take(stream: BinaryIO, count: int) -> bytes:
    found = bytearray()
    try:
        while len(found) < count:
            part = stream.read(count - len(found))
            if not part:
                break
            found += part
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ArchiveUnusable(f"The file cannot be read: {reason}.") from None
    return bytes(found)


def _head(stream: BinaryIO) -> tuple[bytes, str, bytes]:
    """The head, the name of the key that wraps the stream's key, and the wrapped key."""
    start = _take(stream, len(MAGIC) + _LENGTH.size)
    if len(start) < len(MAGIC) + _LENGTH.size or start[: len(MAGIC)] != MAGIC:
        raise ArchiveUnusable("This is no archive of Mien.")
    (length,) = _LENGTH.unpack(start[len(MAGIC) :])
    text = _take(stream, length) if length <= _MAX_HEAD else b""
    try:
        head: Any = json.loads(text) if len(text) == length else None
        newer = head["format"] > FORMAT
        if not newer:
            wrapped = base64.b64decode(head["wrapped"], validate=True)
            return start + text, str(head["key_id"]), wrapped
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        raise ArchiveUnusable("The head of the file is damaged.") from None
    raise ArchiveUnusable("The file was made by a newer Mien: upgrade Mien.")


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
