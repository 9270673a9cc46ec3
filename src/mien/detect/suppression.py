"""Non-maximum suppression."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["keep_best"]


def keep_best(
    box_xyxy: NDArray[np.float32], score: NDArray[np.float32], *, overlap: float
) -> NDArray[np.intp]:
    """Indices of the boxes that survive greedy suppression, best score first.

    Args:
        box_xyxy: ``(n, 4)`` pixels.
        score: ``(n,)``.
        overlap: intersection over union above which the weaker box of two is dropped, 0..1.
    """
    if len(score) == 0:
        return np.zeros(0, np.intp)
    box_xywh = np.hstack([box_xyxy[:, :2], box_xyxy[:, 2:] - box_xyxy[:, :2]])
    kept = cv2.dnn.NMSBoxes(box_xywh.astype(np.float64), score, 0.0, overlap)  # type: ignore[arg-type]
    return np.asarray(kept, np.intp).reshape(-1)
