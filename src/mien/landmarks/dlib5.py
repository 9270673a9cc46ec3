"""dlib's five points, and from them the five points of Mien.

dlib finds the corners of both eyes and the base of the nose. Mien's five points are put where
they lie in a face that dlib has aligned by its own: whoever aligns by them gets dlib's alignment.
So they are not measured one by one: a mouth that is open does not move its corners. For points
that are, take ``mediapipe478``.

Source: King, dlib-models, ``shape_predictor_5_face_landmarks``; dlib's ``get_face_chip_details``.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.align import similarity_transform, template
from mien.landmarks.shape_predictor import ShapePredictor
from mien.models import ModelCard, ModelStore
from mien.types import RGB, Face, Faces

__all__ = ["Dlib5"]

Floats = NDArray[np.float32]

# Where dlib brings its points: a share of the chip's inner square; image-right eye from its outer
# to its inner corner, image-left eye likewise, base of the nose.
MEAN = np.array(
    [
        [0.8595674595992, 0.2134981538014],
        [0.6460604764104, 0.2289674387677],
        [0.1205750620789, 0.2137274526848],
        [0.3340850613712, 0.2290642403242],
        [0.4901123135679, 0.6277975316475],
    ]
)
CHIP = 150
PADDING = 0.25  # around the inner square, as a share of its side
PLACES = ((PADDING + MEAN) / (1 + 2 * PADDING) * CHIP).astype(np.float32)


class Dlib5:
    """A :class:`~mien.landmarks.LandmarkModel` of dlib's; dlib itself is not needed.

    Args:
        card: the model's card.
        predictor: gives dlib's five points.

    Example:
        >>> Dlib5(card, predictor).points5(image, faces).shape      # doctest: +SKIP
        (1, 5, 2)
    """

    def __init__(self, card: ModelCard, predictor: ShapePredictor) -> None:
        self.name = card.name
        self._predictor = predictor
        self._template = template("dlib150")

    @classmethod
    def load(cls, card: ModelCard, models: ModelStore) -> Dlib5:
        """Fetch the trees, if need be, and read them (about a second)."""
        return cls(card, ShapePredictor.parse(models.source_path(card).read_bytes()))

    def parts(self, image: RGB, faces: Faces) -> Floats:
        """What dlib calls the parts of each face: ``(n, 5, 2)`` pixels.

        Image-right eye, outer and inner corner; image-left eye, outer and inner corner; base of
        the nose.
        """
        found = [self._predictor(image, _square(face)) for face in faces]
        return np.array(found, np.float32).reshape(-1, 5, 2)

    def points(self, image: RGB, faces: Faces) -> Floats:
        """As :meth:`points5`: this model gives no others to Mien."""
        return self.points5(image, faces)

    def points5(self, image: RGB, faces: Faces) -> Floats:
        """Five points of each face; see :class:`~mien.landmarks.LandmarkModel`."""
        found = [self._placed(parts) for parts in self.parts(image, faces)]
        return np.array(found, np.float32).reshape(-1, 5, 2)

    def _placed(self, parts: Floats) -> Floats:
        """Mien's points, from their places in dlib's chip back to the photo."""
        back = cv2.invertAffineTransform(similarity_transform(parts, PLACES))
        points: Floats = (self._template @ back[:, :2].T + back[:, 2]).astype(np.float32)
        return points


def _square(face: Face) -> Floats:
    """The box as dlib's detectors would give it: of the same area, without the forehead.

    The trees were trained on squares. A square stays what it is; of a box that is higher than
    wide, as most detectors give it, dlib's has a centre that lies a little lower.
    """
    box = face.box
    half = float(np.sqrt(box.area)) / 2
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2 + (box.height - box.width) / 4
    return np.array([x - half, y - half, x + half, y + half], np.float32)
