"""What dlib's two detectors have in common: windows of 80 pixels that are scored by a margin."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.types import RGB

__all__ = ["LONG_SIDE", "fitted", "margin_score"]

LONG_SIDE = (1280, 1920)
"""Long side of the images that both look at, from and to, unless told otherwise."""

ENLARGED = 2  # at most; further there is nothing more to see
STEEPNESS = 4


def fitted(image: RGB, long_side: tuple[int, int]) -> tuple[RGB, float]:
    """An image in which the windows fit the faces, and how many pixels one of its own is.

    Args:
        image: RGB.
        long_side: from and to; a smaller image is enlarged, at most twice, a larger one is made
            smaller.
    """
    least, most = long_side
    before = max(image.shape[:2])
    after = min(max(before, min(least, ENLARGED * before)), most)
    if after == before:
        return image, 1.0
    by = after / before
    size = (max(1, round(image.shape[1] * by)), max(1, round(image.shape[0] * by)))
    way = cv2.INTER_AREA if by < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, size, interpolation=way), 1 / by  # type: ignore[return-value]


def margin_score(margin: NDArray[np.float32]) -> NDArray[np.float32]:
    """``1 / (1 + exp(-4 * margin))``: 0.5 at the margin 0, dlib's own threshold for a face.

    At 1, the margin that training demanded of every face, it is 0.98. It is no probability.
    """
    return np.asarray(1 / (1 + np.exp(-STEEPNESS * margin)), np.float32)
