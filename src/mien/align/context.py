"""A face with what is around it, so that any detector and any net can look at it again."""

from __future__ import annotations

import cv2
import numpy as np

from mien.errors import InvalidArgument
from mien.types import RGB, Box

__all__ = ["MARGIN", "context_crop"]

MARGIN = 0.5
"""Of the face's longer side, on each of the four: what templates and detectors reach for."""


def context_crop(image: RGB, box: Box, *, longest: int) -> RGB:
    """A square about a face, twice the face's longer side; black where the image ends.

    It is neither turned nor warped, so the face's box is in its middle and its pixels are the
    photo's own, unless it is scaled down.

    Args:
        image: RGB uint8 ``(height, width, 3)``.
        box: of the face, pixels of ``image``.
        longest: side of the crop at most, pixels.

    Raises:
        InvalidArgument: the box is empty or lies outside the image.

    Example:
        >>> photo = np.full((40, 40, 3), 9, np.uint8)
        >>> context_crop(photo, Box(0, 0, 20, 20), longest=112)[:, 20].max(axis=1).tolist()[9:11]
        [0, 9]
    """
    side = round(max(box.width, box.height) * (1 + 2 * MARGIN))
    x, y = round((box.x0 + box.x1 - side) / 2), round((box.y0 + box.y1 - side) / 2)
    height, width = image.shape[:2]
    x0, y0, x1, y1 = max(0, x), max(0, y), min(width, x + side), min(height, y + side)
    if side < 1 or x0 >= x1 or y0 >= y1:
        raise InvalidArgument("The face's box is empty or outside the photo: nothing to cut out.")
    part: RGB = image[y0:y1, x0:x1]
    scale = min(1.0, longest / side)
    edge = max(1, round(side * scale))
    crop: RGB = np.zeros((edge, edge, 3), np.uint8)
    left, top = round((x0 - x) * scale), round((y0 - y) * scale)
    wide = min(edge - left, max(1, round((x1 - x0) * scale)))
    high = min(edge - top, max(1, round((y1 - y0) * scale)))
    if (high, wide) != part.shape[:2]:
        part = cv2.resize(part, (wide, high), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    crop[top : top + high, left : left + wide] = part
    return crop
