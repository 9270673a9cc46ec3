"""Landmarks as an attribute: the 478 points of a face, and Azure's 27 names for some of them."""

from __future__ import annotations

import numpy as np

from mien.attributes.face_mesh import MeshReader
from mien.attributes.protocol import FaceView
from mien.landmarks.named import FaceLandmarks
from mien.models import ModelStore

__all__ = ["LandmarkPoints"]


class LandmarkPoints:
    """The mesh of a face in the photo's own pixels.

    Args:
        reader: gives the mesh.
    """

    name = "landmarks"

    def __init__(self, reader: MeshReader) -> None:
        self._reader = reader

    @classmethod
    def load(cls, models: ModelStore) -> LandmarkPoints:
        """Fetch the landmark model's weights, if need be, and open them."""
        return cls(MeshReader.load(models))

    def measure(self, view: FaceView) -> FaceLandmarks:
        """478 points; :meth:`mien.landmarks.named.FaceLandmarks.named` gives 27 of them names."""
        points = self._reader.mesh(view).points[0] / np.float32(view.scale)
        return FaceLandmarks("mediapipe478", points)
