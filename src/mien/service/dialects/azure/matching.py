"""What a score has to pass, and scores of templates that are at hand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.engine import Engine
from mien.match import metrics
from mien.match.decision import Decision, for_identification
from mien.types import Embeddings

__all__ = ["SAME", "anybody", "confidences", "decision_at"]

SAME = 0.5
"""Confidence from which two faces are one person's: a false-match rate of 1 in 1000."""


def decision_at(engine: Engine, threshold: float | None, *, size: int) -> Decision:
    """Who passes: at the client's confidence, or at the 1:N operating point of ``size`` faces."""
    if threshold is not None:
        return Decision("confidence", threshold, None, extrapolated=False)
    return for_identification(engine.calibration, gallery_size=size)


def anybody() -> Decision:
    """Everybody passes; the order is that of confidence."""
    return Decision("confidence", 0.0, None, extrapolated=False)


def confidences(engine: Engine, probe: Embeddings, others: Embeddings) -> NDArray[np.float64]:
    """Confidence that one probe and each of n faces are one person's, ``(n,)``."""
    alike = metrics.similarity(probe.vector, others.vector, engine.embedder.metric)[0]
    if engine.calibration is None:
        return np.asarray(np.clip(alike, 0, 1), np.float64)
    return engine.calibration.confidence(alike, probe.norm[0], others.norm)
