"""RetinaFace: an anchor-based single-shot face detector with five landmarks.

Source: Deng, Guo, Ververas, Kotsia and Zafeiriou, "RetinaFace: Single-Shot Multi-Level Face
Localisation in the Wild", CVPR 2020, https://arxiv.org/abs/1905.00641; reference implementation:
https://github.com/yakhyo/retinaface-pytorch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.detect.blob import padded_blob
from mien.detect.multiscale import MultiScaleOptions
from mien.detect.net import Floats, NetDetector
from mien.types import RGB

__all__ = ["RetinaFace", "anchors"]

MEAN_BGR = (104.0, 117.0, 123.0)
MULTIPLE = 32
SIDES = {8: (16, 32), 16: (64, 128), 32: (256, 512)}
"""Sides of the square anchors by stride, pixels."""
CENTRE_VARIANCE, SIZE_VARIANCE = np.float32(0.1), np.float32(0.2)


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


class RetinaFace(NetDetector):
    """Finds faces of about 8 to 600 pixels in an image, at the image's own scale.

    Args:
        card: the model's card.
        session: input ``(1, 3, H, W)`` BGR less :data:`MEAN_BGR`; outputs, in this order, boxes
            (1, n, 4), scores (1, n, 2) and landmarks (1, n, 10) for the n :func:`anchors`.
        min_score, overlap: see :class:`~mien.detect.net.NetDetector`.
    """

    scales = MultiScaleOptions()
    MIN_SCORE = 0.7
    OVERLAP = 0.4

    def _candidates(self, image: RGB) -> tuple[Floats, Floats, Floats]:
        blob = padded_blob(image, multiple=MULTIPLE, colour="bgr", mean=MEAN_BGR)
        outputs = self._session.run({self._input: blob})
        in_order = [outputs[name] for name in self._session.output_names]
        return self._decode(in_order, anchors(*blob.shape[2:]))

    def _decode(self, outputs: Sequence[Floats], anchor: Floats) -> tuple[Floats, Floats, Floats]:
        """Centres and points move by 0.1 ``output`` anchor sides; sizes grow by e^(0.2 output)."""
        boxes, scores, landmarks = outputs
        score = scores[0, :, 1]
        index = np.flatnonzero(score >= self._min_score)
        at, side = anchor[index, :2], anchor[index, 2:]
        shape = boxes[0, index]
        centre = at + shape[:, :2] * CENTRE_VARIANCE * side
        half = np.exp(shape[:, 2:] * SIZE_VARIANCE) * side / 2
        offset = landmarks[0, index].reshape(-1, 5, 2)
        points = at[:, None] + offset * CENTRE_VARIANCE * side[:, None]
        return score[index], np.hstack([centre - half, centre + half]), points
