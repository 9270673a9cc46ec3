"""Quality falls, for the right reason, when a photo is spoilt."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.attributes import FaceView
from mien.attributes.quality import RAMPS, ImageQuality
from mien.types import Face, Faces

QUALITY = ImageQuality()


def scaled(view, by):
    size = (round(view.image.shape[1] * by), round(view.image.shape[0] * by))
    image = cv2.resize(view.image, size, interpolation=cv2.INTER_AREA)
    return FaceView(image, view.face.scaled(by))


def with_image(view, image):
    return FaceView(np.clip(image, 0, 255).astype(np.uint8), view.face)


SPOILT = {
    "blurred": lambda v: with_image(v, cv2.GaussianBlur(v.image, (0, 0), 12)),
    "too_dark": lambda v: with_image(v, v.image * 0.08),
    "too_bright": lambda v: with_image(v, v.image * 3.0 + 120),
    "low_contrast": lambda v: with_image(v, 128 + (v.image.astype(float) - 128) * 0.04),
    "face_too_small": lambda v: scaled(v, 24 / v.face.box.width),
}


def test_portraits_are_good(views):
    for name, view in views.items():
        said = QUALITY.measure(view)
        assert said.score >= 70, (name, said)


@pytest.mark.parametrize("reason", SPOILT)
def test_a_spoilt_photo_says_why(views, reason):
    for name in ("astronaut.png", "obama.jpg"):
        view = views[name]
        good, bad = QUALITY.measure(view), QUALITY.measure(SPOILT[reason](view))
        assert reason in bad.reasons, (name, bad)
        assert reason not in good.reasons
        assert bad.score < good.score


def test_a_face_that_is_cut_off(views):
    view = views["obama.jpg"]
    top = int(view.face.landmarks[:, 1].min())
    image = view.image[top:]
    shifted = Faces(
        np.array([view.face.box.to_list()], np.float32),
        np.ones(1, np.float32),
        view.face.landmarks[None],
    ).shifted(0, -top)[0]
    assert "cut_off" in QUALITY.measure(FaceView(image, shifted)).reasons


def test_a_turned_face(views):
    view = views["obama.jpg"]
    points = view.face.landmarks.copy()
    points[2, 0] = points[0, 0]  # the nose under one eye
    turned = Face(view.face.box, 1.0, points)
    assert "turned" in QUALITY.measure(FaceView(view.image, turned)).reasons


def test_a_smaller_decode_is_not_a_smaller_face(views):
    view = views["obama.jpg"]
    small = scaled(view, 0.08)
    known = FaceView(small.image, small.face, scale=0.08)
    assert QUALITY.measure(small).measures["size"] < QUALITY.measure(known).measures["size"]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(20, 200))
def test_any_picture_gets_a_score_with_its_reasons(seed, side):
    random = np.random.default_rng(seed)
    image = random.integers(0, 256, (side, side, 3), np.uint8)
    points = random.uniform(-side, 2 * side, (1, 5, 2)).astype(np.float32)
    box = np.array([[1, 1, side - 1, side - 1]], np.float32)
    said = QUALITY.measure(FaceView(image, Faces(box, np.ones(1, np.float32), points)[0]))
    assert 0 <= said.score <= 100
    assert set(said.measures) == set(RAMPS)
    assert all(0 <= value <= 1 for value in said.measures.values())
    assert said.score == 100 or min(said.measures.values()) < 1
    lowering = {RAMPS[name][0] for name, value in said.measures.items() if value < 0.8}
    assert {*said.reasons[: len(lowering)]} == lowering
    assert all(0 <= value <= 100 for value in said.components.values())


def test_a_face_without_landmarks_is_judged_by_the_rest(views):
    view = views["obama.jpg"]
    said = QUALITY.measure(FaceView(view.image, Face(view.face.box, 1.0, None)))
    assert "frontality" not in said.measures
    assert said.score >= 70
