"""Eyes open, mouth open, smile: from the mesh of a face and what its muscles do.

Each raw measure becomes a score by a logistic curve. Its middle, 0.5, is where 84 (eyes), 113
(mouth) and 104 (smile) faces of LFW, labelled by hand, divide best, and its slope is that of a
logistic regression on them (docs/reference/attributes.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.analysis import Eyes, Presence
from mien.attributes.face_mesh import MeshReader
from mien.attributes.protocol import FaceView
from mien.landmarks.mediapipe478 import FaceMesh
from mien.models import ModelStore

__all__ = ["EyesOpen", "MouthOpen", "Smile", "lip_gap"]

LIPS = ((82, 87), (13, 14), (312, 317))  # inner edges, an upper and a lower point each
OUTER_CORNERS = (33, 263)  # of the eyes


@dataclass(frozen=True, slots=True)
class _Curve:
    """``1 / (1 + exp(-slope * (raw - middle)))``."""

    middle: float
    slope: float

    def __call__(self, raw: float) -> Presence:
        score = float(1 / (1 + np.exp(-self.slope * (raw - self.middle))))
        return Presence(score >= 0.5, score)


EYE = _Curve(middle=0.453, slope=-12.9)  # of the movement eyeBlink
MOUTH = _Curve(middle=0.0736, slope=58.6)  # of the gap between the lips
SMILE = _Curve(middle=0.407, slope=9.43)  # of the movement mouthSmile


def lip_gap(mesh: FaceMesh) -> float:
    """How far the lips of the first face are apart, as a share of the eyes' outer distance."""
    points = mesh.points[0]
    gap = np.mean([np.linalg.norm(points[upper] - points[lower]) for upper, lower in LIPS])
    eyes = np.linalg.norm(points[OUTER_CORNERS[0]] - points[OUTER_CORNERS[1]])
    return float(gap / max(float(eyes), float(np.finfo(np.float32).tiny)))


class _Movement:
    """An attribute that needs the mesh."""

    def __init__(self, reader: MeshReader) -> None:
        self._reader = reader


class EyesOpen(_Movement):
    """Whether each eye is open: the iris is to be seen between the lids.

    A lid that hangs over an eye that looks down closes it; a laugh that narrows the eyes may.

    Args:
        reader: gives the movements.
    """

    name = "eyes"

    @classmethod
    def load(cls, models: ModelStore) -> EyesOpen:
        """Fetch the landmark models' weights, if need be, and open them."""
        return cls(MeshReader.load(models))

    def measure(self, view: FaceView) -> Eyes:
        """Left and right by the side of the image."""
        closed = self._reader.movements(view).eyes_closed[0]  # the subject's left and right
        return Eyes(left=EYE(float(closed[1])), right=EYE(float(closed[0])))


class MouthOpen(_Movement):
    """Whether the mouth is open: the lips are apart.

    Args:
        reader: gives the mesh.
    """

    name = "mouth"

    @classmethod
    def load(cls, models: ModelStore) -> MouthOpen:
        """Fetch the landmark models' weights, if need be, and open them."""
        return cls(MeshReader.load(models))

    def measure(self, view: FaceView) -> Presence:
        """``value``: the lips are apart."""
        return MOUTH(lip_gap(self._reader.mesh(view)))


class Smile(_Movement):
    """Whether the face smiles: both corners of the mouth go up.

    Args:
        reader: gives the movements.
    """

    name = "smile"

    @classmethod
    def load(cls, models: ModelStore) -> Smile:
        """Fetch the landmark models' weights, if need be, and open them."""
        return cls(MeshReader.load(models))

    def measure(self, view: FaceView) -> Presence:
        """``value``: it smiles."""
        return SMILE(float(self._reader.movements(view).smile[0]))
