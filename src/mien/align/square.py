"""The square around a box: for nets that want the face upright as it is, not aligned."""

from __future__ import annotations

import cv2
import numpy as np

from mien.errors import InvalidArgument
from mien.types import RGB, Box

__all__ = ["cut_square"]


def cut_square(image: RGB, box: Box, size_hw: tuple[int, int]) -> RGB:
    """The square of the box's longer side, about its centre: bilinear, black outside the image.

    Args:
        image: RGB ``(height, width, 3)`` uint8.
        box: of the face, pixels of ``image``.
        size_hw: height and width of the crop.

    Raises:
        InvalidArgument: the box is empty.
    """
    side = max(box.width, box.height)
    if not side > 0:
        raise InvalidArgument("The face's box is empty: there is nothing to cut out.")
    height, width = size_hw
    x, y = width / side, height / side
    centre = ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)
    matrix = np.array([[x, 0, width / 2 - x * centre[0]], [0, y, height / 2 - y * centre[1]]])
    crop: RGB = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR)  # type: ignore[assignment]
    return crop
