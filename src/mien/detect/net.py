"""What detectors with one net have in common: they are loaded alike, and take photo by photo."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mien.detect.suppression import keep_best
from mien.models import ModelCard, ModelStore, Session
from mien.types import RGB, Faces

__all__ = ["Floats", "NetDetector"]

Floats = NDArray[np.float32]


class NetDetector(ABC):
    """A :class:`~mien.detect.Detector` with one net; a subclass says what the net takes and gives.

    Args:
        card: the model's card.
        session: the net.
        min_score: faces below are dropped, 0..1; None: the detector's own.
        overlap: intersection over union above which the weaker of two boxes is dropped; None: the
            detector's own.
    """

    MIN_SCORE: ClassVar[float]
    OVERLAP: ClassVar[float]

    def __init__(
        self,
        card: ModelCard,
        session: Session,
        *,
        min_score: float | None = None,
        overlap: float | None = None,
    ) -> None:
        self.name = card.name
        self._session = session
        self._input = session.input_names[0]
        self._min_score = self.MIN_SCORE if min_score is None else min_score
        self._overlap = self.OVERLAP if overlap is None else overlap

    @classmethod
    def load(cls, card: ModelCard, models: ModelStore) -> Self:
        """Fetch the weights, if need be, and open them."""
        return cls(card, models.open(card, streams=models.settings.thread_budget))

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        """The faces of each image."""
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image: RGB) -> Faces:
        score, box, points = self._candidates(image)
        keep = keep_best(box, score, overlap=self._overlap)
        kept = None if points is None else points[keep]
        size_hw = (image.shape[0], image.shape[1])
        return Faces.ordered(box[keep], score[keep], kept, size_hw=size_hw)

    @abstractmethod
    def _candidates(self, image: RGB) -> tuple[Floats, Floats, Floats | None]:
        """Scores ``(n,)``, boxes ``(n, 4)`` and landmarks ``(n, 5, 2)``, or None, in pixels."""
