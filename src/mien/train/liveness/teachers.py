"""The teachers: what both MiniFASNets say of crops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.liveness.minifasnet import LIVE
from mien.models import ModelStore
from mien.train.liveness.crops import CropSet

__all__ = ["TEACHERS", "live_score", "softmax", "teach"]

TEACHERS = ("minifasnet-v2", "minifasnet-v1se")
"""In the order of the crops: 2.7 and 4 times the face."""

BATCH = 32

Logits = NDArray[np.float32]


def teach(crops: CropSet, models: ModelStore, to: Path | None = None) -> Logits:
    """The logits of both nets, ``(n, 2 nets, 3)``.

    Args:
        crops: what they are shown.
        models: where they come from.
        to: file to keep the answer in, and to take it from the next time.
    """
    if to is not None and to.is_file():
        kept: Logits = np.load(to)
        if len(kept) == len(crops):
            return kept
    answers = np.empty((len(crops), 2, 3), np.float32)
    for which, name in enumerate(TEACHERS):
        net = models.open(models.card(name, "liveness"))
        for first in range(0, len(crops), BATCH):
            part = slice(first, first + BATCH)
            image = crops.pixels[part, which, :, :, ::-1].transpose(0, 3, 1, 2).astype(np.float32)
            answers[part, which] = net.run({"image": np.ascontiguousarray(image)})["logit"]
    if to is not None:
        np.save(to, answers)
    return answers


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Over the last axis."""
    risen = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(risen / risen.sum(axis=-1, keepdims=True))


def live_score(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """The mean of both nets' belief in a live face: ``(..., 2, 3)`` in, ``(...)`` out."""
    return np.asarray(softmax(logits)[..., LIVE].mean(axis=-1))
