"""Photos as the blobs that convolutional nets take."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.types import RGB

__all__ = ["padded_blob"]


def padded_blob(
    image: RGB,
    *,
    multiple: int,
    colour: Literal["rgb", "bgr"],
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> NDArray[np.float32]:
    """``(1, 3, H, W)`` float32 with H and W rounded up to a multiple.

    The border is added at the right and at the bottom, so that pixels keep their coordinates, and
    is 0 after the mean has been taken off.

    Args:
        image: RGB ``uint8``, any size.
        multiple: what H and W are multiples of, pixels.
        colour: order of the channels in the blob.
        mean: taken off each channel, in the blob's order, 0..255.
    """
    height, width = image.shape[:2]
    rows, columns = -(-height // multiple) * multiple, -(-width // multiple) * multiple
    allocate = np.empty if (rows, columns) == (height, width) else np.zeros
    blob = allocate((1, 3, rows, columns), np.float32)
    planes = cv2.split(image)
    for channel, plane in enumerate(planes if colour == "rgb" else reversed(planes)):
        np.subtract(plane, np.float32(mean[channel]), out=blob[0, channel, :height, :width])
    return blob
