"""dlib's HOG detector: numbers stored by dlib-bin 20.0.1, a stand-in for dlib, and its absence."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from mien import detect
from mien.detect.dlib_hog import DlibHog
from mien.errors import ModelUnavailable
from mien.image import open_photo

GOLDEN = json.loads((Path(__file__).parent / "golden_dlib.json").read_text())


@pytest.fixture
def card(models):
    return models.card("dlib", "detect")


@pytest.fixture
def looked_at(monkeypatch):
    """A stand-in for dlib that finds one face of 80 pixels; the sizes that it is shown."""
    sizes = []

    def run(image, enlargements, threshold):
        assert image.flags.c_contiguous
        sizes.append((image.shape[:2], enlargements, threshold))
        face = SimpleNamespace(left=lambda: 10, top=lambda: 20, right=lambda: 89, bottom=lambda: 99)
        return [face], [1.0], [0]

    stand_in = SimpleNamespace(get_frontal_face_detector=lambda: SimpleNamespace(run=run))
    monkeypatch.setitem(sys.modules, "dlib", stand_in)
    return sizes


def test_without_dlib_it_says_what_to_install(models, monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(ModelUnavailable, match=r"pip install 'mien\[dlib\]'.*dlib-cnn"):
        detect.create("dlib", models)


@pytest.mark.parametrize(
    ("size_hw", "shown", "factor"),
    [((480, 640), (960, 1280), 0.5), ((1280, 900), (1280, 900), 1), ((3840, 960), (1920, 480), 2)],
)
def test_boxes_come_back_to_the_image(card, looked_at, size_hw, shown, factor):
    (faces,) = DlibHog(card).detect([np.zeros((*size_hw, 3), np.uint8)])
    assert looked_at == [(shown, 0, 0.0)]
    np.testing.assert_allclose(faces.box_xyxy, np.array([[10, 20, 90, 100]]) * factor)
    assert faces.score == pytest.approx([1 / (1 + np.exp(-4))])
    assert faces.landmarks is None


def test_an_image_without_room_for_a_face_is_not_looked_at(card, looked_at):
    assert len(DlibHog(card).detect([np.zeros((5, 700, 3), np.uint8)])[0]) == 0
    assert not looked_at


def test_it_finds_what_dlib_found(people, card):
    pytest.importorskip("dlib", reason="the extra dlib is not installed")
    files = {path.name: path for paths in people.values() for path in paths}
    detector = DlibHog(card, long_side=(0, 100_000))
    for row in GOLDEN:
        photo = open_photo(files[row["photo"]]).pixels()
        image = cv2.resize(photo, row["size"], interpolation=cv2.INTER_AREA)
        (found,) = detector.detect([image])
        assert len(found) == len(row["faces"])
        for face, expected in zip(found, row["faces"], strict=True):
            np.testing.assert_allclose(face.box.to_list(), expected["box"], atol=1)
            margin = np.log(face.score / (1 - face.score)) / 4
            assert margin == pytest.approx(expected["score"], abs=0.02)
