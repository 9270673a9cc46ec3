"""dlib's CNN detector without dlib, against dlib-bin 20.0.1 (``golden_dlib-cnn.json``)."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.detect.dlib_cnn import DlibCnn
from mien.image import open_photo
from mien.models import ModelStore
from mien.testing.session import MockSession

GOLDEN = json.loads((Path(__file__).parent / "golden_dlib-cnn.json").read_text())

AS_IT_IS = (0, 100_000)


@pytest.fixture(scope="module")
def detector(weights):
    at_float32 = ModelStore(weights.model_copy(update={"precision": "float32"}))
    card = at_float32.card("dlib-cnn", "detect")
    return DlibCnn(card, at_float32.open(card), long_side=AS_IT_IS)


@pytest.fixture
def card(models):
    return models.card("dlib-cnn", "detect")


def overlap(a, b):
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    both = np.prod(np.maximum(high - low, 0))
    areas = [np.prod(np.subtract(box[2:], box[:2])) for box in (a, b)]
    return both / (sum(areas) - both)


def test_it_finds_what_dlib_finds(people, detector):
    """dlib's grid begins elsewhere in each level, so boxes differ by half a cell at most."""
    files = {path.name: path for paths in people.values() for path in paths}
    assert len(GOLDEN) == 5
    for row in GOLDEN:
        photo = open_photo(files[row["photo"]]).pixels()
        image = cv2.resize(photo, row["size"], interpolation=cv2.INTER_AREA)
        (found,) = detector.detect([image])
        assert len(found) == len(row["faces"])
        for face, expected in zip(found, row["faces"], strict=True):
            margin = np.log(face.score / (1 - face.score)) / 4
            assert margin == pytest.approx(expected["score"], abs=0.02), row["photo"]
            assert overlap(np.array(face.box.to_list()), np.array(expected["box"])) > 0.7


def net(inputs):
    """One face in the second cell of the third row, in the first level of 100 x 120 pixels."""
    height, width = inputs["image"].shape[2:]
    margins = np.full((1, 1, 10, 12), -1.0, np.float32)
    if (height, width) == (100, 120):
        margins[0, 0, 2, 1] = 0.5
    return {"score": margins}


def test_a_cell_is_a_window_of_80_pixels(card):
    session = MockSession(net, ["image"], ["score"])
    (faces,) = DlibCnn(card, session, long_side=AS_IT_IS).detect(
        [np.zeros((100, 120, 3), np.uint8)]
    )
    np.testing.assert_allclose(faces.box_xyxy, [[0, 0, 11.5 + 40, 19.5 + 40]])
    assert faces.score == pytest.approx([1 / (1 + np.exp(-2))])
    assert faces.landmarks is None
    sides = [call["image"].shape[2:] for call in session.calls]
    assert sides == [(100, 120), (83, 100), (69, 83), (57, 69), (47, 57), (39, 47)]


def test_a_margin_below_the_threshold_is_no_face(card):
    session = MockSession(net, ["image"], ["score"])
    detector = DlibCnn(card, session, long_side=AS_IT_IS, min_margin=0.6)
    assert len(detector.detect([np.zeros((100, 120, 3), np.uint8)])[0]) == 0


@pytest.mark.parametrize(
    ("size_hw", "first"),
    [((100, 60), (200, 120)), ((900, 800), (1280, 1138)), ((1500, 9), (1500, 9))],
)
def test_small_images_are_enlarged(card, size_hw, first):
    session = MockSession({"score": np.full((1, 1, 1, 1), -1.0)}, ["image"])
    DlibCnn(card, session).detect([np.zeros((*size_hw, 3), np.uint8)])
    assert session.calls[0]["image"].shape[2:] == first


def test_large_images_are_made_smaller_and_boxes_grow_back(card):
    margins = np.full((1, 1, 1, 1), 1.0)
    session = MockSession({"score": margins}, ["image"])
    (faces,) = DlibCnn(card, session).detect([np.zeros((3840, 3840, 3), np.uint8)])
    assert session.calls[0]["image"].shape[2:] == (1920, 1920)
    np.testing.assert_allclose(faces.box_xyxy[-1], [0, 0, 87, 87])


@pytest.mark.parametrize("size_hw", [(1, 1), (19, 19), (3, 700)])
def test_an_image_that_is_too_small_is_not_looked_at(card, size_hw):
    session = MockSession(net, ["image"], ["score"])
    assert len(DlibCnn(card, session).detect([np.zeros((*size_hw, 3), np.uint8)])[0]) == 0
    assert not session.calls
