"""Pose: which way a face looks, from the 478 points of its mesh (see mien.landmarks.pose)."""

from __future__ import annotations

from mien.analysis import Pose
from mien.attributes.face_mesh import MeshReader
from mien.attributes.protocol import FaceView
from mien.landmarks.pose import head_pose
from mien.models import ModelStore

__all__ = ["HeadPose"]


class HeadPose:
    """Yaw, pitch and roll.

    Args:
        reader: gives the mesh.
    """

    name = "pose"

    def __init__(self, reader: MeshReader) -> None:
        self._reader = reader

    @classmethod
    def load(cls, models: ModelStore) -> HeadPose:
        """Fetch the landmark model's weights, if need be, and open them."""
        return cls(MeshReader.load(models))

    def measure(self, view: FaceView) -> Pose:
        """Degrees; the signs are those of :func:`mien.landmarks.pose.head_pose`."""
        mesh = self._reader.mesh(view)
        yaw, pitch, roll = (float(angle) for angle in head_pose(mesh)[0])
        return Pose(yaw, pitch, roll)
