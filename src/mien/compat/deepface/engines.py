"""One engine for each pair of models, shared with Mien's own one-line functions."""

from __future__ import annotations

from dataclasses import dataclass

from mien.compat.deepface.names import detector_name, recogniser_name, spelled
from mien.compat.deepface.options import Options
from mien.detect.registry import names as detector_names
from mien.embed.registry import names as embedder_names
from mien.engine import Engine, default_engine
from mien.match.calibration import Calibration
from mien.models.card import EmbedderFacts
from mien.types import Metric

__all__ = ["Backend", "backend"]


@dataclass(frozen=True, slots=True)
class Backend:
    """The models of one call.

    Attributes:
        engine: that has them.
        recogniser: the recognition model's name in Mien.
        detector: the detector's name in Mien.
        model_name, detector_backend: what the answer calls them: as the caller did, or DeepFace's
            spelling of the defaults.
    """

    engine: Engine
    recogniser: str
    detector: str
    model_name: str
    detector_backend: str

    @property
    def metric(self) -> Metric:
        """The recognition model's own metric; its weights are not needed to know it."""
        facts = self._facts
        return self.engine.embedder.metric if facts is None else facts.metric

    @property
    def dim(self) -> int:
        """Length of the recognition model's embeddings."""
        facts = self._facts
        return self.engine.embedder.contract.dim if facts is None else facts.dim

    @property
    def calibration(self) -> Calibration | None:
        """The recognition model's calibration; None where it has none."""
        return self.engine.calibration

    @property
    def _facts(self) -> EmbedderFacts | None:
        for card in self.engine.models.cards("embed"):
            if card.name == self.recogniser:
                return card.embedder
        return None


def backend(options: Options) -> Backend:
    """The models that ``options`` name; they are loaded when they are first used.

    Raises:
        UnknownModel: there is none of that name; also DeepFace's ``UnimplementedError``.
    """
    settings = default_engine().settings
    recogniser = recogniser_name(options.model_name, embedder_names(), settings.embedder)
    detector = detector_name(options.detector_backend, detector_names(), settings.detector)
    return Backend(
        default_engine(detector, recogniser),
        recogniser,
        detector,
        options.model_name or spelled(recogniser),
        options.detector_backend or detector,
    )
