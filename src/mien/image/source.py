"""Whatever a user calls an image, resolved to encoded bytes; limits hold while reading."""

from __future__ import annotations

import base64
import os
import re
import stat
from typing import BinaryIO
from urllib.parse import unquote_to_bytes

from mien.errors import ImageDecodeError, ImageNotFound, UnsupportedImage
from mien.image.limits import ImageLimits

__all__ = ["EncodedInput", "base_name", "read_source"]

EncodedInput = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
"""Inputs that hold an encoded image."""

_MIN_BASE64 = 100
_MAX_PATH = 4096
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-]+=*")
_SPACE = re.compile(r"\s+")


def read_source(source: EncodedInput, limits: ImageLimits) -> tuple[bytes, str | None]:
    """The encoded bytes, and the file's base name where there is one.

    A string is, in this order: a ``data:`` URI, the path of something that exists, a URL (which
    is refused), base64 of at least 100 characters, or the path of a file that is missing.

    Raises:
        ImageNotFound: no such file, or it may not be read.
        UnsupportedImage: a folder, a pipe, a URL, a text file object, or another type.
        ImageTooLarge: more bytes than the limit; no more than that is ever read.
        ImageDecodeError: base64 that cannot be decoded.
    """
    match source:
        case bytes():
            data, name = source, None
        case bytearray() | memoryview():
            size = source.nbytes if isinstance(source, memoryview) else len(source)
            limits.check_bytes(size)
            data, name = bytes(source), None
        case str() if source[:5].lower() == "data:":
            data, name = _read_data_uri(source, limits), None
        case str():
            return _read_text(source, limits)
        case os.PathLike():
            path = os.fsdecode(os.fspath(source))
            data, name = _read_file(path, limits), base_name(path)
        case _ if hasattr(source, "read"):
            data, name = _read_stream(source, limits), None
        case _:
            raise UnsupportedImage(
                f"{type(source).__name__} is not an image. Give a path, bytes, a binary file, a "
                "Pillow image or a NumPy array."
            )
    limits.check_bytes(len(data))
    return data, name


def base_name(path: str) -> str:
    """The last part of a path of either kind, at most 80 characters, safe to print."""
    name = re.split(r"[\\/]", path.rstrip("\\/"))[-1]
    name = name.encode("utf-8", "replace").decode()
    return name if len(name) <= 80 else name[:79] + "…"


def _read_text(text: str, limits: ImageLimits) -> tuple[bytes, str | None]:
    if len(text) <= _MAX_PATH and os.path.exists(text):  # noqa: PTH110 - Path raises on NUL
        return _read_file(text, limits), base_name(text)
    if re.match(r"https?://", text, re.IGNORECASE):
        raise UnsupportedImage(
            "Only the service fetches images from URLs. Download the file and give its path."
        )
    if len(text) >= _MIN_BASE64:
        compact = _SPACE.sub("", text)
        if len(compact) >= _MIN_BASE64 and _BASE64.fullmatch(compact):
            return _decode_base64(compact, limits), None
    raise _not_found(text)


def _read_data_uri(uri: str, limits: ImageLimits) -> bytes:
    head, comma, body = uri.partition(",")
    if not comma:
        raise ImageDecodeError("The data: URI has no comma, so it holds no image.")
    if not head.lower().endswith(";base64"):
        limits.check_bytes(len(body) // 3)
        return unquote_to_bytes(body.encode("utf-8", "replace"))
    if "%" in body:
        body = unquote_to_bytes(body.encode("utf-8", "replace")).decode("ascii", "replace")
    return _decode_base64(_SPACE.sub("", body), limits)


def _decode_base64(text: str, limits: ImageLimits) -> bytes:
    limits.check_bytes((len(text) - 2) * 3 // 4)  # at most two characters are padding
    if "=" not in text:  # padding may be left out, not be wrong
        text += "=" * (-len(text) % 4)
    try:
        if len(text) % 4 or text.endswith("==="):  # Python is lenient with too much padding
            raise ValueError
        standard = text.encode("ascii").translate(bytes.maketrans(b"-_", b"+/"))
        return base64.b64decode(standard, validate=True)
    except ValueError:
        raise ImageDecodeError("The base64 text is cut short or damaged.") from None


def _read_file(path: str, limits: ImageLimits) -> bytes:
    """Read a regular file; a pipe or a device is never opened, so it can neither hang nor act."""
    try:
        before = os.stat(path)  # noqa: PTH116 - not to be followed by Path's own errors
        if not stat.S_ISREG(before.st_mode):
            kind = "a folder" if stat.S_ISDIR(before.st_mode) else "no regular file"
            raise UnsupportedImage(f"{base_name(path)!r} is {kind}. Give the path of a photo.")
        limits.check_bytes(before.st_size)
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            return file.read(limits.max_bytes + 1)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: NUL in the name
        raise _not_found(path) from None
    except OSError as error:
        raise ImageNotFound(
            f"{base_name(path)!r} cannot be read ({error.strerror}). Check its permissions."
        ) from None


def _read_stream(stream: BinaryIO, limits: ImageLimits) -> bytes:
    """Read a file object from where it stands; it need not be seekable."""
    parts: list[bytes] = []
    left = limits.max_bytes + 1
    try:
        while left > 0 and (part := stream.read(left)):
            if not isinstance(part, bytes | bytearray | memoryview):
                raise UnsupportedImage("The file is open in text mode. Open it in mode 'rb'.")
            parts.append(bytes(part))
            left -= len(parts[-1])
    except (ValueError, OSError, NotImplementedError) as error:  # closed, write-only, broken
        raise UnsupportedImage(
            "The file object cannot be read. Is it closed, or not open for reading?"
        ) from error
    return b"".join(parts)


def _not_found(path: str) -> ImageNotFound:
    return ImageNotFound(f"There is no file {base_name(path)!r}. Check the path.")
