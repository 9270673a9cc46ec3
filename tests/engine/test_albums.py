import numpy as np
import pytest

from mien.engine import Engine
from mien.engine.albums import album_threshold
from mien.errors import InvalidArgument
from mien.testing import MockDetector, MockEmbedder, drawn_face, mock_engine


def test_an_album_names_its_persons_and_photos():
    with mock_engine() as engine:
        album = engine.cluster([drawn_face(1), drawn_face(2), drawn_face(1)])
    assert [person.name for person in album] == ["person-0001", "person-0002"]
    assert [face.image for face in album.persons[0].faces] in (["#1", "#3"], ["#3", "#1"])
    assert album.to_dict()["photos"] == 3


def test_a_larger_album_needs_more_likeness():
    with mock_engine() as engine:
        assert album_threshold(engine, 10_000) > album_threshold(engine, 100)


def test_a_model_without_calibration_needs_a_threshold():
    with Engine(detector=MockDetector(), embedder=MockEmbedder()) as engine:
        with pytest.raises(InvalidArgument, match="threshold="):
            engine.cluster([drawn_face(1)])
        assert len(engine.cluster([drawn_face(1)], threshold=0.5)) == 1


def test_names_have_to_be_as_many_as_photos():
    with mock_engine() as engine, pytest.raises(InvalidArgument, match="2 photos need 2 names"):
        engine.cluster([drawn_face(1), drawn_face(2)], names=["one"])


def test_an_album_without_photos_or_faces_is_empty():
    with mock_engine() as engine:
        assert len(engine.cluster([])) == 0
        assert len(engine.cluster([np.zeros((64, 64, 3), np.uint8)])) == 0


@pytest.mark.shared
def test_real_photos_are_sorted_by_person(engine, shared_data):
    """People with many masked and unmasked photos: clean folders, and most of each together."""
    files = sorted((shared_data / "mfr2").glob("*/*.png"))[:40]
    album = engine.cluster(files)
    people = {file.name: file.parent.name for file in files}
    assert len(album.rejected) == 0
    together = 0
    for person in album:
        names = [people[face.image] for face in person.faces]
        assert len(set(names)) == 1, f"{person.name} mixes {set(names)}"
        together = max(together, len(names))
    assert together >= 4
