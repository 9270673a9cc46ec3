"""anti_spoofing=True: told by extract_faces, refused by the others, and never let through."""

from __future__ import annotations

import numpy as np
import pytest

from mien.compat import deepface as DeepFace  # noqa: N812 - as its users call it
from mien.errors import SpoofSuspected
from mien.liveness import PassiveLiveness
from mien.testing import MockLivenessNet, drawn_face


def by_corner(photo, box):
    """The net reads its answer from the photo's first pixel."""
    return float(photo[0, 0, 0]) / 255


@pytest.fixture(autouse=True)
def nets(drawn):
    check = PassiveLiveness([MockLivenessNet(by_corner)])
    for engine in drawn.values():
        engine._loaded._liveness = check


def photo(score):
    pixels = np.array(drawn_face(1))
    pixels[0, 0] = round(score * 255)
    return np.ascontiguousarray(pixels[..., ::-1])


LIVE, SPOOF = photo(0.8), photo(0.2)


def test_extract_faces_tells():
    (live,) = DeepFace.extract_faces(LIVE, anti_spoofing=True)
    assert live["is_real"] is True
    assert live["antispoof_score"] == pytest.approx(0.8)
    (spoof,) = DeepFace.extract_faces(SPOOF, anti_spoofing=True)
    assert spoof["is_real"] is False
    assert spoof["antispoof_score"] == pytest.approx(0.8)
    assert "is_real" not in DeepFace.extract_faces(SPOOF)[0]


@pytest.mark.parametrize(
    "ask",
    [
        lambda image, **how: DeepFace.verify(image, LIVE, **how),
        lambda image, **how: DeepFace.verify(LIVE, image, **how),
        lambda image, **how: DeepFace.represent(image, **how),
        lambda image, **how: DeepFace.analyze(image, ["age"], **how),
    ],
)
def test_the_others_refuse(ask):
    ask(SPOOF)
    ask(LIVE, anti_spoofing=True)
    with pytest.raises(DeepFace.exceptions.SpoofDetected, match="Spoof detected") as caught:
        ask(SPOOF, anti_spoofing=True)
    assert isinstance(caught.value, SpoofSuspected)


def test_find_looks_at_the_photo_and_not_at_the_folder(people):
    with pytest.raises(DeepFace.exceptions.SpoofDetected):
        DeepFace.find(SPOOF, str(people), anti_spoofing=True, return_type="dict")
    assert DeepFace.find(LIVE, str(people), anti_spoofing=True, return_type="dict")


def test_a_photo_that_is_taken_whole_is_not_real():
    blank = np.full((90, 90, 3), 255, np.uint8)
    with pytest.raises(DeepFace.exceptions.SpoofDetected):
        DeepFace.represent(blank, anti_spoofing=True, enforce_detection=False)


def test_fasnet():
    client = DeepFace.build_model("Fasnet", "spoofing")
    area = (100, 60, 120, 120)
    assert client.analyze(LIVE, area) == (True, pytest.approx(0.8, abs=0.01))
    assert client.analyze(SPOOF, area) == (False, pytest.approx(0.8, abs=0.01))
    with pytest.raises(DeepFace.exceptions.DataTypeError):
        client.analyze(LIVE, (1, 2))
