"""Cutting a face out in the field's terms, against DeepFace 0.0.103 where the two agree.

``golden_deepface.json`` holds what ``detection.extract_face`` and ``preprocessing.resize_image``
gave for the same random pictures.
"""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.align import (
    Preprocessing,
    crop_box,
    crop_eyes,
    crop_face,
    expanded,
    letterbox,
    template,
    warp,
)
from mien.errors import InvalidArgument
from mien.types import Box, Face

GOLDEN = json.loads((Path(__file__).parent / "golden_deepface.json").read_text())
FIVE = np.array([[120, 100], [160, 110], [136, 130], [118, 145], [150, 152]], np.float32)


@pytest.fixture(scope="module")
def picture():
    small = np.random.default_rng(3).integers(0, 256, (15, 20, 3), dtype=np.uint8)
    return cv2.resize(small, (300, 240), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("row", GOLDEN["crops"])
def test_boxes_and_eyes_are_cut_as_deepface_cuts_them(picture, row):
    x, y, width, height = row["area"]
    box = expanded(Box(x, y, x + width, y + height), row["expand"])
    assert [box.x0, box.y0, box.width, box.height] == row["facial_area"]
    if row["align"]:
        crop = crop_eyes(picture, box, np.float32(row["left"]), np.float32(row["right"]))
    else:
        crop = crop_box(picture, box)
    assert list(crop.shape[:2]) == row["shape"]
    np.testing.assert_allclose(crop.reshape(-1, 3).mean(axis=0), row["mean"], atol=0.1)
    away = [np.abs(crop[y, x] - np.array(bgr, float)).max() for y, x, *bgr in row["samples"]]
    assert max(away) <= 1


@pytest.mark.parametrize("row", GOLDEN["letterbox"])
def test_letterboxes_are_those_of_deepface(row):
    height, width = row["size"]
    crop = np.random.default_rng(height * 100 + width).random((height, width, 3))
    found = letterbox(crop, tuple(row["target"]))
    assert list(found.shape[:2]) == row["target"]
    np.testing.assert_allclose(found.sum(axis=(1, 2)), row["rows"], atol=1e-2)
    np.testing.assert_allclose(found.sum(axis=(0, 2)), row["columns"], atol=1e-2)


@given(
    corner=st.tuples(st.integers(-50, 300), st.integers(-50, 300)),
    size=st.tuples(st.integers(1, 400), st.integers(1, 400)),
    percentage=st.integers(0, 400),
)
def test_an_expanded_box_keeps_its_centre(corner, size, percentage):
    """Also beyond the border, where DeepFace moves it into the image."""
    x, y = corner
    box = Box(x, y, x + size[0], y + size[1])
    grown = expanded(box, percentage)
    assert grown.width == size[0] + int(size[0] * percentage / 100)
    assert grown.height == size[1] + int(size[1] * percentage / 100)
    assert abs(grown.x0 + grown.x1 - box.x0 - box.x1) <= 1
    assert abs(grown.y0 + grown.y1 - box.y0 - box.y1) <= 1


def test_a_box_over_the_border_is_cut_at_the_border(picture):
    crop = crop_box(picture, expanded(Box(0, 10, 40, 50), 50))
    np.testing.assert_array_equal(crop, picture[0:60, 0:50])
    far = crop_box(picture, expanded(Box(280, 220, 300, 240), 100))
    np.testing.assert_array_equal(far, picture[210:240, 270:300])


def test_level_eyes_change_nothing_inside_and_leave_black_outside(picture):
    crop = crop_eyes(picture, Box(-20, 30, 60, 110), np.float32([5, 60]), np.float32([40, 60]))
    assert crop.shape == (80, 80, 3)
    assert not crop[:, :20].any()
    np.testing.assert_array_equal(crop[:, 20:], picture[30:110, 0:60])


def test_a_turned_face_comes_out_upright():
    """Eyes that are marked in colour lie level, image-left first, also in a face upside down."""
    for angle in (30, -75, 180):
        at = np.deg2rad(angle)
        turn = np.array([[np.cos(at), -np.sin(at)], [np.sin(at), np.cos(at)]])
        left, right = (np.array([150, 150]) + turn @ [dx, -20] for dx in (-25, 25))
        picture = np.zeros((300, 300, 3), np.uint8)
        cv2.circle(picture, tuple(int(v) for v in left.round()), 6, (255, 0, 0), -1)
        cv2.circle(picture, tuple(int(v) for v in right.round()), 6, (0, 255, 0), -1)
        crop = crop_eyes(picture, Box(100, 100, 200, 200), np.float32(left), np.float32(right))
        red, green = (np.argwhere(crop[..., channel] > 128).mean(axis=0) for channel in (0, 1))
        np.testing.assert_allclose(red, [30, 25], atol=1.5)
        np.testing.assert_allclose(green, [30, 75], atol=1.5)


def test_letterboxes_do_not_stretch():
    crop = np.full((10, 30, 3), 200, np.uint8)
    found = letterbox(crop, (60, 60))
    assert found.dtype == np.uint8
    assert (found[20:40] == 200).all()
    assert not found[:20].any()
    assert not found[40:].any()
    assert letterbox(np.full((1, 4000, 3), 9, np.uint8), (20, 20)).any()  # never thinner than one


def test_five_landmarks_are_the_default_and_the_arcface_crop(picture):
    face = Face(Box(100, 60, 180, 160), 0.9, FIVE)
    expected = warp(picture, FIVE, template("arcface112"), (112, 112))
    np.testing.assert_array_equal(crop_face(picture, face, Preprocessing()), expected)


def test_an_aligned_crop_is_fitted_into_any_size_and_expands_about_its_middle(picture):
    face = Face(Box(100, 60, 180, 160), 0.9, FIVE)
    plain = crop_face(picture, face, Preprocessing(target_size_hw=(112, 112)))
    tall = crop_face(picture, face, Preprocessing(target_size_hw=(224, 112)))
    assert tall.shape == (224, 112, 3)
    np.testing.assert_allclose(tall[56:168].astype(int), plain.astype(int), atol=1)
    wider = crop_face(
        picture, face, Preprocessing(target_size_hw=(224, 224), expand_percentage=100)
    )
    np.testing.assert_allclose(wider[56:168, 56:168].astype(int), plain.astype(int), atol=1)


def test_a_face_without_landmarks_is_cut_by_its_box(picture):
    face = Face(Box(100.2, 59.7, 180.4, 160.3), 0.9)
    for align in ("landmarks", "eyes", "none"):
        crop = crop_face(picture, face, Preprocessing(align=align))
        np.testing.assert_array_equal(crop, picture[60:160, 100:180])
    crop = crop_face(picture, face, Preprocessing(target_size_hw=(50, 64)))
    assert crop.shape == (50, 64, 3)


@pytest.mark.parametrize(
    "box", [Box(400, 10, 500, 60), Box(10, -50, 40, -10), Box(-90, -90, -50, -50)]
)
def test_a_box_outside_the_photo_is_an_error(picture, box):
    with pytest.raises(InvalidArgument, match="outside the photo"):
        crop_box(picture, box)


def test_nothing_cannot_be_resized():
    with pytest.raises(InvalidArgument, match="empty"):
        letterbox(np.zeros((0, 5, 3), np.uint8), (10, 10))


@pytest.mark.parametrize(
    "options",
    [
        {"align": "mouth"},
        {"align": True},
        {"expand_percentage": -1},
        {"expand_percentage": 401},
        {"expand_percentage": 10.5},
        {"expand_percentage": True},
        {"target_size_hw": (0, 10)},
        {"target_size_hw": (2049, 10)},
        {"target_size_hw": 224},
        {"target_size_hw": (10, 10, 3)},
        {"target_size_hw": (10.0, 10)},
        {"normalisation": "none"},
        {"enforce_detection": "false"},
    ],
)
def test_options_that_cannot_be_are_errors(options):
    with pytest.raises(InvalidArgument):
        Preprocessing(**options)


def test_options_at_their_limits_can_be():
    made = Preprocessing(expand_percentage=400, target_size_hw=(2048, 1), normalisation="ArcFace")
    assert made.target_size_hw == (2048, 1)
