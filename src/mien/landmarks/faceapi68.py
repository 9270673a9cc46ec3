"""face-api's 68 points, in the order of iBUG 300-W.

Source: justadudewhohacks' face-api.js, ``FaceLandmark68Net.ts`` and ``FaceLandmark68NetBase.ts``,
as in the package ``@vladmandic/face-api`` 1.7.15; the order of the points: Sagonas et al.,
"300 Faces in-the-Wild Challenge", 2013. face-api cuts the face out by its detector's box; here it
is turned upright by its five landmarks, into the part of the square where the net's points are
closest to dlib's (docs/reference/landmarks.md).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.align import similarity_transform
from mien.models import ModelCard, ModelStore, Session
from mien.types import RGB, Face, Faces

__all__ = ["FROM_MESH", "FaceApi68", "five_of_68"]

SIDE = 112
MEAN = np.array([122.782, 117.001, 104.298], np.float32)
Floats = NDArray[np.float32]

# Where the five landmarks go in the net's square, as a share of its side.
TEMPLATE = np.array(
    [[0.312, 0.167], [0.688, 0.167], [0.5, 0.375], [0.338, 0.538], [0.662, 0.538]], np.float32
)
# The five landmarks of a detector's box, as a share of it: medians over 198 faces of LFW.
IN_BOX = np.array(
    [[0.266, 0.374], [0.734, 0.374], [0.5, 0.571], [0.299, 0.726], [0.701, 0.726]], np.float32
)
EYES = (slice(36, 42), slice(42, 48))
NOSE = 30
MOUTH = (48, 54)

_FROM_MESH = """
127 234 93 132 58 136 150 176 152 400 379 365 288 361 323 454 356 70 63 105 66 107 336 296 334 293
300 168 197 5 4 75 97 2 326 305 33 160 158 133 153 144 362 385 387 263 373 380 61 39 37 0 267 269
291 405 314 17 84 181 78 82 13 312 308 317 14 87
"""
FROM_MESH = np.array(_FROM_MESH.split(), int)
"""Of MediaPipe's 478 points those that lie where the 68 are: ``mesh.points[:, FROM_MESH]``."""


class FaceApi68:
    """A :class:`~mien.landmarks.LandmarkModel` for 68 points.

    Args:
        card: the model's card.
        session: input ``(n, 3, 112, 112)``, output ``(n, 136)``: shares of the square.

    Example:
        >>> FaceApi68(card, session).points(image, faces).shape      # doctest: +SKIP
        (1, 68, 2)
    """

    def __init__(self, card: ModelCard, session: Session) -> None:
        self.name = card.name
        self._session = session
        self._input = session.input_names[0]

    @classmethod
    def load(cls, card: ModelCard, models: ModelStore) -> FaceApi68:
        """Fetch the weights, if need be, and open them."""
        return cls(card, models.open(card, streams=models.settings.thread_budget))

    def points5(self, image: RGB, faces: Faces) -> Floats:
        """Five points of each face; see :class:`~mien.landmarks.LandmarkModel`."""
        return five_of_68(self.points(image, faces))

    def points(self, image: RGB, faces: Faces) -> Floats:
        """``(n, 68, 2)`` pixels, in the order of ``faces``.

        A face that has landmarks is looked at once, turned upright by them; one that has only a
        box is looked at twice, the second time by what the first look found.
        """
        found = [self._face(image, face) for face in faces]
        return np.array(found, np.float32).reshape(-1, 68, 2)

    def _face(self, image: RGB, face: Face) -> Floats:
        landmarks = face.landmarks
        if landmarks is None:
            box = face.box
            size = np.array([box.width, box.height], np.float32)
            guess = IN_BOX * size + np.array([box.x0, box.y0], np.float32)
            landmarks = five_of_68(self._look(image, guess)[None])[0]
        return self._look(image, landmarks)

    def _look(self, image: RGB, landmarks: Floats) -> Floats:
        """Points ``(68, 2)`` of the face that has these five landmarks, pixels of ``image``."""
        matrix = similarity_transform(landmarks, TEMPLATE * SIDE)
        crop = cv2.warpAffine(image, matrix, (SIDE, SIDE))
        blob = (np.asarray(crop, np.float32) - MEAN) / np.float32(255)
        blob = np.ascontiguousarray(blob.transpose(2, 0, 1)[None])
        (output,) = self._session.run({self._input: blob}).values()
        inverse = cv2.invertAffineTransform(matrix)
        points: Floats = output[0].reshape(68, 2) * SIDE @ inverse[:, :2].T + inverse[:, 2]
        return points.astype(np.float32)


def five_of_68(points: Floats) -> Floats:
    """``(n, 5, 2)``: eyes, nose tip, mouth corners, image-left first, of ``(n, 68, 2)``."""
    eyes = [points[:, part].mean(axis=1) for part in EYES]
    mouth = points[:, list(MOUTH)].swapaxes(0, 1)
    return np.stack([*eyes, points[:, NOSE], *mouth], axis=1).astype(np.float32)
