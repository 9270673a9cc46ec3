"""LandmarkModel: a photo and its faces in, the points of each face out."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mien.types import RGB, Faces

__all__ = ["LandmarkModel"]


@runtime_checkable
class LandmarkModel(Protocol):
    """Finds points of a face, among them those that alignment needs.

    Safe to call from several threads at once.

    Attributes:
        name: card name.
    """

    name: str

    def points(self, image: RGB, faces: Faces) -> NDArray[np.float32]:
        """All points of each face: ``(n, k, 2)`` or ``(n, k, 3)`` float32 pixels.

        In the order of ``faces``; ``k`` and what each point is are the model's own.
        """
        ...

    def points5(self, image: RGB, faces: Faces) -> NDArray[np.float32]:
        """Five points of each face: ``(n, 5, 2)`` float32 pixels, in the order of ``faces``.

        Image-left eye, image-right eye, nose tip, image-left and image-right mouth corner, as
        :class:`mien.types.Face` has them. Only the boxes of ``faces`` have to be there.
        """
        ...
