"""What the nets get to see of a face: an upright chip by its landmarks, or its box."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.align import similarity_transform
from mien.attributes.protocol import FaceView
from mien.errors import InvalidArgument
from mien.types import RGB

__all__ = ["box_chip", "dlib_chip"]

OVERSAMPLING = 1.4  # an averaged face is at least this many times as large as the chip

# Where the five points lie in dlib's mean face (0..1 from the image-left brow to the chin): the
# median over 61 faces of the five points in dlib's own 150 x 150 chips with padding 0.25.
_MEAN_FACE = (
    np.array(
        [[46.69, 45.67], [101.39, 45.57], [74.28, 77.66], [50.16, 100.46], [98.89, 100.24]],
        np.float32,
    )
    / 150
    * 1.5
    - 0.25
)


def dlib_chip(view: FaceView, side: int, *, padding: float) -> RGB:
    """The upright chip that dlib's ``get_face_chip_details(shape, side, padding)`` describes.

    Args:
        view: a face with landmarks.
        side: height and width of the chip, pixels.
        padding: border around the mean face, as a share of it.

    Raises:
        InvalidArgument: the face has no landmarks, or they coincide.
    """
    if view.face.landmarks is None:
        raise InvalidArgument(
            "This attribute aligns by five landmarks, and this face has none: "
            "choose a detector that gives them."
        )
    template = ((_MEAN_FACE + padding) / (1 + 2 * padding) * side).astype(np.float32)
    return _warp(view.image, similarity_transform(view.face.landmarks, template), side)


def box_chip(view: FaceView, side: int, *, margin: float = 1.0, square: bool = False) -> RGB:
    """The face's box, brought to ``side`` x ``side`` pixels, black where the image ends.

    Args:
        view: the face.
        side: height and width of the chip, pixels.
        margin: the box is this many times as wide and high.
        square: lengthen the shorter side instead of stretching the face.
    """
    box = view.face.box
    width, height = max(box.width, 1.0) * margin, max(box.height, 1.0) * margin
    if square:
        width = height = max(width, height)
    x, y = side / width, side / height
    centre = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    # warpAffine counts from pixels' centres, boxes from the corner of the first pixel.
    shift = side / 2 - (np.array(centre) - 0.5) * (x, y) - 0.5
    matrix = np.array([[x, 0, shift[0]], [0, y, shift[1]]])
    return _warp(view.image, matrix, side)


def _warp(image: RGB, matrix: NDArray[np.float64], side: int) -> RGB:
    """``cv2.warpAffine``, averaging first where the face is far larger than the chip.

    Bilinear sampling skips pixels there, and a net of 32 x 32 pixels sees the noise. Some detail
    is left to the sampling: averaged down to the chip's own size, faces lose sharpness twice.
    """
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    factor = int(1 / (OVERSAMPLING * scale)) if scale > 0 else 1
    if factor >= 2:
        image, matrix = _averaged(image, matrix, side, factor)
    return cv2.warpAffine(  # type: ignore[return-value]
        image, matrix, (side, side), flags=cv2.INTER_LINEAR
    )


def _averaged(
    image: RGB, matrix: NDArray[np.float64], side: int, factor: int
) -> tuple[RGB, NDArray[np.float64]]:
    """The part of the image that the chip shows, ``factor`` times smaller, and its matrix."""
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    corners = np.array([[0, 0, 1], [side, 0, 1], [0, side, 1], [side, side, 1]]) @ inverse.T
    height, width = image.shape[:2]
    x0, y0 = np.clip(np.floor(corners.min(axis=0)).astype(int) - factor, 0, (width, height))
    x1, y1 = np.clip(np.ceil(corners.max(axis=0)).astype(int) + factor, 0, (width, height))
    if x1 <= x0 or y1 <= y0:  # the chip shows nothing of the image
        return image, matrix
    columns, rows = -(-(x1 - x0) // factor), -(-(y1 - y0) // factor)
    missing = rows * factor - (y1 - y0), columns * factor - (x1 - x0)
    part = cv2.copyMakeBorder(
        image[y0:y1, x0:x1], 0, missing[0], 0, missing[1], cv2.BORDER_REPLICATE
    )
    small: RGB = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    # A pixel's centre (u + 0.5) * factor + x0 - 0.5 is where warpAffine looks for pixel u.
    offset = np.array([x0, y0]) + (factor - 1) / 2
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ offset
    moved[:, :2] *= factor
    return small, moved
