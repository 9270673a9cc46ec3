"""Embedder: aligned crops in, templates out."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mien.types import EmbeddingContract, Embeddings, Metric

__all__ = ["Embedder"]


@runtime_checkable
class Embedder(Protocol):
    """Turns aligned faces into templates. Safe to call from several threads at once.

    Attributes:
        name: card name.
        contract: what its embeddings may be compared with.
        template: ``(5, 2)`` float32, where the five landmarks lie in a crop.
        size_hw: height and width of a crop, pixels.
        metric: the model's own metric.
    """

    name: str
    contract: EmbeddingContract
    template: NDArray[np.float32]
    size_hw: tuple[int, int]
    metric: Metric

    def embed(self, crops: NDArray[np.uint8]) -> Embeddings:
        """Templates of ``crops``: RGB ``uint8``, ``(n, H, W, 3)`` with H, W = ``size_hw``."""
        ...
