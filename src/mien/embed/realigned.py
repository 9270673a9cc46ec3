"""Faces that a detector is unsure of, aligned by MediaPipe's face mesh instead of its own points.

A detector's five points shift where it cannot see the mouth: behind a mask, a hand, a scarf. The
mesh, which knows how the parts of a face lie to one another, is shifted less. What this gives
and costs: docs/reference/evaluation.md, SFace.
"""

from __future__ import annotations

import dataclasses
import threading
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mien.embed.aligned import AlignedNet
from mien.landmarks import create as create_landmarks
from mien.models import ModelCard, ModelStore
from mien.types import RGB, Embeddings, Face, Faces

__all__ = ["MESH", "UNSURE", "LazyLandmarks", "Points5", "Realigned", "mesh_landmarks"]

MESH = "mediapipe478"
"""The landmark model."""

UNSURE = 0.91
"""Detection scores below are a reason to look again, in YuNet's scale: 4.5 % of LFW's photos, 62 %
of MFR2's, most of which are masked. Detectors that are surer of themselves are checked less."""

FARTHEST = 0.2
"""Of the box's side: points that moved farther on average are not those of the same face. On LFW
and MFR2 the mean move is .04, the largest .145."""


class Points5(Protocol):
    """The part of a :class:`~mien.landmarks.LandmarkModel` that alignment asks."""

    def points5(self, image: RGB, faces: Faces) -> NDArray[np.float32]:
        """Five points of each face, ``(n, 5, 2)``."""
        ...


class LazyLandmarks:
    """A landmark model that is fetched now and opened when it is first asked.

    Fetched now, so that a machine without a network fails at the start and not at the first
    masked face; opened later, because most photos never need it.

    Raises:
        ModelError: its weights cannot be had.
    """

    def __init__(self, name: str, models: ModelStore) -> None:
        self.name = name
        self._models = models
        self._model: Points5 | None = None
        self._lock = threading.Lock()
        models.pull([models.card(name, "landmarks")])

    def points5(self, image: RGB, faces: Faces) -> NDArray[np.float32]:
        """See :class:`mien.landmarks.LandmarkModel`."""
        with self._lock:
            if self._model is None:
                self._model = create_landmarks(self.name, self._models)
        return self._model.points5(image, faces)


def mesh_landmarks(image: RGB, face: Face, model: Points5) -> Face:
    """``face`` with the landmark model's five points, or as it is where those are lost.

    Args:
        image: the photo.
        face: in its pixels.
        model: what finds the points.
    """
    box = np.array([[face.box.x0, face.box.y0, face.box.x1, face.box.y1]], np.float32)
    score = np.array([face.score], np.float32)
    own = face.landmarks
    points = model.points5(image, Faces(box, score, None if own is None else own[None]))[0]
    if not np.isfinite(points).all():
        return face
    if own is not None:
        moved = float(np.linalg.norm(points - own, axis=1).mean())
        if moved > FARTHEST * np.sqrt(face.box.area):
            return face
    return dataclasses.replace(face, landmarks=points)


class Realigned:
    """An :class:`~mien.embed.Embedder`: a net whose hard faces are aligned by a landmark model.

    Args:
        net: the recognition model; its contract is this one's.
        landmarks: finds the points of hard faces.
        below: faces that the detector gave a score below this are hard.
    """

    def __init__(self, net: AlignedNet, landmarks: Points5, *, below: float = UNSURE) -> None:
        self.name = net.name
        self.contract = net.contract
        self.size_hw = net.size_hw
        self.metric = net.metric
        self._net = net
        self._landmarks = landmarks
        self._below = below

    @classmethod
    def load(cls, card: ModelCard, models: ModelStore) -> Realigned:
        """Fetch the weights of both, if need be, and open the net."""
        return cls(AlignedNet.load(card, models), LazyLandmarks(MESH, models))

    def crop(self, image: RGB, face: Face) -> NDArray[np.uint8]:
        """The face brought to the net's template; see :meth:`AlignedNet.crop`.

        Raises:
            InvalidArgument: the face has no landmarks, or they coincide.
        """
        if face.landmarks is not None and face.score < self._below:
            face = mesh_landmarks(image, face, self._landmarks)
        return self._net.crop(image, face)

    def embed(self, crops: NDArray[np.uint8]) -> Embeddings:
        """See :meth:`AlignedNet.embed`."""
        return self._net.embed(crops)

    def forward(self, inputs: NDArray[np.float32]) -> Embeddings:
        """See :meth:`AlignedNet.forward`."""
        return self._net.forward(inputs)
