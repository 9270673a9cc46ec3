"""How dlib's nets want their pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["dlib_blob"]

MEAN = np.array([122.782, 117.001, 104.298], np.float32)  # dlib's input_rgb_image_sized


def dlib_blob(chips: NDArray[np.uint8]) -> NDArray[np.float32]:
    """``(n, 3, H, W)`` float32 of RGB chips ``(n, H, W, 3)``: ``(pixel - mean) / 256``."""
    blob = (chips.astype(np.float32) - MEAN) / np.float32(256)
    return np.ascontiguousarray(blob.transpose(0, 3, 1, 2))
