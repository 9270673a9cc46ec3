"""Five landmarks for detectors that give boxes only, so that alignment never degrades silently."""

from __future__ import annotations

from collections.abc import Sequence

from mien.detect.protocol import Detector
from mien.landmarks import LandmarkModel
from mien.types import RGB, Faces

__all__ = ["Landmarked"]


class Landmarked:
    """A :class:`~mien.detect.Detector` whose faces get their landmarks from a landmark model.

    Args:
        detector: finds faces. Landmarks that it gives itself are kept.
        landmarks: finds five points in each face.
    """

    def __init__(self, detector: Detector, landmarks: LandmarkModel) -> None:
        self.name = detector.name
        self._detector = detector
        self._landmarks = landmarks

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        """The faces of each image, with landmarks."""
        found = self._detector.detect(images)
        return [self._complete(image, faces) for image, faces in zip(images, found, strict=True)]

    def _complete(self, image: RGB, faces: Faces) -> Faces:
        if faces.landmarks is not None:
            return faces
        if not len(faces):
            return Faces.empty()
        return Faces(faces.box_xyxy, faces.score, self._landmarks.points5(image, faces))
