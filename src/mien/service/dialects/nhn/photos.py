"""Photos of a request: JSON ``{url}`` or ``{bytes}``, multipart files, and NHN's image rules."""

from __future__ import annotations

import binascii
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from mien.engine import Engine
from mien.errors import ImageTooSmall, InvalidArgument, UnsupportedMediaType
from mien.image import Photo
from mien.service.dialects.nhn.codes import Refused, Result
from mien.service.images import parse_json, parse_multipart

__all__ = ["MAX_BYTES", "MIN_SIDE", "NhnUpload", "Part", "open_image", "parse"]

MAX_BYTES = 3_000_000
"""Bytes of an image."""

MIN_SIDE = 80
"""Pixels of an image's width and of its height."""

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"


@dataclass(frozen=True, slots=True)
class Part:
    """One photo of an operation and what it is called in a request.

    Attributes:
        name: of the JSON object; in a multipart body ``nameUrl`` is a URL, and ``name`` may be
            the file, too.
        file: of the file in a multipart body.
    """

    name: str
    file: str

    @property
    def files(self) -> tuple[str, str]:
        """Names of the file in a multipart body."""
        return self.file, self.name

    @property
    def url(self) -> str:
        """Name of the URL in a multipart body."""
        return f"{self.name}Url"


@dataclass(frozen=True, slots=True)
class NhnUpload:
    """A body's photos, in the order of the operation's parts, and everything else in it.

    Attributes:
        photos: bytes, or the URL that they are to be had from.
        given: the other fields.
    """

    photos: tuple[bytes | str, ...]
    given: Mapping[str, Any]

    @property
    def urls(self) -> list[str]:
        """URLs of the photos that are still missing."""
        return [photo for photo in self.photos if isinstance(photo, str)]

    @property
    def size(self) -> int:
        """Bytes of the photos that are there."""
        return sum(len(photo) for photo in self.photos if isinstance(photo, bytes))

    @property
    def images(self) -> list[bytes]:
        """The photos, when all are there."""
        return [photo for photo in self.photos if isinstance(photo, bytes)]

    def with_fetched(self, photos: Sequence[bytes]) -> Self:
        """The same with those photos in the places of the URLs."""
        fetched = iter(photos)
        whole = tuple(next(fetched) if isinstance(one, str) else one for one in self.photos)
        return dataclasses.replace(self, photos=whole)


def parse(body: bytes, content_type: str, *, parts: Sequence[Part], multipart: bool) -> NhnUpload:
    """Read a body.

    Args:
        body: the whole body.
        content_type: the header, as sent.
        parts: the photos that the operation needs.
        multipart: whether the version of the API takes multipart bodies.

    Raises:
        InvalidArgument: malformed, or a photo that is missing or given twice.
        UnsupportedMediaType: neither JSON nor, where it is taken, multipart.
        Refused: bytes that are not Base64 (-45030).
    """
    names = [name for part in parts for name in part.files]
    form = None
    if multipart:
        form = parse_multipart(body, content_type=content_type, fields=names, max_images=len(parts))
    if form is not None:
        given = dict(form.options)
        files = {name: found[0].data for name, found in form.images.items()}
        return NhnUpload(tuple(_of_form(part, files, given) for part in parts), given)
    if not _is_json(content_type):
        raise UnsupportedMediaType("Send application/json, or multipart/form-data in v2.0.")
    given = parse_json(body)
    return NhnUpload(tuple(_of_json(part, given) for part in parts), given)


def open_image(engine: Engine, data: bytes) -> Photo:
    """A photo under NHN's rules: PNG or JPEG, at most 3,000,000 bytes, sides of at least 80.

    Raises:
        Refused: too large (-45020), or neither PNG nor JPEG (-45040).
        ImageTooSmall: a side below 80 pixels.
        ImageError: it cannot be decoded.
    """
    if len(data) > MAX_BYTES:
        raise Refused(Result.IMAGE_TOO_LARGE, "image_too_large")
    if not data.startswith((_PNG, _JPEG)):
        raise Refused(Result.INVALID_IMAGE_FORMAT, "image_unsupported")
    photo = engine.photo(data)
    if min(photo.width, photo.height) < MIN_SIDE:
        raise ImageTooSmall(f"An image is at least {MIN_SIDE} pixels wide and high.")
    return photo


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind in ("", "application/json") or kind.endswith("+json")


def _of_form(part: Part, files: Mapping[str, bytes], given: dict[str, Any]) -> bytes | str:
    found: list[bytes | str] = [_file_or_url(files[name]) for name in part.files if name in files]
    url = given.pop(part.url, None)
    if url is not None:
        found.append(url)
    if len(found) != 1:
        raise InvalidArgument(f"Send one of {part.files[0]!r} and {part.url!r}.")
    return found[0]


def _file_or_url(data: bytes) -> bytes | str:
    return data.decode("utf-8", "replace") if data.startswith((b"http://", b"https://")) else data


def _of_json(part: Part, given: dict[str, Any]) -> bytes | str:
    image = given.pop(part.name, None)
    if not isinstance(image, dict):
        raise InvalidArgument(f"{part.name!r} must be an object with 'url' or 'bytes'.")
    told = {name: image.get(name) for name in ("url", "bytes") if image.get(name) is not None}
    if len(told) != 1:
        raise InvalidArgument(f"{part.name!r} must have one of 'url' and 'bytes'.")
    ((kind, value),) = told.items()
    if not isinstance(value, str):
        raise InvalidArgument(f"'{part.name}.{kind}' must be text.")
    return value if kind == "url" else _decoded(value)


def _decoded(text: str) -> bytes:
    """Standard Base64, line breaks allowed; a data URI is none."""
    try:
        data = binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except ValueError:  # binascii.Error, or characters beyond ASCII
        data = b""
    if not data:
        raise Refused(Result.INVALID_IMAGE_BYTES, "image_decode")
    return data
