"""YuNet: an anchor-free face detector of 75,856 parameters with five landmarks.

Source: Wu, Peng, Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence
Research 20, 2023; reference implementation: OpenCV's ``FaceDetectorYN`` (objdetect).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.detect.suppression import keep_best
from mien.models import ModelCard, ModelStore, Session
from mien.types import RGB, Faces

__all__ = ["YuNet"]

STRIDES = (8, 16, 32)
MULTIPLE = 32

Floats = NDArray[np.float32]


class YuNet:
    """Finds faces of about 10 to 300 pixels in an image, at the image's own scale.

    Args:
        card: the model's card.
        session: input ``(1, 3, H, W)`` BGR 0..255, H and W multiples of 32.
        min_score: faces below are dropped, 0..1.
        overlap: intersection over union above which the weaker of two boxes is dropped.

    Example:
        >>> detector = YuNet(card, session)        # doctest: +SKIP
        >>> faces, = detector.detect([image])      # doctest: +SKIP
    """

    def __init__(
        self, card: ModelCard, session: Session, *, min_score: float = 0.6, overlap: float = 0.3
    ) -> None:
        self.name = card.name
        self._session = session
        self._input = session.input_names[0]
        self._min_score = min_score
        self._overlap = overlap

    @classmethod
    def load(cls, card: ModelCard, models: ModelStore) -> YuNet:
        """Fetch the weights, if need be, and open them."""
        return cls(card, models.open(card, streams=models.settings.thread_budget))

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        """The faces of each image."""
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image: RGB) -> Faces:
        height, width = image.shape[:2]
        rows, columns = -(-height // MULTIPLE) * MULTIPLE, -(-width // MULTIPLE) * MULTIPLE
        padded = np.zeros if (rows, columns) != (height, width) else np.empty
        blob = padded((1, 3, rows, columns), np.float32)
        for channel, plane in enumerate(reversed(cv2.split(image))):  # RGB to BGR
            blob[0, channel, :height, :width] = plane
        outputs = self._session.run({self._input: blob})
        score, box, points = self._decode(outputs, columns // 8)
        keep = keep_best(box, score, overlap=self._overlap)
        return Faces.ordered(box[keep], score[keep], points[keep], size_hw=(height, width))

    def _decode(
        self, outputs: Mapping[str, Floats], columns_8: int
    ) -> tuple[Floats, Floats, Floats]:
        """Cell (column c, row r) at stride s holds a face centred at ((c+dx)s, (r+dy)s)."""
        scores, boxes, landmarks = [], [], []
        for stride in STRIDES:
            columns = columns_8 * 8 // stride
            cls = outputs[f"cls_{stride}"].ravel().clip(0, 1)
            obj = outputs[f"obj_{stride}"].ravel().clip(0, 1)
            score = np.sqrt(cls * obj)
            index = np.flatnonzero(score >= self._min_score)
            cell = np.column_stack([index % columns, index // columns]).astype(np.float32)
            shape = outputs[f"bbox_{stride}"].reshape(-1, 4)[index]
            points = outputs[f"kps_{stride}"].reshape(-1, 5, 2)[index]
            centre = (cell + shape[:, :2]) * stride
            half = np.exp(shape[:, 2:]) * stride / 2
            scores.append(score[index])
            boxes.append(np.hstack([centre - half, centre + half]))
            landmarks.append((cell[:, None, :] + points) * stride)
        return np.concatenate(scores), np.concatenate(boxes), np.concatenate(landmarks)
