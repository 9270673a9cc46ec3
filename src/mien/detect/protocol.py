"""Detector: photos in, faces out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from mien.types import RGB, Faces

__all__ = ["Detector"]


@runtime_checkable
class Detector(Protocol):
    """Finds faces. Safe to call from several threads at once.

    A detector may have an attribute ``scales``, the :class:`~mien.detect.MultiScaleOptions` that
    suit it; None: it sees faces of all sizes by itself, and is not called at several scales. Its
    faces may lack landmarks where its card needs a landmark model (``needs =
    ["landmarks/..."]``): :func:`mien.detect.create` then adds them.

    Attributes:
        name: card name.
    """

    name: str

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        """The faces of each image (see :class:`mien.types.Faces`), in the order of ``images``."""
        ...
