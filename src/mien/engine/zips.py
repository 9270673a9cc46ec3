"""PhotoZip: reads members of a zip under limits, and never writes one to the disk."""

from __future__ import annotations

import io
import os
import struct
import threading
import zipfile
import zlib
from collections.abc import Callable
from pathlib import PurePosixPath, PureWindowsPath
from typing import BinaryIO

from mien.errors import ImageDecodeError, ImageNotFound, ImageTooLarge, InvalidArgument

__all__ = ["PhotoZip", "stays_inside"]

_END = b"PK\x05\x06"
_END_BYTES = 22
_END64 = b"PK\x06\x06"
_END64_BYTES = 56
_LOCATOR64 = b"PK\x06\x07"
_LOCATOR64_BYTES = 20
_COMMENT_BYTES = 65_535
_DIRECTORY_BYTES = 512  # of one entry at most on average: a name of 200 characters and dates
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_TEXT_BYTES = 64_000_000


class PhotoZip:
    """A zip file of photos. Its members may be read from several threads.

    Args:
        file: the zip; a regular file or bytes in memory.
        max_members: more files are refused.
        max_member_bytes: an unpacked member that is longer is refused when it is read.
        max_bytes: if all members together say that they unpack to more, the zip is refused.

    Raises:
        InvalidArgument: no zip, one beyond a limit, or with a name that leads out of it.
    """

    def __init__(
        self, file: BinaryIO, *, max_members: int, max_member_bytes: int, max_bytes: int
    ) -> None:
        self._max_member_bytes = max_member_bytes
        self._lock = threading.Lock()
        # The list of members is read into memory as a whole: look at its size before.
        if _directory_bytes(file) > _DIRECTORY_BYTES * max_members + _COMMENT_BYTES:
            raise _too_many(max_members)
        try:
            self._zip = zipfile.ZipFile(file)
            members = [member for member in self._zip.infolist() if not member.is_dir()]
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, struct.error):
            raise InvalidArgument("This is not a zip file, or it is damaged or cut off.") from None
        if len(members) > max_members:
            raise _too_many(max_members)
        if sum(member.file_size for member in members) > max_bytes:
            raise InvalidArgument(
                f"The zip unpacks to more than {max_bytes} bytes (MIEN_BULK_MAX_BYTES)."
            )
        self._members = {_checked(member.orig_filename): member for member in members}
        if len(self._members) != len(members):
            raise InvalidArgument("The zip holds two members of one name.")

    @property
    def names(self) -> set[str]:
        """The names of the files in it."""
        return set(self._members)

    def reader(self, name: str) -> Callable[[], bytes]:
        """A function that unpacks a member.

        It raises ImageNotFound, ImageTooLarge or ImageDecodeError, as if it were a photo's file.
        """
        return lambda: self._read(name, self._max_member_bytes)

    def text(self, name: str) -> str:
        """A member that is text in UTF-8.

        Raises:
            InvalidArgument: it cannot be read, is too long, or is no such text.
        """
        try:
            return self._read(name, _TEXT_BYTES).decode("utf-8-sig")
        except (ImageDecodeError, ImageTooLarge, UnicodeDecodeError):
            raise InvalidArgument(
                f"{name} in the zip is damaged, too long, or not text in UTF-8."
            ) from None

    def _read(self, name: str, limit: int) -> bytes:
        member = self._members.get(name)
        if member is None:
            raise ImageNotFound(f"There is no {name!r} in the zip.")
        if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
            raise ImageDecodeError("The zip's member is encrypted, or packed in a rare way.")
        if member.file_size > limit:  # what it says; what it is, is counted below
            raise _too_large(limit)
        try:
            with self._zip.open(member) as source:
                data = source.read(limit + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError):
            raise ImageDecodeError("The zip's member is damaged or cut off.") from None
        if len(data) > limit:
            raise _too_large(limit)
        return data


def stays_inside(name: str) -> bool:
    """Whether a relative path cannot lead out of its folder, on any system."""
    windows = PureWindowsPath(name)
    return not (
        not PurePosixPath(name).parts
        or "\0" in name
        or name.startswith(("/", "\\"))
        or windows.drive
        or ".." in windows.parts  # which takes both kinds of slash
    )


def _checked(name: str) -> str:
    """The name of a member, if it stays inside (it is a label here: nothing is written)."""
    if not stays_inside(name) or "\\" in name:
        raise InvalidArgument(
            "The zip has a member whose name leads out of it, or holds a backslash or a drive: "
            "pack it anew."
        )
    return str(PurePosixPath(name))


def _directory_bytes(file: BinaryIO) -> int:
    """How long the zip's list of members says to be; 0 where this is no zip."""
    try:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - _END_BYTES - _COMMENT_BYTES - _LOCATOR64_BYTES - _END64_BYTES)
        file.seek(start)
        tail = file.read()
        file.seek(0)
    except (OSError, io.UnsupportedOperation):
        raise InvalidArgument("The zip cannot be read.") from None
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_BYTES:
        return 0
    listed = int(struct.unpack_from("<L", tail, at + 12)[0])
    if tail[max(0, at - _LOCATOR64_BYTES) : at].startswith(_LOCATOR64):
        at64 = tail.rfind(_END64, 0, at)
        if at64 >= 0 and len(tail) - at64 >= _END64_BYTES:
            listed = int(struct.unpack_from("<Q", tail, at64 + 40)[0])
    return min(listed, size)


def _too_many(limit: int) -> InvalidArgument:
    return InvalidArgument(f"The zip holds more than {limit} files (MIEN_BULK_MAX_PHOTOS).")


def _too_large(limit: int) -> ImageTooLarge:
    return ImageTooLarge(
        f"The file in the zip has more than {limit} bytes.", details={"limit": limit}
    )
