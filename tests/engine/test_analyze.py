"""Analyse with drawn faces: which pixels an attribute gets, and in which order answers come."""

import io
import json
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

import mien
from mien import Engine, config
from mien.errors import InvalidArgument
from mien.testing import MockDetector, MockEmbedder, drawn_photo, mock_engine
from mien.types import Result


@dataclass(frozen=True)
class Seen(Result):
    """What an attribute got to see."""

    width: int
    box: tuple[float, ...]

    def to_dict(self):
        return {"width": self.width, "box": list(self.box)}


class Looking:
    """An attribute that tells what it sees."""

    def __init__(self, name="age"):
        self.name = name

    def measure(self, view):
        return Seen(view.image.shape[1], tuple(view.face.box.to_list()))


@pytest.fixture
def engine():
    made = Engine(
        detector=MockDetector(),
        embedder=MockEmbedder(),
        attributes=[Looking("age"), Looking("mask")],
    )
    with made:
        yield made


PHOTO = drawn_photo([(1, 20, 30, 90), (2, 300, 200, 200)], (700, 900))


def test_faces_come_largest_first_with_what_was_asked(engine):
    found = engine.analyze(PHOTO, actions=["mask", "age"])
    assert found.actions == ("mask", "age")
    document = json.loads(found.to_json())
    assert [list(face) for face in document["faces"]] == [["box", "mask", "age"]] * 2
    np.testing.assert_allclose(document["faces"][0]["box"], [300, 200, 500, 400], atol=2)
    np.testing.assert_allclose(document["faces"][1]["box"], [20, 30, 110, 120], atol=2)
    assert document["faces"][0]["age"]["box"] == document["faces"][0]["box"]
    assert found[0]["age"].width == 900
    assert "2 face(s)" in str(found)


def test_the_largest_faces_only(engine):
    assert len(engine.analyze(PHOTO, actions=["age"], max_faces=1)) == 1


def test_a_photo_without_a_face(engine):
    found = engine.analyze(np.full((60, 80, 3), 200, np.uint8), actions=["age"])
    assert found.to_dict() == {"faces": []}


def test_a_small_face_of_a_large_jpeg_is_seen_at_full_size(engine):
    photo = drawn_photo([(1, 100, 100, 1500), (2, 3000, 2000, 150)], (3000, 4000))
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", quality=90)
    large, small = engine.analyze(buffer.getvalue(), actions=["age"])
    assert large["age"].width == 2000
    assert small["age"].width == 4000
    np.testing.assert_allclose(small["age"].box, small.face.box.to_list(), atol=0.1)
    np.testing.assert_allclose(np.array(large["age"].box) * 2, large.face.box.to_list(), atol=0.1)


def test_batches_are_in_order_and_carry_no_pixels(engine):
    photos = [drawn_photo([(i, 10, 10, 60 + 10 * i)], (200, 300)) for i in range(4)]
    found = engine.analyze_batch(photos, actions=["age"])
    assert [round(one[0].face.box.width, -1) for one in found] == [60, 70, 80, 90]
    assert all(one.image is None for one in found)


def test_an_attribute_that_is_not_there(engine):
    with pytest.raises(InvalidArgument, match="Did you mean mask"):
        engine.analyze(PHOTO, actions=["masc"])


def test_a_result_draws_itself(engine):
    found = engine.analyze(PHOTO, actions=["age"])
    assert found.draw().size == (900, 700)


def test_the_quality_of_drawn_faces_needs_no_weights(tmp_path):
    with mock_engine(config.load(cache_dir=tmp_path, offline=True)) as engine:
        found = engine.analyze(PHOTO, actions=["quality", "blur", "exposure", "noise"])
    assert 0 <= found[0]["quality"].score <= 100
    assert set(found.to_dict()["faces"][0]["quality"]) == {"score", "reasons", "components"}


def test_the_one_line_function_is_public():
    assert mien.analyze.__module__ == "mien.engine.shortcuts"
