"""No detection: for crops that another program has cut."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.models import ModelCard, ModelStore
from mien.types import RGB, Faces

__all__ = ["WholeImage"]


class WholeImage:
    """Takes the whole image for one face with the score 1.

    Args:
        card: the detector's card.
    """

    scales = None

    def __init__(self, card: ModelCard) -> None:
        self.name = card.name

    @classmethod
    def load(cls, card: ModelCard, models: ModelStore) -> WholeImage:
        """There is nothing to load."""
        return cls(card)

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        """One face in each image; its landmarks are still to be found."""
        one = np.ones(1, np.float32)
        return [
            Faces(np.array([[0, 0, image.shape[1], image.shape[0]]], np.float32), one)
            for image in images
        ]
