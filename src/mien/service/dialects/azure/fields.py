"""What a request says: query options and members of JSON bodies, checked in the API's own words."""

from __future__ import annotations

import json
import math
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mien.service.dialects.azure.errors import bad_argument

__all__ = [
    "CONTAINER_DATA",
    "FACE_DATA",
    "Body",
    "Given",
    "Rectangle",
    "boolean",
    "choice",
    "container_id",
    "hex_id",
    "name_of",
    "number",
    "page",
    "parse",
    "rectangle",
    "shown_id",
    "text",
    "uuids",
    "whole",
]

Body = Mapping[str, Any]
"""Options by name; what :func:`parse` gives is a :class:`Given`."""

Rectangle = tuple[int, int, int, int]

NAME = 128
CONTAINER_DATA = 16 * 1024
FACE_DATA = 1024
MAX_START = 64
MAX_TOP = 1000
CONTAINER = re.compile(r"[a-z0-9_-]{1,64}")


class Given(Mapping[str, Any]):
    """Options by name in whatever case it is written: the API does not tell ``Url`` from ``url``.

    Args:
        pairs: names and values; of a name that comes again the last value counts.

    Example:
        >>> Given([("Top", 3)]).get("top")
        3
    """

    def __init__(self, pairs: Iterable[tuple[str, Any]]) -> None:
        self._values = {name.lower(): value for name, value in pairs}

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - whatever JSON can hold
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def parse(body: bytes) -> Body:
    """A JSON object.

    Raises:
        AzureError: it is none.
    """
    try:
        found = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise bad_argument("JSON parsing error.") from None
    if not isinstance(found, dict):
        raise bad_argument("Request body is invalid.")
    return Given(found.items())


def text(
    given: Body, name: str, *, most: int, default: str | None = None, empty: bool = True
) -> str | None:
    """A text of at most ``most`` bytes in UTF-8; absent and null are ``default``."""
    value = given.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise bad_argument(f"'{name}' is invalid.")
    try:
        length = len(value.encode())
    except UnicodeEncodeError:
        raise bad_argument(f"'{name}' is invalid.") from None
    if "\0" in value:
        raise bad_argument(f"'{name}' is invalid.")
    if not value and not empty:
        raise bad_argument(f"'{name}' is empty.")
    if (len(value) if name == "name" else length) > most:
        raise bad_argument(f"'{name}' is too long.")
    return value


def name_of(given: Body, *, required: bool) -> str | None:
    """``name``, 1 to 128 characters."""
    if required and given.get("name") is None:
        raise bad_argument("'name' is empty.")
    return text(given, "name", most=NAME, empty=False)


def container_id(value: str, what: str) -> str:
    """The id of a container in a path."""
    if not CONTAINER.fullmatch(value):
        raise bad_argument(f"{what} is invalid.")
    return value


def hex_id(value: object, what: str) -> str:
    """A UUID as 32 digits, the way Mien keeps ids."""
    try:
        return uuid.UUID(value if isinstance(value, str) and len(value) <= 38 else "").hex
    except ValueError:
        raise bad_argument(f"{what} is invalid.") from None


def shown_id(value: str) -> str:
    """Mien's id as a UUID with dashes."""
    return str(uuid.UUID(value))


def uuids(given: Body, name: str, *, least: int, most: int, distinct: bool = True) -> list[str]:
    """A list of so many UUIDs, as 32 digits each, in their order; ``distinct``: each once."""
    found = given.get(name)
    if not isinstance(found, list):
        raise bad_argument(f"{name} is invalid.")
    if not least <= len(found) <= most:
        raise bad_argument(f"The length of {name} is not in a valid range.")
    ids = [hex_id(one, name) for one in found]
    return list(dict.fromkeys(ids)) if distinct else ids


def whole(given: Body, name: str, *, least: int, most: int, default: int) -> int:
    """A whole number in a JSON body, or of a query."""
    value = given.get(name)
    if value is None:
        return default
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise bad_argument(f"'{name}' is invalid.")
    return value


def number(given: Body, name: str, *, default: float | None = None) -> float | None:
    """A number from 0 to 1 in a JSON body."""
    value = given.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise bad_argument(f"'{name}' is invalid.")
    if not 0 <= value <= 1:
        raise bad_argument(f"'{name}' is invalid.")
    return float(value)


def boolean(given: Body, name: str, *, default: bool) -> bool:
    """``true`` or ``false``, in any case."""
    value = given.get(name)
    if value is None or value == "":
        return default
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise bad_argument(f"'{name}' is invalid.")


def choice(given: Body, name: str, known: tuple[str, ...], *, default: str) -> str:
    """One of ``known``, in any case."""
    value = given.get(name)
    if value is None or value == "":
        return default
    for one in known:
        if isinstance(value, str) and value.lower() == one.lower():
            return one
    raise bad_argument(f"'{name}' is invalid.")


def page(query: Body) -> tuple[str, int]:
    """``start`` and ``top`` of a list."""
    start = str(query.get("start", ""))
    if len(start) > MAX_START:
        raise bad_argument("'start' is too long.")
    return start, whole(query, "top", least=1, most=MAX_TOP, default=MAX_TOP)


def rectangle(query: Body) -> Rectangle | None:
    """``targetFace=left,top,width,height``."""
    given = query.get("targetFace")
    if given is None or given == "":
        return None
    parts = str(given).split(",")
    if len(parts) != 4 or not all(re.fullmatch(r" *-?[0-9]{1,9} *", part) for part in parts):
        raise bad_argument("Invalid argument targetFace.")
    left, top, width, height = (int(part) for part in parts)
    if left < 0 or top < 0 or width < 1 or height < 1:
        raise bad_argument("Argument targetFace out of range.")
    return left, top, width, height
