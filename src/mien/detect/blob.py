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
    scale: float = 1.0,
    border: float = 0.0,
) -> NDArray[np.float32]:
    """``(1, 3, H, W)`` float32 with H and W rounded up to a multiple.

    The border is added at the right and at the bottom, so that pixels keep their coordinates.

    Args:
        image: RGB ``uint8``, any size.
        multiple: what H and W are multiples of, pixels.
        colour: order of the channels in the blob.
        mean: taken off each channel, in the blob's order, 0..255.
        scale: what is left is multiplied by it.
        border: value of the border, in the blob.
    """
    height, width = image.shape[:2]
    rows, columns = -(-height // multiple) * multiple, -(-width // multiple) * multiple
    blob = np.empty((1, 3, rows, columns), np.float32)
    if (rows, columns) != (height, width):
        blob[:, :, height:] = border
        blob[:, :, :, width:] = border
    planes = cv2.split(image)
    for channel, plane in enumerate(planes if colour == "rgb" else reversed(planes)):
        inside = blob[0, channel, :height, :width]
        np.subtract(plane, np.float32(mean[channel]), out=inside)
        if scale != 1:
            inside *= np.float32(scale)
    return blob
