"""MediaPipe's face mesh with irises: 478 points in three dimensions.

Source: Kartynnik, Ablavatski, Grishchenko, Grundmann, "Real-time Facial Surface Geometry from
Monocular Video on Mobile GPUs", 2019, https://arxiv.org/abs/1907.06724; reference
implementation: ``face_landmarker`` of MediaPipe Tasks.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.align import similarity_transform
from mien.models import ModelCard, ModelStore, Session
from mien.types import RGB, Face, Faces

__all__ = ["FaceMesh", "MediaPipe478"]

SIDE = 256
BOX_SCALE = 1.5  # of a detector's box, as face_landmarker_graph does it
Floats = NDArray[np.float32]

# Where the five points lie in the square that MediaPipe's tracker cuts around its own mesh, as a
# share of its side: medians over 130 faces of LFW, of the mesh's points and of YuNet's, averaged
# and made symmetric.
TEMPLATE = np.array(
    [[0.376, 0.373], [0.624, 0.373], [0.5, 0.5075], [0.391, 0.631], [0.609, 0.631]], np.float32
)
# Of these parts of the mesh the mean lies closest to what detectors are trained to point at
# (least distance to YuNet's points on the same faces).
EYES = ((33, 133, 159, 145), (362, 263, 386, 374))  # corners and lids
NOSE = (1, 4)  # tip, and the bridge's end above it
MOUTH = (61, 291)


@dataclass(frozen=True, slots=True, eq=False)
class FaceMesh:
    """The points of n faces.

    Attributes:
        points: ``(n, 478, 3)`` float32: x and y pixels of the photo; z in the same unit, towards
            the camera negative, 0 at the middle of the head. 0 to 467 are the mesh, 468 to 472
            the iris of the image-left eye (its centre first), 473 to 477 of the image-right one.
            "Image-left" holds for an upright face that looks at the camera.
        presence: ``(n,)`` float32: how sure the net is that it looks at a face, 0..1.
    """

    points: Floats
    presence: Floats

    def __len__(self) -> int:
        return len(self.presence)

    @property
    def points5(self) -> Floats:
        """``(n, 5, 2)`` pixels: eyes, nose tip, mouth corners, image-left first."""
        plane = self.points[..., :2]
        parts = [plane[:, part].mean(axis=1) for part in (*EYES, NOSE)]
        return np.stack([*parts, *plane[:, MOUTH].swapaxes(0, 1)], axis=1)


class MediaPipe478:
    """A :class:`~mien.landmarks.LandmarkModel` for 478 points.

    Args:
        card: the model's card.
        session: input ``(1, 3, 256, 256)`` RGB 0..1; outputs: 478 x 3 numbers in pixels of that
            square, then the presence as log-odds.

    Example:
        >>> net = MediaPipe478(card, session)        # doctest: +SKIP
        >>> net.mesh(image, faces).points.shape      # doctest: +SKIP
        (1, 478, 3)
    """

    def __init__(self, card: ModelCard, session: Session) -> None:
        self.name = card.name
        self._session = session
        self._input = session.input_names[0]

    @classmethod
    def load(cls, card: ModelCard, models: ModelStore) -> MediaPipe478:
        """Fetch the weights, if need be, and open them."""
        return cls(card, models.open(card, streams=models.settings.thread_budget))

    def points(self, image: RGB, faces: Faces) -> Floats:
        """``(n, 478, 3)``; see :class:`FaceMesh`."""
        return self.mesh(image, faces).points

    def points5(self, image: RGB, faces: Faces) -> Floats:
        """Five points of each face; see :class:`~mien.landmarks.LandmarkModel`."""
        return self.mesh(image, faces).points5

    def mesh(self, image: RGB, faces: Faces) -> FaceMesh:
        """All points of each face, in the order of ``faces``.

        A face that has landmarks is looked at once, turned upright by them; one that has only a
        box is looked at twice, the second time by what the first look found.
        """
        found = [self._face(image, face) for face in faces]
        points = np.array([one[0] for one in found], np.float32).reshape(-1, 478, 3)
        return FaceMesh(points, np.array([one[1] for one in found], np.float32))

    def _face(self, image: RGB, face: Face) -> tuple[Floats, float]:
        landmarks = face.landmarks
        if landmarks is None:
            points, _ = self._look(image, _square(face))
            landmarks = FaceMesh(points[None], np.ones(1, np.float32)).points5[0]
        return self._look(image, similarity_transform(landmarks, TEMPLATE * SIDE))

    def _look(self, image: RGB, matrix: NDArray[np.float64]) -> tuple[Floats, float]:
        """Points ``(478, 3)`` in pixels of ``image``, and the presence.

        Args:
            image: the photo.
            matrix: ``(2, 3)``, from its pixels to those of the net's square.
        """
        crop = cv2.warpAffine(image, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
        blob = np.ascontiguousarray(crop.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
        outputs = self._session.run({self._input: blob})
        first, second = (outputs[name].ravel() for name in self._session.output_names[:2])
        points = first.reshape(478, 3).astype(np.float64)
        inverse = cv2.invertAffineTransform(matrix)
        points[:, :2] = points[:, :2] @ inverse[:, :2].T + inverse[:, 2]
        points[:, 2] *= np.hypot(*inverse[:, 0])
        return points.astype(np.float32), float(1 / (1 + np.exp(-second[0])))


def _square(face: Face) -> NDArray[np.float64]:
    """From pixels to the net's square, by the box alone: the face is taken to be upright."""
    box = face.box
    scale = SIDE / (BOX_SCALE * max(box.width, box.height))
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    return np.array([[scale, 0, SIDE / 2 - scale * x], [0, scale, SIDE / 2 - scale * y]])
