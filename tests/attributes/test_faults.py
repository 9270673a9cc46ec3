"""Blur, exposure and noise rise with what is done to a photo, and leave the others alone."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.attributes import FaceView
from mien.attributes.faults import Blur, Exposure, Noise, noise_deviation
from mien.types import Box, Face


@pytest.fixture(scope="module")
def small(views):
    """The faces at a width of 120 pixels, in photos that are cut around them."""
    found = {}
    for name, view in views.items():
        by = 120 / view.face.box.width
        image = cv2.resize(view.image, None, fx=by, fy=by, interpolation=cv2.INTER_AREA)
        face = view.face.scaled(by)
        x, y = int(max(face.box.x0 - 60, 0)), int(max(face.box.y0 - 60, 0))
        cut = np.ascontiguousarray(image[y : int(face.box.y1 + 60), x : int(face.box.x1 + 60)])
        box = Box(face.box.x0 - x, face.box.y0 - y, face.box.x1 - x, face.box.y1 - y)
        found[name] = FaceView(cut, Face(box, 1.0, face.landmarks - np.float32([x, y])))
    return found


def with_image(view, image):
    return FaceView(np.clip(image, 0, 255).astype(np.uint8), view.face)


def blurred(view, share):
    return with_image(view, cv2.GaussianBlur(view.image, (0, 0), share * view.face.box.width))


def noisy(view, deviation):
    random = np.random.default_rng(0)
    return with_image(view, view.image + random.normal(0, deviation, view.image.shape))


def lit(view, stops):
    linear = (view.image / 255.0) ** 2.2 * 2**stops
    return with_image(view, np.clip(linear, 0, 1) ** (1 / 2.2) * 255)


CASES = {
    "blur": (Blur(), blurred, (0.005, 0.01, 0.02, 0.03, 0.05), ("low", "medium", "high")),
    "noise": (Noise(), noisy, (1, 5, 10, 20, 40), ("low", "medium", "high")),
    "exposure": (
        Exposure(),
        lit,
        (-4, -2, 0, 2, 4),
        ("underExposure", "goodExposure", "overExposure"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_value_rises_with_the_strength(small, name):
    attribute, spoil, strengths, levels = CASES[name]
    for view in small.values():
        said = [attribute.measure(spoil(view, strength)) for strength in strengths]
        values = [one.value for one in said]
        assert values == sorted(values)
        assert values[0] < values[-1]
        order = [levels.index(one.level) for one in said]
        assert order == sorted(order)
        assert said[-1].level == levels[-1]


def test_portraits_have_none_of_these_faults(views):
    for name, view in views.items():
        assert Blur().measure(view).level == "low", name
        assert Noise().measure(view).level == "low", name
        assert Exposure().measure(view).level == "goodExposure", name


def test_noise_does_not_hide_blur(small):
    view = small["obama.jpg"]
    assert Blur().measure(noisy(blurred(view, 0.04), 8)).level != "low"


def test_the_deviation_of_noise_is_found():
    random = np.random.default_rng(1)
    grey = 128 + random.normal(0, 9, (200, 200))
    image = np.clip(np.repeat(grey[..., None], 3, axis=2), 0, 255).astype(np.uint8)
    assert noise_deviation(image) == pytest.approx(9, rel=0.05)
    assert noise_deviation(np.zeros((1, 7, 3), np.uint8)) == 0


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 255))
def test_any_picture_gets_a_value(height, width, grey):
    image = np.full((height, width, 3), grey, np.uint8)
    view = FaceView(image, Face(Box(0, 0, width, height), 1.0))
    for attribute in (Blur(), Exposure(), Noise()):
        said = attribute.measure(view)
        assert 0 <= said.value <= 1
        assert said.to_dict() == {"level": said.level, "value": round(said.value, 4)}
