"""RetinaFace: an anchor-based single-shot face detector with five landmarks.

Source: Deng, Guo, Ververas, Kotsia and Zafeiriou, "RetinaFace: Single-Shot Multi-Level Face
Localisation in the Wild", CVPR 2020, https://arxiv.org/abs/1905.00641; reference implementation:
https://github.com/yakhyo/retinaface-pytorch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mien.detect.blob import padded_blob
from mien.detect.multiscale import MultiScaleOptions
from mien.detect.suppression import keep_best
from mien.models import ModelCard, ModelStore, Session
from mien.types import RGB, Faces

__all__ = ["RetinaFace", "anchors"]

MEAN_BGR = (104.0, 117.0, 123.0)
MULTIPLE = 32
SIDES = {8: (16, 32), 16: (64, 128), 32: (256, 512)}
"""Sides of the square anchors by stride, pixels."""
CENTRE_VARIANCE, SIZE_VARIANCE = np.float32(0.1), np.float32(0.2)

Floats = NDArray[np.float32]


def anchors(height: int, width: int) -> Floats:
    """``(n, 3)`` centre x, centre y and side of the anchors of an image, pixels.

    Stride by stride, row by row, cell by cell, small before large: the order of the net's outputs.
    """
    parts = []
    for stride, sides in SIDES.items():
        y, x = np.mgrid[0 : -(-height // stride), 0 : -(-width // stride)].astype(np.float32)
        centre = (np.column_stack([x.ravel(), y.ravel()]) + np.float32(0.5)) * stride
        side = np.tile(np.array(sides, np.float32), len(centre))
        parts.append(np.column_stack([np.repeat(centre, len(sides), axis=0), side]))
    return np.concatenate(parts)


class RetinaFace:
    """Finds faces of about 8 to 600 pixels in an image, at the image's own scale.

    Args:
        card: the model's card.
        session: input ``(1, 3, H, W)`` BGR less :data:`MEAN_BGR`; outputs ``loc`` (1, n, 4),
            ``conf`` (1, n, 2) and ``landmarks`` (1, n, 10) for the n :func:`anchors`.
        min_score: faces below are dropped, 0..1.
        overlap: intersection over union above which the weaker of two boxes is dropped.
    """

    scales = MultiScaleOptions()

    def __init__(
        self, card: ModelCard, session: Session, *, min_score: float = 0.7, overlap: float = 0.4
    ) -> None:
        self.name = card.name
        self._session = session
        self._input = session.input_names[0]
        self._min_score = min_score
        self._overlap = overlap

    @classmethod
    def load(cls, card: ModelCard, models: ModelStore) -> RetinaFace:
        """Fetch the weights, if need be, and open them."""
        return cls(card, models.open(card, streams=models.settings.thread_budget))

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        """The faces of each image."""
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image: RGB) -> Faces:
        blob = padded_blob(image, multiple=MULTIPLE, colour="bgr", mean=MEAN_BGR)
        outputs = self._session.run({self._input: blob})
        score, box, points = self._decode(outputs, anchors(*blob.shape[2:]))
        keep = keep_best(box, score, overlap=self._overlap)
        size_hw = (image.shape[0], image.shape[1])
        return Faces.ordered(box[keep], score[keep], points[keep], size_hw=size_hw)

    def _decode(
        self, outputs: Mapping[str, Floats], anchor: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Centres and points move by 0.1 ``output`` anchor sides; sizes grow by e^(0.2 output)."""
        score = outputs["conf"][0, :, 1]
        index = np.flatnonzero(score >= self._min_score)
        at, side = anchor[index, :2], anchor[index, 2:]
        shape = outputs["loc"][0, index]
        centre = at + shape[:, :2] * CENTRE_VARIANCE * side
        half = np.exp(shape[:, 2:] * SIZE_VARIANCE) * side / 2
        offset = outputs["landmarks"][0, index].reshape(-1, 5, 2)
        points = at[:, None] + offset * CENTRE_VARIANCE * side[:, None]
        return score[index], np.hstack([centre - half, centre + half]), points
