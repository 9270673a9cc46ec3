"""SCRFD: an anchor-free single-shot face detector with five landmarks.

Source: Guo, Deng, Lattas and Zafeiriou, "Sample and Computation Redistribution for Efficient Face
Detection", ICLR 2022, https://arxiv.org/abs/2105.04714; reference implementation: ``SCRFD`` of
InsightFace, whose colours and scale (red first, ``(x - 127.5) / 128``) are used here. UniFace feeds
the same files blue first; they were trained red first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.detect.blob import padded_blob
from mien.detect.multiscale import MultiScaleOptions
from mien.detect.net import Floats, NetDetector
from mien.types import RGB

__all__ = ["Scrfd"]

STRIDES = (8, 16, 32)
MULTIPLE = 32
MIDDLE, SCALE = 127.5, 1 / 128


class Scrfd(NetDetector):
    """Finds faces in an image, at the image's own scale.

    Args:
        card: the model's card.
        session: input ``(1, 3, H, W)`` RGB, H and W multiples of 32; nine outputs, in this order:
            scores ``(n, 1)`` of the strides 8, 16 and 32, then distances from the cell's corner to
            the four edges ``(n, 4)``, then offsets of five points ``(n, 10)``, both in cells. Two
            candidates a cell, cell by cell, row by row; an axis for the batch may come first.
        min_score, overlap: see :class:`~mien.detect.net.NetDetector`.
    """

    scales = MultiScaleOptions(weak_score=0.6)
    MIN_SCORE = 0.5
    OVERLAP = 0.4

    def _candidates(self, image: RGB) -> tuple[Floats, Floats, Floats]:
        black = -MIDDLE * SCALE
        blob = padded_blob(
            image, multiple=MULTIPLE, colour="rgb", mean=(MIDDLE,) * 3, scale=SCALE, border=black
        )
        outputs = self._session.run({self._input: blob})
        in_order = [outputs[name] for name in self._session.output_names]
        parts = [
            self._decode(in_order[level::3], stride, blob.shape[3] // stride)
            for level, stride in enumerate(STRIDES)
        ]
        score, box, points = (np.concatenate(part) for part in zip(*parts, strict=True))
        return score, box, points

    def _decode(
        self, outputs: Sequence[Floats], stride: int, columns: int
    ) -> tuple[Floats, Floats, Floats]:
        """What one level says of the cells that reach the least score."""
        score = outputs[0].reshape(-1)
        index = np.flatnonzero(score >= self._min_score)
        cell = index // 2
        corner = np.column_stack([cell % columns, cell // columns]).astype(np.float32) * stride
        edges = outputs[1].reshape(-1, 4)[index] * stride
        offset = outputs[2].reshape(-1, 5, 2)[index] * stride
        box = np.hstack([corner - edges[:, :2], corner + edges[:, 2:]])
        return score[index], box, corner[:, None] + offset
