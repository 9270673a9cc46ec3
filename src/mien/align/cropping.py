"""From a face in a photo to a crop of the size that is wanted: expand, align, letterbox.

The names and their meaning are the field's (``expand_percentage``, ``align``, ``target_size`` of
DeepFace 0.0.103); Mien adds its own alignment by five landmarks. Unlike there, a box that is
expanded over the photo's border keeps its centre, and sizes are always height before width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.align.normalisation import Normalisation, check_mode
from mien.align.similarity import warp
from mien.align.templates import template
from mien.errors import InvalidArgument
from mien.types import RGB, Box, Face

__all__ = [
    "MAX_EXPAND_PERCENTAGE",
    "MAX_TARGET_SIDE",
    "Alignment",
    "Preprocessing",
    "crop_box",
    "crop_eyes",
    "crop_face",
    "crop_landmarks",
    "expanded",
    "letterbox",
]

Alignment = Literal["landmarks", "eyes", "none"]
ALIGNMENTS: tuple[Alignment, ...] = get_args(Alignment)
MAX_EXPAND_PERCENTAGE = 400
MAX_TARGET_SIDE = 2048

Pixels = TypeVar("Pixels", np.uint8, np.float32, np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """How faces are cut out and prepared, in the field's terms.

    Attributes:
        align: ``landmarks``: rotated, scaled and shifted so that the five landmarks come closest
            to a template (Mien's own way); ``eyes``: the box, rotated until the eyes lie level;
            ``none``: the box as it is.
        expand_percentage: how much larger the crop is than the face, 0 to 400 per cent of each
            side.
        target_size_hw: height and width of the crop, 1 to 2048 pixels; black bars keep its
            proportions. None: the crop's own size, which with ``landmarks`` is 112 x 112.
        normalisation: a mode of :mod:`mien.align.normalisation`; None: pixels, 0..255.
        enforce_detection: a photo without a face is an error; False: it is taken whole for one
            face, with the score 0.

    Raises:
        InvalidArgument: a value that cannot be.
    """

    align: Alignment = "landmarks"
    expand_percentage: int = 0
    target_size_hw: tuple[int, int] | None = None
    normalisation: Normalisation | None = None
    enforce_detection: bool = True

    def __post_init__(self) -> None:
        if self.align not in ALIGNMENTS:
            raise InvalidArgument(f"align is one of {', '.join(ALIGNMENTS)}, not {self.align!r}.")
        percentage = self.expand_percentage
        if type(percentage) is not int or not 0 <= percentage <= MAX_EXPAND_PERCENTAGE:
            raise InvalidArgument(
                f"expand_percentage is a whole number from 0 to {MAX_EXPAND_PERCENTAGE}, "
                f"not {percentage!r}."
            )
        if self.target_size_hw is not None:
            _check_size(self.target_size_hw)
        if self.normalisation is not None:
            check_mode(self.normalisation)
        if type(self.enforce_detection) is not bool:
            raise InvalidArgument("enforce_detection is True or False.")


def _check_size(size_hw: tuple[int, int]) -> None:
    fits = isinstance(size_hw, tuple) and len(size_hw) == 2
    if not fits or not all(type(s) is int and 1 <= s <= MAX_TARGET_SIDE for s in size_hw):
        raise InvalidArgument(
            f"target_size_hw is (height, width), whole numbers from 1 to {MAX_TARGET_SIDE}, "
            f"not {size_hw!r}."
        )


def crop_face(image: RGB, face: Face, options: Preprocessing) -> RGB:
    """One face, cut out as ``options`` say; neither normalised nor enforced here.

    A face without landmarks is not aligned.

    Args:
        image: RGB ``(height, width, 3)`` uint8.
        face: in the pixels of ``image``.

    Raises:
        InvalidArgument: the face's box is empty or outside the image, or its landmarks coincide.
    """
    if options.align == "landmarks" and face.landmarks is not None:
        return crop_landmarks(
            image,
            face.landmarks,
            template("arcface112"),
            frame_hw=(112, 112),
            size_hw=options.target_size_hw or (112, 112),
            expand_percentage=options.expand_percentage,
        )
    box = expanded(face.box, options.expand_percentage)
    if options.align == "eyes" and face.landmarks is not None:
        crop = crop_eyes(image, box, face.landmarks[0], face.landmarks[1])
    else:
        crop = crop_box(image, box)
    return crop if options.target_size_hw is None else letterbox(crop, options.target_size_hw)


def crop_landmarks(
    image: RGB,
    landmarks: NDArray[np.float32],
    points: NDArray[np.float32],
    *,
    frame_hw: tuple[int, int],
    size_hw: tuple[int, int],
    expand_percentage: int = 0,
) -> RGB:
    """The face brought to a template that is fitted, about its middle, into another size.

    Args:
        landmarks: ``(5, 2)`` pixels of ``image``.
        points: ``(5, 2)``, where they lie in a crop of ``frame_hw``.
        size_hw: of the crop that is wanted.
        expand_percentage: how much more than the template's frame it shows.
    """
    middle = np.array([frame_hw[1] / 2, frame_hw[0] / 2], np.float32)
    fit = min(size_hw[0] / frame_hw[0], size_hw[1] / frame_hw[1]) / (1 + expand_percentage / 100)
    target = (points - middle) * np.float32(fit) + np.array([size_hw[1] / 2, size_hw[0] / 2])
    return warp(image, landmarks, target.astype(np.float32), size_hw)


def expanded(box: Box, percentage: int) -> Box:
    """The box with sides ``percentage`` longer about the same centre; it may leave the image.

    Whole pixels go in and come out, as in the field: other boxes are rounded first, and each side
    grows by the whole pixels of its percentage.
    """
    x, y = round(box.x0), round(box.y0)
    width, height = max(1, round(box.x1) - x), max(1, round(box.y1) - y)
    more_x, more_y = int(width * percentage / 100), int(height * percentage / 100)
    x, y = x - int(more_x / 2), y - int(more_y / 2)
    return Box(x, y, x + width + more_x, y + height + more_y)


def crop_box(image: NDArray[Pixels], box: Box) -> NDArray[Pixels]:
    """The part of the image that the box covers: less than the box where the image ends.

    Raises:
        InvalidArgument: the box is empty or outside the image.
    """
    x0, y0 = max(0, round(box.x0)), max(0, round(box.y0))
    crop = image[y0 : max(0, round(box.y1)), x0 : max(0, round(box.x1))]
    if not crop.size:
        raise InvalidArgument("The face's box is empty or outside the photo: nothing to cut out.")
    return crop.copy()


def crop_eyes(
    image: RGB, box: Box, left_eye: NDArray[np.float32], right_eye: NDArray[np.float32]
) -> RGB:
    """The box, turned about its centre until the eyes lie level; black where the image ends.

    Bicubic, as in DeepFace's ``align_img_wrt_eyes``.

    Args:
        box: whole pixels; it may leave the image.
        left_eye, right_eye: the image-left and the image-right eye, ``(2,)`` pixels.

    Raises:
        InvalidArgument: the box is empty.
    """
    x, y = round(box.x0), round(box.y0)
    width, height = round(box.x1) - x, round(box.y1) - y
    if width < 1 or height < 1:
        raise InvalidArgument("The face's box is empty: there is nothing to cut out.")
    dx, dy = (float(v) for v in np.asarray(right_eye, np.float64) - left_eye)
    angle = float(np.degrees(np.arctan2(dy, dx)))
    # Turned in a frame of twice the box's size, about that frame's middle pixel.
    margin_x, margin_y = int(0.5 * width), int(0.5 * height)
    centre = ((width + 2 * margin_x) // 2 - margin_x, (height + 2 * margin_y) // 2 - margin_y)
    matrix = np.array(cv2.getRotationMatrix2D(centre, angle, 1.0), np.float64)
    matrix[:, 2] -= matrix[:, :2] @ (x, y)  # from the image's pixels
    crop: RGB = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_CUBIC)  # type: ignore[assignment]
    return crop


def letterbox(crop: NDArray[Pixels], size_hw: tuple[int, int]) -> NDArray[Pixels]:
    """``crop`` as large as fits into ``size_hw``, in the middle, between black bars.

    Bilinear, as in DeepFace's ``resize_image``.

    Args:
        crop: ``(h, w, 3)``, uint8 or float, not empty.
        size_hw: height and width.

    Raises:
        InvalidArgument: the crop is empty.
    """
    if crop.ndim != 3 or not crop.size:
        raise InvalidArgument("The crop is empty: there is nothing to resize.")
    factor = min(size_hw[0] / crop.shape[0], size_hw[1] / crop.shape[1])
    height, width = max(1, int(crop.shape[0] * factor)), max(1, int(crop.shape[1] * factor))
    resized = cv2.resize(crop, (width, height))
    result = np.zeros((*size_hw, crop.shape[2]), crop.dtype)
    top, left = (size_hw[0] - height) // 2, (size_hw[1] - width) // 2
    result[top : top + height, left : left + width] = resized.reshape(height, width, -1)
    return result
