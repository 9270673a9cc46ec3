"""How alike faces are in a dialect's terms: Mien's confidence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.engine import Engine
from mien.match import metrics
from mien.types import Embeddings

__all__ = ["likeness"]


def likeness(engine: Engine, probe: Embeddings, others: Embeddings) -> NDArray[np.float64]:
    """Confidence of one face against each of the others, 0 to 1.

    Without a calibration it is the similarity, as far as that lies between 0 and 1.
    """
    if not len(others):
        return np.zeros(0)
    alike = metrics.similarity(probe.vector, others.vector, engine.embedder.metric)[0]
    found = alike.astype(np.float64)
    if engine.calibration is not None:
        found = engine.calibration.confidence(alike, probe.norm[0], others.norm)
    clipped: NDArray[np.float64] = np.clip(found, 0, 1)
    return clipped
