"""dlib's shape predictor without dlib, against dlib-bin 20.0.1 (``golden_dlib5.json``)."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mien import detect, embed, landmarks
from mien.errors import ConversionError
from mien.image import open_photo
from mien.landmarks.shape_predictor import ShapePredictor
from mien.types import Faces

FOLDER = Path(__file__).parent


@pytest.fixture(scope="module")
def net(models):
    return landmarks.create("dlib5", models)


@pytest.fixture(scope="module")
def photos(people):
    return {path.name: open_photo(path).pixels() for paths in people.values() for path in paths}


def one_face(box):
    return Faces(np.array([box], np.float32), np.ones(1, np.float32))


def test_the_trees_find_what_dlib_finds(models, photos):
    data = models.source_path(models.card("dlib5")).read_bytes()
    predictor = ShapePredictor.parse(data)
    golden = json.loads((FOLDER / "golden_dlib5.json").read_text())
    assert len(golden) == 10
    for row in golden:  # dlib counts from the centres of pixels and rounds to whole ones
        left, top, right, bottom = row["box"]
        box = np.array([left, top, right + 1, bottom + 1], np.float32)
        found = predictor(photos[row["photo"]], box)
        assert np.abs(found - 0.5 - row["points"]).max() <= 0.51, row


def test_its_points_bring_a_face_where_dlib_brings_it(models, photos, net):
    """The box that dlib's detector gave, and dlib's own numbers for the face in it."""
    embedder = embed.create("dlib", models)
    boxes = json.loads((FOLDER / "golden_dlib5_boxes.json").read_text())
    golden = json.loads((FOLDER.parent / "embed" / "golden_dlib.json").read_text())
    for row in golden:
        image, faces = photos[row["photo"]], one_face(boxes[row["photo"]])
        points = net.points5(image, faces)
        face = Faces(faces.box_xyxy, faces.score, points)[0]
        mine = embedder.embed(embedder.crop(image, face)[None])
        distance = np.linalg.norm(mine.vector[0] * mine.norm[0] - row["native"])
        assert distance < 0.15, row["photo"]


def test_five_points_lie_near_those_of_the_default_detector(models, photos, net):
    detector = detect.create("yunet", models)
    for image in photos.values():
        faces = detector.detect([image])[0].take([0])
        points = net.points5(image, Faces(faces.box_xyxy, faces.score))
        assert points.shape == (1, 5, 2)
        eyes = np.linalg.norm(faces.landmarks[0, 0] - faces.landmarks[0, 1])
        assert np.linalg.norm(points - faces.landmarks, axis=2).max() < 0.25 * eyes


@pytest.mark.parametrize("box", [(-500, -400, 20, 10), (0, 0, 1, 1), (5, 5, 9, 40)])
def test_a_box_anywhere_gives_points(net, box):
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    points = net.points5(image, one_face(box))
    assert points.shape == (1, 5, 2)
    assert np.isfinite(points).all()


def test_no_face_gives_no_points(net):
    assert net.points5(np.zeros((9, 9, 3), np.uint8), Faces.empty()).shape == (0, 5, 2)
    assert net.parts(np.zeros((9, 9, 3), np.uint8), Faces.empty()).shape == (0, 5, 2)


def integer(value):
    size = max(1, (abs(value).bit_length() + 7) // 8)
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")


def drawn_trees():
    """Two points; one cascade of one tree with one split, which looks at two pixels."""
    matrix = [-4, -1]
    numbers = [1, *matrix]
    numbers += [1, -2, 1, -2, 3, -2, 3, -2]  # (1/4, 1/4), (3/4, 3/4)
    split = [0, 1, 3, -1]  # pixel 0 - pixel 1 > 1.5
    leaves = [*matrix, 1, -3, *[0, 0] * 3, *matrix, 0, 0, 1, -3, *[0, 0] * 2]
    numbers += [1, 1, 1, *split, 2, *leaves]
    numbers += [1, 2, 0, 1]  # the pixels go along with points 0 and 1
    numbers += [1, 2, *[0, 0] * 4]
    return b"".join(map(integer, numbers))


@pytest.mark.parametrize(("bright", "moved"), [((2, 2), (0.75, 0)), ((7, 7), (0, 0.75))])
def test_a_split_looks_at_the_difference_of_two_pixels(bright, moved):
    """The mean face's points lie at 1.5 and 4.5, so the pixels are (2, 2) and (5, 5)."""
    predictor = ShapePredictor.parse(drawn_trees())
    image = np.zeros((9, 9, 3), np.uint8)
    image[bright] = (9, 0, 0)  # a third of it counts
    found = predictor(image, np.array([0, 0, 7, 7], np.float32))
    expected = np.array([[1.5, 1.5], [4.5, 4.5]]) + 0.5 + np.array([moved, (0, 0)])
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(
    "data", [b"", b"\x01", b"PK\x03\x04", drawn_trees()[:-1], drawn_trees()[:-2], bytes(400)]
)
def test_what_is_not_a_shape_predictor(data):
    with pytest.raises(ConversionError, match="shape predictor"):
        ShapePredictor.parse(data)


@given(st.integers(0, 10_000), st.integers(0, 255))
@example(6, 2)  # a mean face far beyond float32
def test_a_damaged_file_is_read_or_refused(place, value):
    damaged = bytearray(drawn_trees())
    damaged[place % len(damaged)] = value
    try:
        found = ShapePredictor.parse(bytes(damaged))
    except ConversionError:
        return
    assert np.isfinite(found.leaves).all()
