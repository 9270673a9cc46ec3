"""YOLOv8-face: Ultralytics' YOLOv8 with a pose head, trained on faces, with five landmarks.

Source: https://github.com/derronqi/yolov8-face and its ONNX export without the decoding,
https://github.com/yakhyo/yolov8-face-onnx-inference; edges as distributions after Li et al.,
"Generalized Focal Loss", NeurIPS 2020, https://arxiv.org/abs/2006.04388. Reference implementation
of the decoding: ``YOLOv8Face`` of UniFace.
"""

from __future__ import annotations

import cv2
import numpy as np

from mien.detect.multiscale import MultiScaleOptions
from mien.detect.net import Floats, NetDetector
from mien.types import RGB

__all__ = ["YoloV8Face"]

SIDE = 640  # the exported net takes no other
GREY = np.float32(114 / 255)  # border of the images that it was trained on
BINS = 16


class YoloV8Face(NetDetector):
    """Finds faces of about 16 pixels and more in an image, which is made to fit 640 x 640.

    Args:
        card: the model's card.
        session: input ``(1, 3, 640, 640)`` RGB 0..1; an output ``(1, 80, h, w)`` for each of the
            strides 8, 16, 32: logits of the distances from the cell's middle to the four edges, 16
            bins of a cell each; the logit of a face; and five points (x, y, visibility) in half
            cells from the cell's corner.
        min_score, overlap: see :class:`~mien.detect.net.NetDetector`.
    """

    scales = MultiScaleOptions(fine_above=1_000_000, weak_score=0.5)  # it is never shown more
    MIN_SCORE = 0.5
    OVERLAP = 0.45

    def _candidates(self, image: RGB) -> tuple[Floats, Floats, Floats]:
        blob, scale, corner = _fitted(image)
        outputs = self._session.run({self._input: blob}).values()
        parts = [self._decode(output[0], SIDE // output.shape[2]) for output in outputs]
        score, box, points = (np.concatenate(part) for part in zip(*parts, strict=True))
        box -= np.concatenate([corner, corner])
        points -= corner
        box /= scale
        points /= scale
        return score, box, points

    def _decode(self, output: Floats, stride: int) -> tuple[Floats, Floats, Floats]:
        """What one level ``(80, h, w)`` says of the cells that reach the least score."""
        score = 1 / (1 + np.exp(-output[4 * BINS].clip(-80, 80)))
        row, column = np.nonzero(score >= self._min_score)
        found = output[:, row, column].T
        logit = found[:, : 4 * BINS].reshape(-1, 4, BINS)
        weight = np.exp(logit - logit.max(axis=2, keepdims=True, initial=-np.inf))
        bins = np.arange(BINS, dtype=np.float32)
        edges = weight @ bins / weight.sum(axis=2)
        cell = np.column_stack([column, row]).astype(np.float32)
        middle = cell + np.float32(0.5)
        box = np.hstack([middle - edges[:, :2], middle + edges[:, 2:]]) * stride
        offset = found[:, 4 * BINS + 1 :].reshape(-1, 5, 3)[:, :, :2]
        return score[row, column], box, (cell[:, None] + offset * 2) * stride


def _fitted(image: RGB) -> tuple[Floats, float, Floats]:
    """The net's input, by how much the image was scaled for it, and where it begins in it (x, y).

    Larger images are made smaller; smaller ones stay as they are, since
    :class:`~mien.detect.MultiScale` enlarges them where that helps.
    """
    height, width = image.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    rows, columns = max(1, int(height * scale)), max(1, int(width * scale))
    fitted = image
    if scale < 1:
        fitted = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    top, left = (SIDE - rows) // 2, (SIDE - columns) // 2
    blob = np.full((1, 3, SIDE, SIDE), GREY, np.float32)
    inside = blob[0, :, top : top + rows, left : left + columns]
    np.divide(fitted.transpose(2, 0, 1), np.float32(255), out=inside)
    return blob, scale, np.array([left, top], np.float32)
