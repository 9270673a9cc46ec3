"""Least-squares similarity transform and the warp of a face to its template."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import InvalidArgument
from mien.types import RGB

__all__ = ["similarity_transform", "warp"]


def similarity_transform(
    source: NDArray[np.float32], target: NDArray[np.float32]
) -> NDArray[np.float64]:
    """The rotation, uniform scale and shift that bring ``source`` closest to ``target``.

    Args:
        source: ``(n, 2)`` points, n >= 2, not all equal.
        target: ``(n, 2)`` points.

    Returns:
        ``(2, 3)`` matrix M with ``target ~ M @ [x, y, 1]``, never a reflection.

    Raises:
        InvalidArgument: wrong shapes, or the source points coincide.

    Source: Umeyama, "Least-squares estimation of transformation parameters between two point
    patterns", IEEE TPAMI 13(4), 1991. In two dimensions, with points as complex numbers, the
    reflection-free optimum is one division: ``a = sum(conj(s) * t) / sum(|s|^2)`` on centred
    points.
    """
    src = np.asarray(source, np.float64)
    dst = np.asarray(target, np.float64)
    if src.ndim != 2 or src.shape[1] != 2 or len(src) < 2 or src.shape != dst.shape:
        raise InvalidArgument(f"Two (n, 2) point sets are needed, not {src.shape}, {dst.shape}.")
    src_mean, dst_mean = src.mean(axis=0), dst.mean(axis=0)
    s = (src - src_mean) @ np.array([1, 1j])
    t = (dst - dst_mean) @ np.array([1, 1j])
    spread = float((s.real**2 + s.imag**2).sum())
    if not np.isfinite(spread) or spread <= np.finfo(np.float64).tiny:
        raise InvalidArgument("The landmarks coincide: no transform can be estimated.")
    a = complex((s.conj() * t).sum()) / spread
    linear = np.array([[a.real, -a.imag], [a.imag, a.real]])
    shift = dst_mean - linear @ src_mean
    return np.column_stack([linear, shift])


def warp(
    image: RGB,
    landmarks: NDArray[np.float32],
    template: NDArray[np.float32],
    size_hw: tuple[int, int],
) -> RGB:
    """The aligned crop of one face: bilinear, black where the image ends.

    Args:
        image: RGB ``(height, width, 3)`` uint8.
        landmarks: ``(5, 2)`` pixels of ``image``.
        template: ``(5, 2)`` pixels of the crop.
        size_hw: height and width of the crop.

    Raises:
        InvalidArgument: the landmarks coincide.
    """
    matrix = similarity_transform(landmarks, template)
    height, width = size_hw
    crop: RGB = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR)  # type: ignore[assignment]
    return crop
