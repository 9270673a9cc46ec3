"""RetinaFace with a ResNet-50 backbone: the detector of the field's ``retinaface`` package.

Source: Deng, Guo, Ververas, Kotsia and Zafeiriou, "RetinaFace: Single-Shot Multi-Level Face
Localisation in the Wild", CVPR 2020, https://arxiv.org/abs/1905.00641; reference implementation:
https://github.com/serengil/retinaface (``detect_faces``), after InsightFace's MXNet model.

Unlike the PyTorch models of :mod:`mien.detect.retinaface`, its anchors lie on whole pixels, a
box's corners are the middles of its outermost pixels, and nothing divides its outputs.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mien.detect.blob import padded_blob
from mien.detect.multiscale import MultiScaleOptions
from mien.detect.net import Floats, NetDetector
from mien.types import RGB

__all__ = ["RetinaFaceResNet50"]

MULTIPLE = 32
SIDES = {32: (512, 256), 16: (128, 64), 8: (32, 16)}
"""Sides of the square anchors by stride, pixels, in the order of the net's outputs."""
FIRST = np.float32(7.5)
"""Centre of the first anchors, whatever the stride."""


class RetinaFaceResNet50(NetDetector):
    """Finds faces of about 10 pixels and more in an image, at the image's own scale.

    Args:
        card: the model's card.
        session: input ``(1, 3, H, W)`` RGB 0..255, H and W multiples of 32; for each stride s,
            ``score_s`` (1, 2, h, w), ``box_s`` (1, 8, h, w) and ``points_s`` (1, 20, h, w): of
            the large anchor, then of the small one (see :mod:`mien.models.convert.retinaface`).
        min_score, overlap: see :class:`~mien.detect.net.NetDetector`.
    """

    # Clear faces score 0.99. A look at 1920 costs 6 s of CPU, at 1280 3 s.
    scales = MultiScaleOptions(fine_side=1280, weak_score=0.95)
    MIN_SCORE = 0.9
    OVERLAP = 0.4

    def _candidates(self, image: RGB) -> tuple[Floats, Floats, Floats]:
        blob = padded_blob(image, multiple=MULTIPLE, colour="rgb")
        outputs = self._session.run({self._input: blob})
        parts = [self._decode(outputs, stride) for stride in SIDES]
        score, box, points = (np.concatenate(part) for part in zip(*parts, strict=True))
        return score, box, points

    def _decode(self, outputs: Mapping[str, Floats], stride: int) -> tuple[Floats, Floats, Floats]:
        """Centres and points move by sides of the anchor; sizes grow by e^output."""
        score = outputs[f"score_{stride}"][0]
        anchor, row, column = np.nonzero(score >= self._min_score)
        side = np.array(SIDES[stride], np.float32)[anchor, None]
        centre = np.column_stack([column, row]).astype(np.float32) * stride + FIRST
        height, width = score.shape[1:]
        shape = outputs[f"box_{stride}"].reshape(2, 4, height, width)[anchor, :, row, column]
        offset = outputs[f"points_{stride}"].reshape(2, 5, 2, height, width)
        points = centre[:, None] + offset[anchor, :, :, row, column] * side[:, None]
        centre = centre + shape[:, :2] * side
        half = (np.exp(shape[:, 2:]) * side - 1) / 2
        return score[anchor, row, column], np.hstack([centre - half, centre + half]), points
