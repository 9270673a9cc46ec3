"""What is fed to the nets and how their outputs are read, with mock sessions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mien.attributes import FaceView
from mien.attributes.age import AgeNet, age_of
from mien.attributes.emotion import EMOTIONS, EmotionNets
from mien.attributes.gender import GenderNet
from mien.attributes.glasses import GlassesNet
from mien.attributes.mask import MaskNet
from mien.testing import drawn_face
from mien.testing.faces import MockDetector
from mien.testing.session import MockSession


@pytest.fixture
def view():
    image = drawn_face(3)
    return FaceView(image, MockDetector().detect([image])[0][0])


def test_gender_is_the_mean_over_the_mirror_image(view):
    session = MockSession({"p": np.array([[0.9, 0.1], [0.5, 0.5]], np.float32)})
    said = GenderNet(session).measure(view)
    assert (said.value, said.confidence) == ("female", pytest.approx(0.7))
    (fed,) = (call["input"] for call in session.calls)
    assert fed.shape == (2, 3, 32, 32)
    np.testing.assert_array_equal(fed[0], fed[1][:, :, ::-1])
    assert fed.min() >= -123 / 256
    assert fed.max() <= (255 - 104) / 256


def test_age_is_the_expectation(view):
    share = np.zeros((1, 81), np.float32)
    share[0, [30, 40]] = 0.5
    said = AgeNet(MockSession({"p": share})).measure(view)
    assert said.to_dict() == {"value": 35.0, "low": 30, "high": 40}


def test_a_newborn_is_a_quarter_of_a_year_old():
    share = np.zeros(81, np.float32)
    share[0] = 1
    assert age_of(share).to_dict() == {"value": 0.2, "low": 0, "high": 1}


@given(arrays(np.float32, 81, elements=st.floats(2**-10, 1, width=32)))
def test_the_range_of_an_age_holds_it(share):
    age = age_of(share)
    assert 0 <= age.low <= age.value <= age.high <= 80


def test_emotion_is_the_mean_of_both_nets_in_one_order(view):
    fer = np.zeros((1, 7), np.float32)
    fer[0, EMOTIONS.index("sad")] = 1
    face_api = np.zeros((1, 7), np.float32)
    face_api[0, 5] = 1  # disgusted
    fed_fer, fed_api = MockSession({"p": fer}), MockSession({"p": face_api})
    said = EmotionNets(fed_fer, fed_api).measure(view)
    assert said.scores["sad"] == said.scores["disgust"] == 0.5
    assert said.to_dict()["value"] in ("sad", "disgust")
    assert fed_fer.calls[0]["input"].shape == (1, 1, 64, 64)
    assert np.abs(fed_fer.calls[0]["input"]).max() <= 1
    assert fed_api.calls[0]["input"].shape == (1, 3, 112, 112)


def test_mask(view):
    session = MockSession({"p": np.array([[0.75, 0.25]], np.float32)})
    assert MaskNet(session).measure(view).to_dict() == {"value": True, "score": 0.75}
    assert session.calls[0]["input"].shape == (1, 3, 224, 224)
    assert np.abs(session.calls[0]["input"]).max() <= 1


@pytest.mark.parametrize(("logit", "glasses"), [(-3.0, True), (3.0, False)])
def test_glasses_are_a_low_logit(view, logit, glasses):
    session = MockSession({"p": np.array([[logit]], np.float32)})
    assert GlassesNet(session).measure(view).value is glasses
    assert session.calls[0]["input"].shape == (1, 160, 160, 3)
    assert session.calls[0]["input"].max() > 1
