"""The face with its surroundings: equal to the published code, clamped where the photo ends."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.errors import InvalidArgument
from mien.liveness.crop import clamped_factor, cut_context
from mien.types import Box

PHOTO = np.random.default_rng(2).integers(0, 256, (300, 400, 3), np.uint8)


def published(image, x, y, w, h, scale, side):
    """What ``CropImage.crop`` of Silent-Face-Anti-Spoofing computes, step by step."""
    height, width = image.shape[:2]
    scale = min((height - 1) / h, (width - 1) / w, scale)
    left, right = x + w / 2 - w * scale / 2, x + w / 2 + w * scale / 2
    top, bottom = y + h / 2 - h * scale / 2, y + h / 2 + h * scale / 2
    if left < 0:
        left, right = 0, right - left
    if top < 0:
        top, bottom = 0, bottom - top
    if right > width - 1:
        left, right = left - (right - width + 1), width - 1
    if bottom > height - 1:
        top, bottom = top - (bottom - height + 1), height - 1
    part = image[int(top) : int(bottom) + 1, int(left) : int(right) + 1]
    return cv2.resize(part, (side, side))


@pytest.mark.parametrize("factor", [2.7, 4.0])
@pytest.mark.parametrize(
    "xywh",
    [
        (180, 120, 40, 50),  # all of it fits
        (10, 8, 50, 60),  # moved down and right
        (340, 240, 50, 55),  # moved up and left
        (100, 60, 150, 180),  # clamped
        (0, 0, 400, 300),  # nothing around it
    ],
)
def test_the_crop_is_the_published_one(xywh, factor):
    x, y, w, h = xywh
    crop = cut_context(PHOTO, Box(x, y, x + w, y + h), factor, 80)
    np.testing.assert_array_equal(crop, published(PHOTO, *xywh, factor, 80))


@pytest.mark.parametrize(
    ("box", "factor"),
    [(Box(180, 120, 220, 170), 4.0), (Box(100, 60, 250, 240), 299 / 180), (Box(0, 0, 400, 300), 1)],
)
def test_the_factor_is_what_the_photo_allows(box, factor):
    assert clamped_factor(box, (300, 400), 4.0) == pytest.approx(factor, abs=5e-3)


@pytest.mark.parametrize("box", [Box(-90, -90, -50, -40), Box(900, 900, 990, 980), Box(1, 1, 2, 2)])
def test_a_box_outside_the_photo_is_moved_into_it(box):
    assert cut_context(PHOTO, box, 2.7, 80).shape == (80, 80, 3)


@pytest.mark.parametrize(
    "box",
    [Box(5, 5, 5, 9), Box(9, 9, 5, 12), Box(float("nan"), 0, 5, 5), Box(0, 0, float("inf"), 5)],
)
def test_a_box_of_no_size_is_refused(box):
    with pytest.raises(InvalidArgument, match="box"):
        cut_context(PHOTO, box, 2.7, 80)
