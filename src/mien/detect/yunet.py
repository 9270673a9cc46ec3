"""YuNet: an anchor-free face detector of 75,856 parameters with five landmarks.

Source: Wu, Peng, Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence
Research 20, 2023; reference implementation: OpenCV's ``FaceDetectorYN`` (objdetect).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mien.detect.blob import padded_blob
from mien.detect.net import Floats, NetDetector
from mien.types import RGB

__all__ = ["YuNet"]

STRIDES = (8, 16, 32)
MULTIPLE = 32


class YuNet(NetDetector):
    """Finds faces of about 10 to 300 pixels in an image, at the image's own scale.

    Args:
        card: the model's card.
        session: input ``(1, 3, H, W)`` BGR 0..255, H and W multiples of 32.
        min_score, overlap: see :class:`~mien.detect.net.NetDetector`.

    Example:
        >>> detector = YuNet(card, session)        # doctest: +SKIP
        >>> faces, = detector.detect([image])      # doctest: +SKIP
    """

    MIN_SCORE = 0.6
    OVERLAP = 0.3

    def _candidates(self, image: RGB) -> tuple[Floats, Floats, Floats]:
        blob = padded_blob(image, multiple=MULTIPLE, colour="bgr")
        return self._decode(self._session.run({self._input: blob}), blob.shape[3] // 8)

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
