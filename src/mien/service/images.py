"""Photos out of a request body in three forms: multipart, the raw file, JSON with base64.

Everything here works on bytes that are in memory already and runs on a worker thread. What comes
out is bytes, never a string, so nothing that a client writes can be taken for a path or a URL.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from mien.errors import (
    ImageDecodeError,
    InvalidArgument,
    RequestTooLarge,
    UnsupportedMediaType,
)

__all__ = [
    "MAX_BRACKETS",
    "Form",
    "NamedImage",
    "from_base64",
    "parse_form",
    "parse_json",
    "parse_multipart",
]

MAX_BRACKETS = 256
MAX_COMMAS = 100_000
"""Of JSON: a million numbers in a list are 40 MB, and half a second, of a body of 4 MB."""
MAX_FIELDS = 32
MAX_FIELD_BYTES = 4096
MAX_NAME = 100
URL = re.compile(r"\s*[a-zA-Z][a-zA-Z0-9+.-]*://")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class NamedImage:
    """An encoded photo, and what to call it in an answer."""

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Form:
    """A request body: photos by field name, everything else as options."""

    images: Mapping[str, list[NamedImage]]
    options: Mapping[str, Any]


def parse_form(body: bytes, *, content_type: str, fields: Sequence[str], max_images: int) -> Form:
    """Read a body of any of the three forms.

    Args:
        body: the whole body.
        content_type: the header, as sent.
        fields: names under which photos may come; a raw body is ``fields[0]`` and is only taken
            where there is one field. ``images`` in JSON is a list for the field ``image``, the
            only one of several fields that takes more than one photo.
        max_images: photos in one request.

    Raises:
        UnsupportedMediaType: none of the three forms.
        InvalidArgument: malformed, or a URL or a path in the place of a photo.
        RequestTooLarge: too many photos or fields.
        ImageDecodeError: a string that is not base64.
    """
    kind, parameters = parse_options_header(content_type)
    kind = kind.strip().lower()
    if kind == b"multipart/form-data":
        reader = _Multipart(fields, max_images, repeated=len(fields) == 1)
        form = reader.read(body, parameters.get(b"boundary", b""))
    elif kind == b"application/json" or kind.endswith(b"+json"):
        form = _from_json(body, fields, max_images)
    elif kind.startswith(b"image/") or kind == b"application/octet-stream":
        if len(fields) > 1:
            raise UnsupportedMediaType(
                f"This route needs {' and '.join(fields)}: send multipart/form-data or JSON."
            )
        form = Form({fields[0]: [NamedImage(fields[0], body)]}, {})
    else:
        raise UnsupportedMediaType(
            "Send multipart/form-data, image/*, application/octet-stream or application/json."
        )
    missing = [name for name in fields if not form.images.get(name)]
    if missing:
        raise InvalidArgument(
            f"There is no photo in the field {missing[0]!r}.", details={"field": missing[0]}
        )
    return form


def parse_multipart(
    body: bytes,
    *,
    content_type: str,
    fields: Sequence[str],
    max_images: int,
    repeated: bool = False,
) -> Form | None:
    """Read a ``multipart/form-data`` body, whichever of its photos are there.

    Args:
        body, content_type, fields, max_images: as for :func:`parse_form`.
        repeated: each field takes several photos, also where there are several fields.

    Returns:
        None for another content type.

    Raises:
        InvalidArgument: malformed.
        RequestTooLarge: too many photos or fields.
    """
    kind, parameters = parse_options_header(content_type)
    if kind.strip().lower() != b"multipart/form-data":
        return None
    reader = _Multipart(fields, max_images, repeated=repeated or len(fields) == 1)
    return reader.read(body, parameters.get(b"boundary", b""))


def parse_json(
    body: bytes, *, max_brackets: int = MAX_BRACKETS, max_commas: int = MAX_COMMAS
) -> dict[str, Any]:
    """A JSON object of a few fields, or with at most so many objects, lists and values in it.

    Raises:
        InvalidArgument: not JSON, not an object, with a member twice, or nested beyond what any
            request needs.
    """
    if body.count(b"{") + body.count(b"[") > max_brackets or body.count(b",") > max_commas:
        raise InvalidArgument("The JSON is nested too deeply or has too many parts.")
    try:
        value = json.loads(
            body.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_members
        )
    except (ValueError, RecursionError):
        raise InvalidArgument("The body is not valid JSON in UTF-8.") from None
    if not isinstance(value, dict):
        raise InvalidArgument("The body must be a JSON object.")
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; readers of JSON differ in which of two members of one name they take."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidArgument("The JSON has a member twice.")
    return found


def _from_json(body: bytes, fields: Sequence[str], max_images: int) -> Form:
    options = parse_json(body)
    images: dict[str, list[NamedImage]] = {}
    for name in fields:
        several = options.pop("images", None) if name == "image" and max_images > 1 else None
        if several is not None:
            if not isinstance(several, list) or name in options:
                raise InvalidArgument("Send one 'image', or a list of base64 strings as 'images'.")
            _check_count(len(several), max_images)
            images[name] = [
                NamedImage(f"images[{i}]", from_base64(text)) for i, text in enumerate(several)
            ]
        elif name in options:
            images[name] = [NamedImage(name, from_base64(options.pop(name)))]
    return Form(images, options)


def from_base64(text: object) -> bytes:
    """The bytes of a photo in JSON: base64 or a ``data:`` URI.

    Raises:
        InvalidArgument: no string, a URL, or another ``data:`` URI.
        ImageDecodeError: not base64.
    """
    if not isinstance(text, str):
        raise InvalidArgument("A photo in JSON must be a string: base64 or a data: URI.")
    if text[:5].lower() == "data:":
        header, comma, payload = text.partition(",")
        if not comma or not header.lower().rstrip().endswith(";base64"):
            raise InvalidArgument("A data: URI must hold base64: data:image/jpeg;base64,...")
        text = payload
    elif URL.match(text[:100]):
        raise InvalidArgument(
            "URLs are not fetched: send the photo itself as multipart, raw bytes or base64."
        )
    try:
        return binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except ValueError:  # binascii.Error, or characters beyond ASCII
        raise ImageDecodeError(
            "The photo is not valid base64. Paths on the server are not read: send the photo "
            "itself."
        ) from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _check_count(count: int, max_images: int) -> None:
    if count > max_images:
        raise RequestTooLarge(
            f"The request may hold at most {max_images} photo(s).", details={"limit": max_images}
        )


class _Multipart:
    """Collects the parts of one ``multipart/form-data`` body."""

    def __init__(self, fields: Sequence[str], max_images: int, *, repeated: bool) -> None:
        self._fields = fields
        self._repeated = repeated
        self._max_images = max_images
        self._images: dict[str, list[NamedImage]] = {}
        self._options: dict[str, Any] = {}
        self._header = (bytearray(), bytearray())
        self._headers: dict[bytes, bytes] = {}
        self._data: list[bytes] = []
        self._ended = False

    def read(self, body: bytes, boundary: bytes) -> Form:
        """Parse the whole body.

        Raises:
            InvalidArgument: malformed.
            RequestTooLarge: more parts than allowed.
        """
        if not boundary:
            raise InvalidArgument("The multipart Content-Type has no boundary.")
        name, value = self._header
        try:
            parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": lambda data, i, j: name.extend(data[i:j]),
                    "on_header_value": lambda data, i, j: value.extend(data[i:j]),
                    "on_header_end": self._end_header,
                    "on_part_data": lambda data, i, j: self._data.append(data[i:j]),
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
            )
            parser.write(body)
            parser.finalize()
        except FormParserError:
            raise InvalidArgument("The multipart body is malformed.") from None
        if not self._ended:
            raise InvalidArgument("The multipart body is cut off.")
        return Form(self._images, self._options)

    def _begin(self) -> None:
        self._headers = {}
        self._data = []

    def _end_header(self) -> None:
        name, value = self._header
        self._headers[bytes(name).lower()] = bytes(value)
        name.clear()
        value.clear()

    def _end_part(self) -> None:
        _, parameters = parse_options_header(self._headers.get(b"content-disposition"))
        field_name = _text(parameters.get(b"name", b""))
        data = self._data[0] if len(self._data) == 1 else b"".join(self._data)
        self._data = []
        if field_name in self._fields:
            self._add_image(field_name, _text(parameters.get(b"filename", b"")), data)
        else:
            self._add_option(field_name, data)

    def _add_image(self, field_name: str, file_name: str, data: bytes) -> None:
        found = self._images.setdefault(field_name, [])
        if found and not self._repeated and field_name != "image":
            raise InvalidArgument(f"The field {field_name!r} takes one photo.")
        name = CONTROL.sub("", re.split(r"[/\\]", file_name)[-1])[:MAX_NAME]
        found.append(NamedImage(name or f"{field_name}[{len(found)}]", data))
        _check_count(len(found), self._max_images)

    def _add_option(self, name: str, data: bytes) -> None:
        if len(data) > MAX_FIELD_BYTES or len(self._options) >= MAX_FIELDS:
            raise RequestTooLarge("The multipart body has too many or too large fields.")
        if name in self._options:
            raise InvalidArgument(f"The field {name[:MAX_NAME]!r} is given twice.")
        self._options[name] = _text(data)

    def _end(self) -> None:
        self._ended = True


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
