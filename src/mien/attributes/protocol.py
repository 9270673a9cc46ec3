"""Attribute: a face in a photo in, one answer about it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

from mien.types import RGB, Face, Result

__all__ = ["Attribute", "FaceView"]


T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class FaceView:
    """One face, as all attributes get to see it, one after the other on one thread.

    Attributes:
        image: RGB ``uint8`` ``(height, width, 3)``: the photo, perhaps decoded smaller.
        face: in the pixels of ``image``.
        scale: pixels of ``image`` per pixel of the photo, at most 1.
    """

    image: RGB
    face: Face
    scale: float = 1.0
    _found: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def once(self, what: str, find: Callable[[], T]) -> T:
        """What ``find()`` gives, asked once for this face however many attributes want it.

        Args:
            what: a name for it; whoever gives the same name gets the same answer.
            find: finds it.
        """
        if what not in self._found:
            self._found[what] = find()
        found: T = self._found[what]
        return found


@runtime_checkable
class Attribute(Protocol):
    """Says one thing about a face. Safe to call from several threads at once.

    One that sets ``full_size`` to True always sees the photo at full size.

    Attributes:
        name: what ``--actions`` calls it.
    """

    name: str

    def measure(self, view: FaceView) -> Result:
        """The answer for one face.

        Raises:
            InvalidArgument: the face has no landmarks, or they coincide, where they are needed.
        """
        ...
