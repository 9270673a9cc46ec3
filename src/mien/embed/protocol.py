"""Embedder: aligned crops in, templates out."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mien.types import RGB, EmbeddingContract, Embeddings, Face, Metric

__all__ = ["Embedder"]


@runtime_checkable
class Embedder(Protocol):
    """Turns aligned faces into templates. Safe to call from several threads at once.

    Attributes:
        name: card name.
        contract: what its embeddings may be compared with.
        size_hw: height and width of a crop, pixels.
        metric: the model's own metric.
    """

    name: str
    contract: EmbeddingContract
    size_hw: tuple[int, int]
    metric: Metric

    def crop(self, image: RGB, face: Face) -> NDArray[np.uint8]:
        """The part of ``image`` that the net wants: RGB ``uint8`` ``(H, W, 3)``, aligned.

        Raises:
            InvalidArgument: the face has no landmarks, or they coincide, where the net needs them.
        """
        ...

    def embed(self, crops: NDArray[np.uint8]) -> Embeddings:
        """Templates of ``crops``: RGB ``uint8``, ``(n, H, W, 3)`` with H, W = ``size_hw``."""
        ...
