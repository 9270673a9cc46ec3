"""Drawn faces, and models that know them: every layer can be tested without weights.

A drawn face is a green square with an 8 x 8 pattern of black and white that depends on its
identity. :class:`MockDetector` finds the green, :class:`MockEmbedder` reads the pattern, so
scaling, compression and crops matter to them as to real nets.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.align import template, warp
from mien.errors import InvalidArgument
from mien.types import RGB, EmbeddingContract, Embeddings, Face, Faces, Metric

__all__ = ["MockDetector", "MockEmbedder", "drawn_face", "drawn_photo"]

CELLS = 8
SIDE = 112
GREEN = (40, 180, 60)


def drawn_face(identity: int, size_hw: tuple[int, int] = (240, 320)) -> RGB:
    """A photo with one drawn face in its middle, half as high as the photo."""
    height, width = size_hw
    side = min(height, width) // 2
    return drawn_photo([(identity, (width - side) // 2, (height - side) // 2, side)], size_hw)


def drawn_photo(faces: Sequence[tuple[int, int, int, int]], size_hw: tuple[int, int]) -> RGB:
    """A photo with drawn faces.

    Args:
        faces: ``(identity, x, y, side)`` in pixels; sides of at least 28.
        size_hw: height and width of the photo.
    """
    photo = np.full((*size_hw, 3), 225, np.uint8)
    for identity, x, y, side in faces:
        cells = np.random.default_rng(identity).integers(0, 2, (CELLS, CELLS), np.uint8) * 255
        face = np.full((SIDE, SIDE, 3), GREEN, np.uint8)
        face[24:88, 24:88] = np.kron(cells, np.ones((8, 8), np.uint8))[..., None]
        photo[y : y + side, x : x + side] = cv2.resize(
            face, (side, side), interpolation=cv2.INTER_AREA
        )
    return photo


class MockDetector:
    """Finds drawn faces by their green."""

    name = "mock"

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        """The drawn faces of each image."""
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image: RGB) -> Faces:
        red, green, blue = (image[..., i].astype(np.int16) for i in range(3))
        mask = ((green - np.maximum(red, blue)) > 50).astype(np.uint8)
        found = cv2.connectedComponentsWithStats(mask)[2][1:]
        found = found[(found[:, 2] >= 12) & (found[:, 3] >= 12)].astype(np.float32)
        box = np.hstack([found[:, :2], found[:, :2] + found[:, 2:4]])
        place = template("arcface112") / np.float32(SIDE)
        points = box[:, None, :2] + place[None] * found[:, None, 2:4]
        score = np.full(len(box), 0.99, np.float32)
        return Faces.ordered(box, score, points, size_hw=(image.shape[0], image.shape[1]))


class MockEmbedder:
    """Reads the pattern of a drawn face: 64 numbers of unit length. The norm is the contrast.

    Args:
        version: of its preprocessing; each reads the pattern in an order of its own, so that the
            templates of two versions are not alike.
    """

    name = "mock"
    metric: Metric = "cosine"
    size_hw = (SIDE, SIDE)

    def __init__(self, *, version: int = 1) -> None:
        self.contract = EmbeddingContract("mock", "0" * 64, version, CELLS * CELLS)
        self._turn = version - 1

    def crop(self, image: RGB, face: Face) -> NDArray[np.uint8]:
        """The drawn square, by its landmarks."""
        if face.landmarks is None:
            raise InvalidArgument("A drawn face has landmarks.")
        return warp(image, face.landmarks, template("arcface112"), self.size_hw)

    def embed(self, crops: NDArray[np.uint8]) -> Embeddings:
        """Templates of crops ``(n, 112, 112, 3)``."""
        grey = crops[:, 24:88, 24:88].mean(axis=3, dtype=np.float32)
        cells = grey.reshape(len(crops), CELLS, 8, CELLS, 8).mean(axis=(2, 4))
        vector = np.roll(cells.reshape(len(crops), CELLS * CELLS), self._turn, axis=1)
        vector = vector - vector.mean(axis=1, keepdims=True)
        norm = np.linalg.norm(vector, axis=1).astype(np.float32)
        unit = (vector / np.maximum(norm, 1e-6)[:, None]).astype(np.float32)
        return Embeddings(unit, norm / np.float32(80))
