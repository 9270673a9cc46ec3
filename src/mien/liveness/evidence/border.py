"""What was added to a photo along its border: no edge of it is one of anything in the scene.

Bars of one colour stand along the border of scans and letterboxed photos; a photo that was turned
has black corners. Cameras do not give such black: a dark bezel or a dark room has noise.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.types import RGB, Box

__all__ = ["padding", "without_border"]

NOISE = 14  # grey levels that JPEG leaves in a bar of one colour
WIDEST = 0.45  # of the photo: more is no bar
BLACK = 4  # grey levels; JPEG leaves no more in a black corner
SMALLEST = 0.002  # of the photo


def without_border(image: RGB, box: Box) -> tuple[RGB, Box]:
    """The photo without bars of one colour, and the face's box in it.

    Args:
        image: RGB ``(height, width, 3)`` uint8.
        box: of the face, pixels of ``image``; what it covers is kept.
    """
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    y0, y1 = _content(grey, box.y0, box.y1)
    x0, x1 = _content(grey[y0:y1].T, box.x0, box.x1)
    inside = Box(box.x0 - x0, box.y0 - y0, box.x1 - x0, box.y1 - y0)
    return image[y0:y1, x0:x1], inside


def padding(image: RGB) -> NDArray[np.bool_]:
    """Where the photo was filled with black, from the border inwards, and the edge of that.

    Args:
        image: RGB ``(height, width, 3)`` uint8.

    Returns:
        ``(height, width)``.
    """
    black = (image.max(axis=2) <= BLACK).astype(np.uint8)
    _, labels, facts, _ = cv2.connectedComponentsWithStats(black)
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    large = np.flatnonzero(facts[:, cv2.CC_STAT_AREA] > SMALLEST * labels.size)
    filled = np.isin(labels, np.intersect1d(np.setdiff1d(border, [0]), large))
    return np.asarray(cv2.dilate(filled.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0)


def _content(grey: NDArray[np.uint8], first: float, last: float) -> tuple[int, int]:
    """First row and the one after the last that are not of one colour."""
    varied = np.flatnonzero(np.ptp(grey, axis=1) > NOISE)
    if not len(varied):
        return 0, len(grey)
    most = int(WIDEST * len(grey))
    start = min(int(varied[0]), max(0, int(first)), most)
    end = max(int(varied[-1]) + 1, min(len(grey), int(np.ceil(last))), len(grey) - most)
    return start, end
