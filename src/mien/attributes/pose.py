"""Pose: which way a face looks, from the 478 points of its mesh (see mien.landmarks.pose)."""

from __future__ import annotations

from mien.analysis import Pose
from mien.attributes.protocol import FaceView
from mien.landmarks.mediapipe478 import MediaPipe478
from mien.landmarks.pose import head_pose
from mien.models import ModelStore
from mien.types import Faces

__all__ = ["HeadPose"]


class HeadPose:
    """Yaw, pitch and roll.

    Args:
        landmarks: gives the mesh.
    """

    name = "pose"

    def __init__(self, landmarks: MediaPipe478) -> None:
        self._landmarks = landmarks

    @classmethod
    def load(cls, models: ModelStore) -> HeadPose:
        """Fetch the landmark model's weights, if need be, and open them."""
        card = models.card("mediapipe478", "landmarks")
        return cls(MediaPipe478.load(card, models))

    def measure(self, view: FaceView) -> Pose:
        """Degrees; the signs are those of :func:`mien.landmarks.pose.head_pose`."""
        mesh = self._landmarks.mesh(view.image, Faces.of([view.face]))
        yaw, pitch, roll = (float(angle) for angle in head_pose(mesh)[0])
        return Pose(yaw, pitch, roll)
