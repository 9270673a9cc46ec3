"""Loaded: the models that an engine has been given, or has loaded by name."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence

from mien.attributes import Attribute
from mien.attributes import create as create_attribute
from mien.attributes.face_mesh import MeshReader
from mien.detect import Detector
from mien.detect.registry import create as create_detector
from mien.embed import Embedder
from mien.embed.registry import create as create_embedder
from mien.embed.registry import names as embedder_names
from mien.landmarks import LandmarkModel
from mien.landmarks import create as create_landmarks
from mien.liveness import PassiveLiveness
from mien.match.calibration import Calibration
from mien.models import ModelStore

__all__ = ["Loaded"]


class Loaded:
    """Models by the part that they play, each loaded when it is first asked for.

    Args:
        detector, embedder: a card's name, or an object of the protocol.
        models: where models come from.
        calibration: None: the embedder card's own.
        attributes: used instead of those registered under their names.
        liveness: used instead of the registered nets.
        mesh: used instead of MediaPipe's nets where a sequence of frames is watched.
    """

    def __init__(
        self,
        *,
        detector: str | Detector,
        embedder: str | Embedder,
        models: ModelStore,
        calibration: Calibration | None = None,
        attributes: Sequence[Attribute] = (),
        liveness: PassiveLiveness | None = None,
        mesh: MeshReader | None = None,
    ) -> None:
        self._models = models
        self._given_mesh = self._mesh = mesh
        self._given_liveness = self._liveness = liveness
        self._given = (detector, embedder, tuple(attributes))
        self._detector = detector
        self._embedder = embedder
        self._calibration = calibration
        self._attributes = {one.name: one for one in attributes}
        self._landmarks: dict[str, LandmarkModel] = {}
        self._lock = threading.RLock()

    @property
    def detector(self) -> Detector:
        """The detector."""
        with self._lock:
            chosen = self._detector
            if isinstance(chosen, str):
                chosen = self._detector = create_detector(chosen, self._models)
            return chosen

    @property
    def embedder(self) -> Embedder:
        """The recognition model."""
        with self._lock:
            chosen = self._embedder
            if isinstance(chosen, str):
                chosen = self._embedder = create_embedder(chosen, self._models)
            return chosen

    @property
    def embedder_name(self) -> str:
        """Card name of the recognition model, which need not be loaded."""
        chosen = self._embedder
        return chosen if isinstance(chosen, str) else chosen.name

    def with_embedder(self, embedder: Embedder) -> Loaded:
        """The same models, but for the recognition model and its calibration."""
        _ = self.detector  # loaded once, for both
        other = copy.copy(self)
        detector, _, attributes = self._given
        other._given = (detector, embedder, attributes)
        other._embedder, other._calibration = embedder, None
        return other

    @property
    def calibration(self) -> Calibration | None:
        """How the recognition model's similarities become confidences; None: not calibrated."""
        with self._lock:
            if self._calibration is None:
                chosen = self._embedder
                name = chosen if isinstance(chosen, str) else chosen.name
                if isinstance(chosen, str) or name in embedder_names():
                    self._calibration = Calibration.from_card(self._models.card(name, "embed"))
            return self._calibration

    def attribute(self, name: str) -> Attribute:
        """An attribute's model; raises what :meth:`mien.Engine.attribute` does."""
        with self._lock:
            if name not in self._attributes:
                self._attributes[name] = create_attribute(name, self._models)
            return self._attributes[name]

    @property
    def liveness(self) -> PassiveLiveness:
        """The liveness check; raises what :meth:`mien.Engine.check_liveness` does."""
        with self._lock:
            if self._liveness is None:
                self._liveness = PassiveLiveness.load(self._models)
            return self._liveness

    @property
    def mesh_reader(self) -> MeshReader:
        """The mesh and the movements of faces; raises what :meth:`mien.Engine.landmarks` does."""
        with self._lock:
            if self._mesh is None:
                self._mesh = MeshReader.load(self._models)
            return self._mesh

    def landmark_model(self, name: str) -> LandmarkModel:
        """A landmark model; raises what :meth:`mien.Engine.landmarks` does."""
        with self._lock:
            if name not in self._landmarks:
                self._landmarks[name] = create_landmarks(name, self._models)
            return self._landmarks[name]

    def release(self) -> None:
        """Forget what was loaded by name; what was given stays."""
        with self._lock:
            self._detector, self._embedder, attributes = self._given
            self._attributes = {one.name: one for one in attributes}
            self._landmarks = {}
            self._liveness = self._given_liveness
            self._mesh = self._given_mesh
