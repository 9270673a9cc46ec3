"""Non-maximum suppression."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["keep_best", "keep_blended"]


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


def keep_blended(
    table: NDArray[np.float32], score: NDArray[np.float32], *, overlap: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows that overlap become their mean, weighted by score; best score first.

    Args:
        table: ``(n, m)``: a box in the first four columns, then any coordinates.
        score: ``(n,)``.
        overlap: intersection over union with the best row above which a row is blended with it.

    Returns:
        The blended rows and the best score of each.

    Source: MediaPipe, ``NonMaxSuppressionCalculator`` with ``algorithm: WEIGHTED``.
    """
    order = np.argsort(-score, kind="stable")
    rows, scores = [], []
    while len(order):
        best = table[order[0], :4]
        near = _overlap(best, table[order, :4]) > overlap
        near[0] = True
        weight = score[order[near]]
        rows.append((table[order[near]] * weight[:, None]).sum(axis=0) / weight.sum())
        scores.append(score[order[0]])
        order = order[~near]
    blended = np.array(rows, np.float32).reshape(-1, table.shape[1])
    return blended, np.array(scores, np.float32)


def _overlap(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of ``(4,)`` with each of ``(n, 4)``; 0 for boxes without area."""
    side = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    both = side.clip(0).prod(axis=1)
    areas = (others[:, 2:] - others[:, :2]).clip(0).prod(axis=1)
    area = (box[2:] - box[:2]).clip(0).prod()
    total = np.maximum(areas + area - both, np.finfo(np.float32).tiny)
    return np.asarray(both / total, np.float32)
