"""Chips against cv2.warpAffine and against each other."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.attributes import FaceView
from mien.attributes.chips import box_chip, dlib_chip
from mien.errors import InvalidArgument
from mien.types import Box, Face

# dlib's 150 x 150 chip with padding 0.25, for YuNet's five points
TEMPLATE = np.array(
    [[46.69, 45.67], [101.39, 45.57], [74.28, 77.66], [50.16, 100.46], [98.89, 100.24]], np.float32
)


def smooth(height, width):
    """A picture without fine detail, so that every good sampling gives the same."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    planes = [x / width, y / height, (x / width + y / height) / 2]
    return np.round(np.stack(planes, axis=-1) * 255).astype(np.uint8)


def test_a_chip_of_the_template_itself_is_the_picture():
    image = smooth(150, 150)
    face = Face(Box(0, 0, 150, 150), 1.0, TEMPLATE)
    chip = dlib_chip(FaceView(image, face), 150, padding=0.25)
    np.testing.assert_allclose(chip.astype(int), image.astype(int), atol=1)


@settings(deadline=None, max_examples=40)
@given(st.floats(40, 900), st.floats(-0.6, 0.6), st.sampled_from([32, 64]))
def test_a_large_or_turned_face_gives_the_chip_that_sampling_gives(size, angle, side):
    image = smooth(1000, 1000)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = ((TEMPLATE - 75) / 150 * size) @ turn.T + 500
    chip = dlib_chip(
        FaceView(image, Face(Box(0, 0, 1, 1), 1.0, points.astype(np.float32))), side, padding=0.25
    )
    v, u = np.mgrid[:side, :side] * (150 / side)
    at = np.stack([u, v], axis=-1).reshape(-1, 2)
    at = ((at - 75) / 150 * size) @ turn.T + 500
    border = 2 + 2 * size / side  # where the photo ends, its black surroundings blend in
    inside = ((at > border) & (at < 999 - border)).all(axis=1).reshape(side, side)
    expected = smooth_at(at).reshape(side, side, 3)
    assert inside.sum() > side * side / 4
    np.testing.assert_allclose(chip[inside], expected[inside], atol=1.5)


def smooth_at(points):
    x, y = points[:, 0] / 1000, points[:, 1] / 1000
    return np.stack([x, y, (x + y) / 2], axis=-1) * 255


def test_a_box_is_stretched_or_kept_square():
    image = np.zeros((200, 300, 3), np.uint8)
    image[50:150, 100:150] = 255
    face = Face(Box(100, 50, 150, 150), 1.0)
    whole = box_chip(FaceView(image, face), 64)
    assert (whole[2:-2, 2:-2] == 255).all()
    square = box_chip(FaceView(image, face), 64, square=True)
    assert (square[2:-2, 18:46] == 255).all()
    assert (square[:, :14] == 0).all()
    wide = box_chip(FaceView(image, face), 64, margin=2.0)
    assert wide[32, 32].min() == 255
    assert wide[4, 4].max() == 0


@pytest.mark.parametrize(
    "box", [Box(0, 0, 0.2, 0.2), Box(-500, -500, -400, -400), Box(0, 0, 9e3, 5)]
)
def test_boxes_that_hardly_show_anything(box):
    image = np.full((30, 40, 3), 9, np.uint8)
    assert box_chip(FaceView(image, Face(box, 1.0)), 32).shape == (32, 32, 3)


def test_a_chip_beside_the_photo_is_black():
    image = np.full((100, 100, 3), 200, np.uint8)
    chip = box_chip(FaceView(image, Face(Box(400, 400, 900, 900), 1.0)), 32)
    assert chip.max() == 0


def test_averaging_keeps_what_sampling_would_alias():
    stripes = np.zeros((640, 640, 3), np.uint8)
    stripes[:, ::2] = 255
    face = Face(Box(0, 0, 640, 640), 1.0)
    chip = box_chip(FaceView(stripes, face), 32)
    sampled = cv2.resize(stripes, (32, 32), interpolation=cv2.INTER_NEAREST)
    assert abs(float(chip[1:-1, 1:-1].mean()) - 127.5) < 3
    assert abs(float(sampled.mean()) - 127.5) > 100


def test_no_landmarks():
    with pytest.raises(InvalidArgument, match="five landmarks"):
        dlib_chip(FaceView(smooth(50, 50), Face(Box(0, 0, 9, 9), 1.0)), 32, padding=0.2)
