"""Forms whose photo fields hold a file, a URL or base64: multipart, urlencoded or JSON."""

from __future__ import annotations

import binascii
import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qsl

from mien.errors import InvalidArgument, UnsupportedMediaType
from mien.service.images import parse_json, parse_multipart

__all__ = ["PhotoForm", "parse"]

MAX_FIELDS = 64
MAX_URL = 8192
_URL = re.compile(rb"\s*https?://\S+\s*", re.IGNORECASE)
_BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]{1,64}")
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class PhotoForm:
    """A form.

    Attributes:
        photos: by field: bytes, or a URL that they are to be had from.
        fields: the others.
    """

    photos: Mapping[str, tuple[bytes | str, ...]]
    fields: Mapping[str, Any]

    @property
    def urls(self) -> list[str]:
        """URLs of the photos that are still missing."""
        return [one for some in self.photos.values() for one in some if isinstance(one, str)]

    @property
    def size(self) -> int:
        """Bytes of the photos that are there."""
        return sum(
            len(one) for some in self.photos.values() for one in some if isinstance(one, bytes)
        )

    def with_fetched(self, photos: Sequence[bytes]) -> Self:
        """The same with those photos in the places of the URLs."""
        fetched = iter(photos)
        whole = {
            name: tuple(next(fetched) if isinstance(one, str) else one for one in some)
            for name, some in self.photos.items()
        }
        return dataclasses.replace(self, photos=whole)

    def all(self, *names: str) -> list[bytes]:
        """All photos of those fields."""
        return [
            one for name in names for one in self.photos.get(name, ()) if isinstance(one, bytes)
        ]

    def one(self, *names: str) -> bytes:
        """The one photo of those fields.

        Raises:
            InvalidArgument: none, or several.
        """
        found = self.all(*names)
        if len(found) != 1:
            raise InvalidArgument(f"Send one photo in the field {names[0]!r}.")
        return found[0]

    def text(self, name: str, default: str = "") -> str:
        """A field as text."""
        value = self.fields.get(name, default)
        return value if isinstance(value, str) else str(value)

    def flag(self, name: str) -> bool:
        """Whether a field says yes: 1 or true."""
        return self.text(name).strip().lower() in ("1", "true", "yes")


def parse(body: bytes, content_type: str, *, names: Sequence[str], max_images: int) -> PhotoForm:
    """Read a form.

    Args:
        body: the whole body; it may be empty.
        content_type: the header, as sent.
        names: of the photo fields.
        max_images: photos in one field.

    Raises:
        UnsupportedMediaType: neither multipart nor urlencoded nor JSON.
        InvalidArgument: malformed.
        RequestTooLarge: too many photos or fields.
    """
    if not body:
        return PhotoForm({}, {})
    form = parse_multipart(
        body, content_type=content_type, fields=names, max_images=max_images, repeated=True
    )
    if form is not None:
        files = {name: [one.data for one in some] for name, some in form.images.items()}
        return PhotoForm(_read(files), form.options)
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        pairs = _pairs(body)
    elif kind == "application/json" or kind.endswith("+json"):
        pairs = _flat(parse_json(body))
    else:
        raise UnsupportedMediaType("Send multipart/form-data or application/x-www-form-urlencoded.")
    photos: dict[str, list[bytes]] = {}
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in names:
            found = photos.setdefault(name, [])
            found.append(value.encode("utf-8", "replace") if isinstance(value, str) else b"")
            if len(found) > max_images:
                raise InvalidArgument(f"At most {max_images} photos are taken at once.")
        elif name in fields:
            raise InvalidArgument(f"The field {name[:_SHOWN]!r} is given twice.")
        else:
            fields[name] = value
    return PhotoForm(_read(photos), fields)


def _pairs(body: bytes) -> list[tuple[str, Any]]:
    try:
        text = body.decode("ascii")
        return [*parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)]
    except ValueError:
        raise InvalidArgument("The form is malformed, or has too many fields.") from None


def _flat(given: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [
        (name, one)
        for name, value in given.items()
        for one in (value if isinstance(value, list) else [value])
    ]


def _read(given: Mapping[str, Sequence[bytes]]) -> dict[str, tuple[bytes | str, ...]]:
    return {name: tuple(_photo(data) for data in some) for name, some in given.items()}


def _photo(data: bytes) -> bytes | str:
    """A URL, or the photo itself: as it is, or what its base64 holds."""
    if len(data) <= MAX_URL and _URL.fullmatch(data):
        return data.decode("utf-8", "replace").strip()
    if data[:5].lower() == b"data:":
        data = data.partition(b",")[2]
    if not _BASE64.fullmatch(data[:64]):
        return data
    try:
        return binascii.a2b_base64(b"".join(data.split()), strict_mode=True)
    except ValueError:
        return data
