"""What a pickle may hold: plain values, arrays and their types, and the few names that make them.

See :mod:`mien.engine.foreign.pickles`, which reads them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from mien.errors import InvalidArgument

__all__ = [
    "MARK",
    "NAMED",
    "ElementType",
    "Mark",
    "Named",
    "OpenArray",
    "OpenTuple",
    "filled",
    "plain",
    "refuse",
]

_KINDS = "fiub"  # of arrays: numbers and booleans
_TEXT_KINDS = "US"
_TYPES = frozenset(["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"])


class Mark:
    """The mark on the stack."""


MARK = Mark()


class OpenTuple(list[Any]):
    """A tuple of the pickle: a list, so that what stands in it can be replaced; never hashed."""


class ElementType:
    """An array's element type, until its byte order is known."""

    def __init__(self, text: str) -> None:
        if text not in _TYPES and not (text[:1] in _TEXT_KINDS and text[1:].isdecimal()):
            refuse(f"arrays of type {text[:20]!r}")
        self.text = text
        self.order = "<" if sys.byteorder == "little" else ">"

    def numpy(self) -> np.dtype[Any]:
        """The type."""
        if self.text[0] in _TEXT_KINDS and len(self.text) > 6:
            refuse("texts of that length")
        order: Literal["<", ">"] = ">" if self.order == ">" else "<"
        return np.dtype(self.text).newbyteorder(order)


class OpenArray:
    """An array, until its state is known."""

    def __init__(self) -> None:
        self.value: NDArray[Any] | None = None


class Named:
    """Something that a pickle names: what it makes when it is called."""

    def __init__(self, make: Callable[..., Any] | None = None) -> None:
        self.make = make


def _type(text: object, *_: object) -> ElementType:
    if not isinstance(text, str):
        refuse("a type without a name")
    return ElementType(text)


def _array(*_: object) -> OpenArray:
    return OpenArray()


def _from_buffer(buffer: object, kind: object, shape: object, order: object) -> OpenArray:
    made = OpenArray()
    made.value = filled(shape, kind, buffer, fortran=order == "F")
    return made


def _scalar(kind: object, data: object) -> Any:  # noqa: ANN401 - a number or a text
    return filled(1, kind, data, fortran=False)[0].item()


def _encoded(text: object, encoding: object) -> bytes:
    """How protocols 0 to 2 write bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1", "bytes"):
        refuse("an encoding other than Latin 1")
    return text.encode("latin-1")


def _dictionary(*_: object) -> dict[Any, Any]:
    return {}


def _no_bytes(*args: object) -> bytes:
    """How protocols 0 to 2 write no bytes."""
    if args:
        refuse("a call")
    return b""


NAMED = {
    **dict.fromkeys(["builtins bytes", "__builtin__ bytes"], Named(_no_bytes)),
    "_codecs encode": Named(_encoded),
    "collections OrderedDict": Named(_dictionary),
    "collections defaultdict": Named(_dictionary),
    **dict.fromkeys(["builtins list", "__builtin__ list"], Named()),
    **{
        f"numpy{core}.{rest}": named
        for core in (".core", "._core")
        for rest, named in [
            ("multiarray _reconstruct", Named(_array)),
            ("multiarray scalar", Named(_scalar)),
            ("numeric _frombuffer", Named(_from_buffer)),
        ]
    },
    "numpy ndarray": Named(),
    "numpy dtype": Named(_type),
}
"""All that a pickle may name."""


def refuse(what: str) -> NoReturn:
    """Raise InvalidArgument for something that is not read."""
    raise InvalidArgument(
        f"The pickle holds {what}: only lists, dictionaries, texts, numbers and arrays of them "
        "are read. Save the names and vectors as such, or as .npz."
    )


def filled(shape: object, kind: object, data: object, *, fortran: bool) -> NDArray[Any]:
    """An array over bytes that are there: a size that they do not have cannot be claimed."""
    sizes = tuple(shape) if isinstance(shape, OpenTuple) else (shape,)
    if not (isinstance(kind, ElementType) and isinstance(data, bytes | bytearray)):
        refuse("an array of objects")
    if not all(type(size) is int and size >= 0 for size in sizes) or len(sizes) > 8:
        refuse("an array of no shape")
    flat = np.frombuffer(data, kind.numpy())
    return flat.reshape(sizes, order="F" if fortran else "C")


def plain(value: Any) -> Any:  # noqa: ANN401
    """The value with arrays in the place of what stood for them, to any depth and only once."""
    top = [value]
    todo: list[Any] = [top]
    seen: set[int] = set()
    while todo:
        container = todo.pop()
        if id(container) in seen:
            continue
        seen.add(id(container))
        places = container.items() if isinstance(container, dict) else enumerate(container)
        for place, one in list(places):
            if isinstance(one, list | dict):
                todo.append(one)
            elif isinstance(one, OpenArray):
                if one.value is None:
                    raise ValueError("an array that was never filled")
                container[place] = one.value
            elif isinstance(one, Named | ElementType | Mark):
                refuse("a class or a function")
    return top[0]
