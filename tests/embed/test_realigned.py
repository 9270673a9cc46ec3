"""Realigned: when a landmark model is asked, and when its answer is not taken."""

import numpy as np
import pytest

from mien import embed
from mien.embed.aligned import AlignedNet
from mien.embed.realigned import UNSURE, LazyLandmarks, Realigned, mesh_landmarks
from mien.errors import UnknownModel
from mien.testing import MockSession, drawn_face
from mien.types import Box, Face

POINTS = np.array([[40, 50], [80, 50], [60, 75], [45, 95], [75, 95]], np.float32)
BOX = Box(20, 20, 100, 120)


class Shifted:
    """Answers the face's own points, moved; counts how often it was asked."""

    name = "shifted"

    def __init__(self, by):
        self.by, self.asked = np.float32(by), 0

    def points5(self, image, faces):
        self.asked += 1
        return np.stack([POINTS + self.by] * len(faces))


@pytest.fixture
def image():
    return drawn_face(1, (140, 140))


@pytest.fixture
def net(models):
    def ones(inputs):
        return {"fc1": np.ones((len(inputs["data"]), 128), np.float32)}

    session = MockSession(ones, ["data"], ["fc1"])
    return AlignedNet(models.card("sface", "embed"), session)


@pytest.mark.parametrize(
    ("score", "asked"), [(UNSURE, 0), (np.nextafter(UNSURE, 0), 1), (0.2, 1), (1.0, 0)]
)
def test_it_looks_again_where_the_detector_was_unsure(image, net, score, asked):
    landmarks = Shifted(4)
    face = Face(BOX, float(score), POINTS)
    crop = Realigned(net, landmarks).crop(image, face)
    assert landmarks.asked == asked
    assert np.array_equal(crop, net.crop(image, face)) == (not asked)


def test_a_look_again_aligns_by_what_it_found(image, net):
    crop = Realigned(net, Shifted(4)).crop(image, Face(BOX, 0.5, POINTS))
    np.testing.assert_array_equal(crop, net.crop(image, Face(BOX, 0.5, POINTS + np.float32(4))))


@pytest.mark.parametrize("by", [200, np.nan, np.inf])
def test_points_of_something_else_are_not_taken(image, by):
    face = Face(BOX, 0.5, POINTS)
    assert mesh_landmarks(image, face, Shifted(by)) is face


def test_what_the_net_takes_is_passed_on(net):
    realigned = Realigned(net, Shifted(0))
    assert isinstance(realigned, embed.Embedder)
    assert realigned.contract == net.contract
    assert realigned.embed(np.zeros((2, 112, 112, 3), np.uint8)).vector.shape == (2, 128)
    assert realigned.forward(np.zeros((2, 112, 112, 3), np.float32)).vector.shape == (2, 128)


def test_the_landmark_model_has_to_be_there_from_the_start(models):
    with pytest.raises(UnknownModel):
        LazyLandmarks("mediapipe478x", models)
