"""SSD with a ResNet-10 backbone: OpenCV's face detector of 300 x 300 pixels, boxes only.

Source: Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016,
https://arxiv.org/abs/1512.02325; reference implementation: OpenCV's ``samples/dnn/face_detector``
with ``cv2.dnn``. That sample's ``.prototxt`` pads the two last maps, which the trained net does not
(5 x 5 and 5 x 5 cells instead of 3 x 3 and 1); here the trained net is run.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from mien.detect.blob import padded_blob
from mien.detect.net import Floats, NetDetector
from mien.types import RGB

__all__ = ["Ssd"]

SIDE = 300
MEAN_BGR = (104.0, 117.0, 123.0)


class Ssd(NetDetector):
    """Finds faces that are at least about a fifteenth of an image, which is squeezed into a square.

    Args:
        card: the model's card.
        session: input ``(1, 3, 300, 300)`` BGR less :data:`MEAN_BGR`; outputs ``loc`` (1, p, 4),
            ``conf`` (1, p, 2) and ``prior`` (2, p, 4) (see :mod:`mien.models.convert.caffe`).
        min_score, overlap: see :class:`~mien.detect.net.NetDetector`.
    """

    scales = None  # the square is all that it sees of an image, whatever its size
    MIN_SCORE = 0.5
    OVERLAP = 0.45

    def _candidates(self, image: RGB) -> tuple[Floats, Floats, None]:
        height, width = image.shape[:2]
        square: RGB = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
        blob = padded_blob(square, multiple=1, colour="bgr", mean=MEAN_BGR)
        score, box = self._decode(self._session.run({self._input: blob}))
        return score, box * np.array([width, height, width, height], np.float32), None

    def _decode(self, outputs: Mapping[str, Floats]) -> tuple[Floats, Floats]:
        """Centres move by ``loc * variance`` prior sizes; sizes grow by e^(loc * variance)."""
        score = outputs["conf"][0, :, 1]
        index = np.flatnonzero(score >= self._min_score)
        prior, variance = outputs["prior"][:, index]
        offset = outputs["loc"][0, index] * variance
        size = prior[:, 2:] - prior[:, :2]
        centre = (prior[:, :2] + prior[:, 2:]) / 2 + offset[:, :2] * size
        half = np.exp(offset[:, 2:]) * size / 2
        return score[index], np.hstack([centre - half, centre + half])
