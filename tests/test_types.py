import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import InvalidArgument
from mien.types import Box, EmbeddingContract, Embeddings, Face, Faces

number = st.floats(allow_nan=True, allow_infinity=True, width=32)


@given(st.lists(st.tuples(number, number, number, number, number), max_size=12))
def test_ordered_faces_are_finite_inside_and_sorted(rows):
    rows = np.array(rows, np.float32).reshape(-1, 5)
    points = np.zeros((len(rows), 5, 2), np.float32)
    faces = Faces.ordered(rows[:, :4], rows[:, 4], points, size_hw=(50, 80))
    assert np.isfinite(faces.box_xyxy).all()
    assert (faces.box_xyxy >= 0).all()
    assert (faces.box_xyxy[:, 2] <= 80).all()
    assert (faces.box_xyxy[:, 3] <= 50).all()
    area = [face.box.area for face in faces]
    assert area == sorted(area, reverse=True)
    assert all(face.box.width > 0 and face.box.height > 0 for face in faces)
    assert ((faces.score >= 0) & (faces.score <= 1)).all()


def test_faces_refuse_wrong_shapes_and_numbers():
    box, score = np.zeros((2, 4), np.float32), np.zeros(2, np.float32)
    with pytest.raises(InvalidArgument, match="box_xyxy"):
        Faces(box[:1], score)
    with pytest.raises(InvalidArgument, match="landmarks"):
        Faces(box, score, np.zeros((2, 4, 2), np.float32))
    with pytest.raises(InvalidArgument, match="finite"):
        Faces(box * np.nan, score)


def test_scaling_and_shifting_move_everything():
    points = np.arange(10, dtype=np.float32).reshape(1, 5, 2)
    faces = Faces(np.array([[1, 2, 3, 4]], np.float32), np.ones(1, np.float32), points)
    twice = faces.scaled(2, 3, size_hw=(100, 100))
    assert twice.box_xyxy.tolist() == [[2, 6, 6, 12]]
    np.testing.assert_array_equal(twice.landmarks, points * np.array([2, 3]))
    moved = faces.shifted(-5, 1)
    assert moved.box_xyxy.tolist() == [[-4, 3, -2, 5]]
    np.testing.assert_array_equal(moved.landmarks, points + np.array([-5, 1]))


def test_a_face_converts_to_json():
    face = Face(Box(1, 2, 3.456, 4), 0.98765, np.zeros((5, 2), np.float32))
    assert json.loads(face.to_json()) == {
        "box": [1, 2, 3.46, 4],
        "score": 0.9876 if round(0.98765, 4) == 0.9876 else 0.9877,
        "landmarks": [[0, 0]] * 5,
    }


def test_contract_round_trip():
    contract = EmbeddingContract("sface", "ab" * 32, 1, 128)
    assert EmbeddingContract.parse(str(contract)) == contract
    for text in ["", "a:b:c", "a:b:c:d", "a:b:1:2:3"]:
        with pytest.raises(InvalidArgument):
            EmbeddingContract.parse(text)


def test_embeddings_need_a_norm_each():
    with pytest.raises(InvalidArgument):
        Embeddings(np.zeros((2, 3), np.float32), np.zeros(3, np.float32))
    both = Embeddings(np.eye(2, dtype=np.float32), np.array([1, 2], np.float32))
    assert both.take([1]).norm.tolist() == [2]
