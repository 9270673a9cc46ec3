"""Master keys: where they come from, and what they wrap.

A ring holds one current key, which wraps, and older ones, which only unwrap: so a master key is
replaced while everything goes on serving (:meth:`KeyRing.renewed`, then the wrapped keys are
wrapped again, then the old key is taken off the ring).

In the environment or in a file, a ring is its keys in base64 (32 bytes each), newest first, with
commas or line ends between them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
import os
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, runtime_checkable

from filelock import FileLock

from mien.config import Settings
from mien.errors import ConfigurationError, KeyMissing
from mien.gallery.protect.sealing import KEY_BYTES, new_key, open_sealed, seal

__all__ = ["KMS_GROUP", "KeyRing", "KeyWrapper", "key_ring"]

KMS_GROUP = "mien.kms"

_log = logging.getLogger(__name__)


@runtime_checkable
class KeyWrapper(Protocol):
    """What wraps the keys of applications: a :class:`KeyRing`, or a key-management service.

    A service registers ``name = "package:factory"`` under the entry-point group ``mien.kms``; the
    factory takes the settings. ``MIEN_KMS=name`` chooses it.

    Attributes:
        current: id of the key that :meth:`wrap` uses, at most 64 characters.
    """

    current: str

    def wrap(self, key: bytes, *, context: bytes) -> bytes:
        """``key`` encrypted under the current master key."""
        ...

    def unwrap(self, wrapped: bytes, *, key_id: str, context: bytes) -> bytes:
        """The key inside ``wrapped``, which the master key ``key_id`` has wrapped.

        Raises:
            KeyMissing: that master key is not at hand.
            KeyMismatch: it does not open ``wrapped``.
        """
        ...


class KeyRing:
    """Master keys held by this process; a :class:`KeyWrapper`.

    Args:
        keys: of 32 bytes, newest first; at least one.

    Raises:
        ConfigurationError: no key, or one of another length.

    Example:
        >>> ring = KeyRing([new_key()])
        >>> wrapped = ring.wrap(b"data key", context=b"application")
        >>> ring.unwrap(wrapped, key_id=ring.current, context=b"application")
        b'data key'
    """

    def __init__(self, keys: list[bytes]) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ConfigurationError(
                f"A master key is {KEY_BYTES} random bytes in base64, such as the output of "
                f"`openssl rand -base64 {KEY_BYTES}`.",
                details={"setting": "master_key"},
            )
        self._keys = {_id(key): key for key in keys}
        self.current = _id(keys[0])

    def __repr__(self) -> str:  # a key must not reach a log
        return f"KeyRing({', '.join(self._keys)})"

    @property
    def ids(self) -> list[str]:
        """Ids of all keys on the ring, newest first."""
        return list(self._keys)

    def wrap(self, key: bytes, *, context: bytes) -> bytes:
        """See :class:`KeyWrapper`."""
        return seal(key, key=self._keys[self.current], context=context)

    def unwrap(self, wrapped: bytes, *, key_id: str, context: bytes) -> bytes:
        """See :class:`KeyWrapper`."""
        if key_id not in self._keys:
            raise KeyMissing(
                f"The gallery is protected by the master key {key_id}, which is not at hand: name "
                "it (MIEN_MASTER_KEY or MIEN_MASTER_KEY_FILE). Nothing has been changed.",
                details={"key_id": key_id},
            )
        return open_sealed(wrapped, key=self._keys[key_id], context=context)

    def renewed(self) -> KeyRing:
        """A ring with a new current key, which still unwraps what this one does."""
        return KeyRing([new_key(), *self._keys.values()])

    def only_current(self) -> KeyRing:
        """A ring without the older keys."""
        return KeyRing([self._keys[self.current]])

    def to_text(self) -> str:
        """The keys in base64, one a line, newest first. A secret."""
        return "".join(f"{base64.b64encode(key).decode()}\n" for key in self._keys.values())

    @classmethod
    def from_text(cls, text: str) -> KeyRing:
        """Read what :meth:`to_text` wrote.

        Raises:
            ConfigurationError: anything else; the message does not repeat it.
        """
        words = text.replace(",", " ").split()
        try:
            return cls([base64.b64decode(word, validate=True) for word in words])
        except binascii.Error:
            raise ConfigurationError(
                f"A master key is not base64: make one with `openssl rand -base64 {KEY_BYTES}`.",
                details={"setting": "master_key"},
            ) from None

    @classmethod
    def read(cls, file: Path, *, create: bool) -> KeyRing:
        """The ring in a file, which only its owner may read.

        Args:
            file: where it is.
            create: make it with a new key where it is missing, with mode 0600.

        Raises:
            KeyMissing: it is missing and ``create`` is False.
            ConfigurationError: it cannot be read or made, others may read it, or it is no ring.
        """
        try:
            if create and not file.exists():
                write_new(file, cls([new_key()]).to_text())
            if os.name == "posix" and file.stat().st_mode & 0o077:
                raise ConfigurationError(
                    f"The key file {file.name} may be read by others than its owner: chmod 600 it.",
                    details={"setting": "master_key_file"},
                )
            return cls.from_text(file.read_text("ascii"))
        except FileNotFoundError:
            raise KeyMissing(
                f"There is no key file {file.name}: restore it from its backup. Without it the "
                "gallery's templates cannot be read. Nothing has been changed."
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise ConfigurationError(
                f"The key file {file.name} cannot be used: {reason}.",
                details={"setting": "master_key_file"},
            ) from None


def key_ring(settings: Settings, *, create: bool = True) -> KeyWrapper:
    """The master keys that ``settings`` name.

    In this order: ``kms``, ``master_key``, ``master_key_file``; the last is, where it is not
    set, ``master.key`` in the user's configuration folder, which is made on first use.

    Args:
        settings: what names the key.
        create: make the key file where it is missing.

    Raises:
        KeyMissing, ConfigurationError: see :meth:`KeyRing.read`; no such key-management service.
    """
    if settings.kms:
        points = entry_points(group=KMS_GROUP)
        if settings.kms not in points.names:
            known = ", ".join(sorted(points.names)) or "none"
            raise ConfigurationError(
                f"No key-management service {settings.kms!r} is installed; there is: {known}.",
                details={"setting": "kms"},
            )
        wrapper: KeyWrapper = points[settings.kms].load()(settings)
        return wrapper
    if settings.master_key is not None:
        return KeyRing.from_text(settings.master_key.get_secret_value())
    return KeyRing.read(settings.key_file, create=create)


def write_new(file: Path, text: str) -> None:
    """Make a secret file that only its owner may read, whole or not at all; keep one that is there.

    Raises:
        OSError: it cannot be made.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(file.with_name(f"{file.name}.lock")):
        if not file.exists():  # another process may have been quicker: its key counts
            write_secret(file, text)
            _log.warning(
                "A new master key has been made: %s. Back it up, apart from the gallery: without "
                "it the templates cannot be read.",
                file.name,
            )


def write_secret(file: Path, text: str) -> None:
    """Write a file that only its owner may read, or replace it, at once and on disk.

    Raises:
        OSError: it cannot be written.
    """
    part = file.with_name(f".{file.name}.{os.getpid()}.{os.urandom(4).hex()}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def _id(key: bytes) -> str:
    """Names a key without giving it away."""
    return hashlib.sha256(b"mien master key" + key).hexdigest()[:16]
