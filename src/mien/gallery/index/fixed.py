"""Vectors as fixed-point numbers of 24 bits in two planes, the upper one fit for a scan of bytes.

A number is ``scale * (high + low / 65536)`` with ``high`` in -127..127 and ``low`` in
-32768..32767. The high plane alone is the int8 vector that FAISS scans; both together are as
exact as float32 is for numbers of this size (half a step is ``scale / 131072``), in 3 bytes
instead of 4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEVELS", "OFFSET", "join", "quantised", "split"]

LEVELS = 127
"""The largest number of the high plane."""

OFFSET = 128
"""What FAISS (QT_8bit_direct_signed) adds to make a byte of a signed number."""

_STEPS = 65536


def split(
    vectors: NDArray[np.float32], scale: float
) -> tuple[NDArray[np.uint8], NDArray[np.int16], float, float]:
    """Both planes of some vectors.

    Args:
        vectors: ``(n, d)``, no number of which is larger than ``127 * scale``.
        scale: what a step of the high plane is worth.

    Returns:
        The high plane ``(n, d)`` with :data:`OFFSET` added, the low plane ``(n, d)``, the largest
        distance of a vector from its high plane, and the greatest length of a high plane.
    """
    if not len(vectors):
        shape = vectors.shape
        return np.zeros(shape, np.uint8), np.zeros(shape, np.int16), 0.0, 0.0
    scaled = vectors / np.float32(scale)
    high = np.rint(scaled)
    scaled -= high
    distance = float(np.einsum("nd,nd->n", scaled, scaled).max()) ** 0.5
    length = float(np.einsum("nd,nd->n", high, high).max()) ** 0.5
    scaled *= _STEPS
    low = np.rint(scaled, out=scaled).clip(-_STEPS // 2, _STEPS // 2 - 1, out=scaled)
    high += OFFSET
    return high.astype(np.uint8), low.astype(np.int16), distance * scale, length * scale


def join(high: NDArray[np.uint8], low: NDArray[np.int16], scale: float) -> NDArray[np.float32]:
    """The vectors ``(n, d)`` of two planes."""
    vectors = low.astype(np.float32)
    vectors *= np.float32(1 / _STEPS)
    vectors += high
    vectors -= OFFSET
    vectors *= np.float32(scale)
    return vectors


def quantised(probes: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Probes ``(n, d)`` as whole numbers in -127..127, and what a step of each is worth ``(n,)``.

    FAISS multiplies bytes, so it would cut off what a probe has behind the point.
    """
    step = np.abs(probes).max(axis=1, initial=0.0) / LEVELS
    step = np.where(step > 0, step, 1).astype(np.float32)
    return np.rint(probes / step[:, None]), step
