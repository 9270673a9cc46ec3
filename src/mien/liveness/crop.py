"""The face with its surroundings, cut as the nets were trained to see it.

Source: ``CropImage`` of Silent-Face-Anti-Spoofing (``src/generate_patches.py``): the box is made
larger about its centre, by less where the photo is too small for it, and moved back into the photo
where it would leave it. What is cut is stretched to a square, bilinear.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import InvalidArgument
from mien.types import RGB, Box

__all__ = ["clamped_factor", "cut_context"]


def clamped_factor(box: Box, size_hw: tuple[int, int], factor: float) -> float:
    """How many times its own size a box can be made in a photo, at most ``factor``.

    Args:
        box: of the face, pixels of the photo.
        size_hw: height and width of the photo.
        factor: what is wanted.

    Raises:
        InvalidArgument: the box is empty, or not of finite size.

    Example:
        >>> clamped_factor(Box(10, 10, 60, 60), (101, 201), 2.7)
        2.0
    """
    if not (0 < box.width < np.inf and 0 < box.height < np.inf):
        raise InvalidArgument("The face's box is empty or endless: there is nothing to look at.")
    height, width = size_hw
    return min((height - 1) / box.height, (width - 1) / box.width, factor)


def cut_context(image: RGB, box: Box, factor: float, side: int) -> NDArray[np.uint8]:
    """The box, ``factor`` times as large or as large as the photo allows, as a square.

    Args:
        image: RGB ``(height, width, 3)`` uint8.
        box: of the face, pixels of ``image``.
        factor: see :func:`clamped_factor`.
        side: of the answer, pixels.

    Returns:
        RGB ``(side, side, 3)``; a box that is not square is stretched.

    Raises:
        InvalidArgument: the box is empty.
    """
    height, width = image.shape[:2]
    reached = clamped_factor(box, (height, width), factor)
    x0, x1 = _inside((box.x0 + box.x1) / 2, box.width * reached, width)
    y0, y1 = _inside((box.y0 + box.y1) / 2, box.height * reached, height)
    part = image[y0 : y1 + 1, x0 : x1 + 1]
    return np.asarray(cv2.resize(part, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)


def _inside(centre: float, length: float, size: int) -> tuple[int, int]:
    """First and last pixel of a stretch about ``centre``, moved until it lies in the photo."""
    first, last = centre - length / 2, centre + length / 2
    if first < 0:
        first, last = 0.0, last - first
    if last > size - 1:
        first, last = first - (last - size + 1), float(size - 1)
    return max(0, int(first)), int(last)
