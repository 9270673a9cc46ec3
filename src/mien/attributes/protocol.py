"""Attribute: a face in a photo in, one answer about it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mien.types import RGB, Face, Result

__all__ = ["Attribute", "FaceView"]


@dataclass(frozen=True, slots=True, eq=False)
class FaceView:
    """One face, as all attributes get to see it.

    Attributes:
        image: RGB ``uint8`` ``(height, width, 3)``: the photo, perhaps decoded smaller.
        face: in the pixels of ``image``.
        scale: pixels of ``image`` per pixel of the photo, at most 1.
    """

    image: RGB
    face: Face
    scale: float = 1.0


@runtime_checkable
class Attribute(Protocol):
    """Says one thing about a face. Safe to call from several threads at once.

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
