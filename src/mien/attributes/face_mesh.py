"""The mesh and the movements of a view's face: found once, however many attributes ask."""

from __future__ import annotations

from mien.attributes.protocol import FaceView
from mien.landmarks.blendshapes import Blendshapes, Movements
from mien.landmarks.mediapipe478 import FaceMesh, MediaPipe478
from mien.models import ModelStore
from mien.types import Faces

__all__ = ["MeshReader"]


class MeshReader:
    """Gives attributes the 478 points and 52 movements of a face.

    Args:
        landmarks: finds the mesh.
        blendshapes: finds the movements.
    """

    def __init__(self, landmarks: MediaPipe478, blendshapes: Blendshapes) -> None:
        self._landmarks = landmarks
        self._blendshapes = blendshapes

    @classmethod
    def load(cls, models: ModelStore) -> MeshReader:
        """Fetch the weights of both nets, if need be, and open them."""
        mesh = models.card("mediapipe478", "landmarks")
        movements = models.card("mediapipe-blendshapes", "landmarks")
        return cls(MediaPipe478.load(mesh, models), Blendshapes.load(movements, models))

    def mesh(self, view: FaceView) -> FaceMesh:
        """The mesh of the view's one face, in the pixels of the view's image."""
        faces = Faces.of([view.face])
        return view.once("mesh", lambda: self._landmarks.mesh(view.image, faces))

    def movements(self, view: FaceView) -> Movements:
        """The movements of the view's one face."""
        return view.once("movements", lambda: self._blendshapes.of(self.mesh(view)))
