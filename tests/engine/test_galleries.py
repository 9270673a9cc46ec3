"""Enrol, identify and verify over a gallery, with drawn faces."""

import json

import numpy as np
import pytest

from mien import Engine, Gallery
from mien.engine import EnrolmentPhoto
from mien.errors import EmbeddingMismatch, InvalidArgument, NoFaceFound, NotFound
from mien.testing import (
    MockDetector,
    MockEmbedder,
    drawn_face,
    drawn_photo,
    mock_calibration,
    mock_engine,
)


@pytest.fixture
def engine():
    with mock_engine() as made:
        yield made


@pytest.fixture
def gallery(tmp_path):
    with Gallery.open(f"sqlite:///{tmp_path / 'gallery.db'}") as opened:
        yield opened


@pytest.fixture
def staff(engine, gallery):
    for i, person in enumerate(["김민수", "Ada", "Grace"]):
        engine.enroll(gallery, "staff", person, [drawn_face(i), drawn_face(i, (400, 500))])
    return gallery


def test_enroll_reports_every_photo(engine, gallery):
    nobody = np.full((100, 100, 3), 200, np.uint8)
    two = drawn_photo([(1, 10, 10, 80), (2, 120, 10, 80)], (100, 220))
    tiny = drawn_photo([(1, 10, 10, 28)], (100, 100))
    done = engine.enroll(
        gallery,
        "staff",
        "Ada",
        [drawn_face(1), nobody, two, tiny, b"", drawn_face(1)],
        names=["good", "nobody", "two", "tiny", "empty", "again"],
    )
    assert (done.enrolled, done.persons, done.group) == (1, ("Ada",), "staff")
    reasons = {rejection.image: rejection.reasons for rejection in done.rejected}
    assert reasons == {
        "nobody": ("no_face",),
        "two": ("several_faces",),
        "tiny": ("face_too_small",),
        "empty": ("image_decode",),
        "again": ("duplicate",),
    }
    assert all(rejection.message for rejection in done.rejected)
    assert gallery.size("staff") == 1
    document = json.loads(done.to_json())
    assert {"group", "enrolled", "rejected", "persons"} <= set(document)


def test_a_bystander_in_the_background_does_not_matter(engine, gallery):
    photo = drawn_photo([(1, 10, 10, 120), (2, 150, 10, 60)], (150, 250))
    assert engine.enroll(gallery, "staff", "Ada", [photo]).enrolled == 1


def test_identify_names_the_known_and_not_the_unknown(engine, staff):
    photo = drawn_photo([(1, 10, 10, 90), (99, 150, 10, 80), (0, 250, 10, 70)], (120, 340))
    found = engine.identify(staff, "staff", photo)
    assert found.people == ["Ada", "김민수"]
    assert [len(face.candidates) for face in found] == [1, 0, 1]
    best = found.faces[0].candidates[0]
    assert best.confidence > found.threshold
    assert best.face_id is not None
    assert (found.decided_on, found.fpir, found.gallery_size) == ("confidence", 1e-2, 6)
    entry = found.to_dict()["faces"][0]["candidates"][0]
    assert {"person", "similarity", "confidence"} <= set(entry)
    assert "김민수" in str(found)
    assert found.draw().size == (340, 120)


def test_the_threshold_rises_with_the_group(engine, gallery):
    engine.enroll(gallery, "small", "Ada", [drawn_face(1)])
    small = engine.identify(gallery, "small", drawn_face(1)).threshold
    for i in range(40):
        engine.enroll(gallery, "large", f"person {i}", [drawn_face(i)])
    large = engine.identify(gallery, "large", drawn_face(1))
    assert large.threshold > small
    assert large.extrapolated


def test_top_and_threshold(engine, staff):
    every = engine.identify(staff, "staff", drawn_face(1), threshold=-1, top=2)
    assert len(every.faces[0].candidates) == 2
    assert every.faces[0].candidates[0].person == "Ada"
    assert every.decided_on == "similarity"
    with pytest.raises(InvalidArgument):
        engine.identify(staff, "staff", drawn_face(1), top=0)
    with pytest.raises(InvalidArgument, match="not both"):
        engine.identify(staff, "staff", drawn_face(1), threshold=0.5, fpir=0.01)


def test_identify_in_an_empty_group_finds_nobody(engine, gallery):
    gallery.create_group("empty", contract=engine.embedder.contract)
    assert engine.identify(gallery, "empty", drawn_face(1)).people == []
    nobody = np.full((100, 100, 3), 200, np.uint8)
    assert len(engine.identify(gallery, "empty", nobody)) == 0


def test_verify(engine, staff):
    yes = engine.verify(staff, "staff", "Ada", drawn_face(1, (300, 300)))
    assert yes.match
    assert yes.to_dict()["person"] == "Ada"
    assert not engine.verify(staff, "staff", "Grace", drawn_face(1))
    with pytest.raises(NotFound):
        engine.verify(staff, "staff", "Nobody", drawn_face(1))
    with pytest.raises(NotFound):
        engine.verify(staff, "no-such-group", "Ada", drawn_face(1))
    with pytest.raises(NoFaceFound):
        engine.verify(staff, "staff", "Ada", np.full((100, 100, 3), 200, np.uint8))
    staff.add_person("staff", "Faceless")
    with pytest.raises(NotFound, match="No face"):
        engine.verify(staff, "staff", "Faceless", drawn_face(1))


def test_mean_scoring(engine, gallery):
    gallery.create_group("mean", contract=engine.embedder.contract, scoring="mean")
    engine.enroll(gallery, "mean", "Ada", [drawn_face(1), drawn_face(1, (500, 400))])
    found = engine.identify(gallery, "mean", drawn_face(1))
    assert found.people == ["Ada"]
    assert found.faces[0].candidates[0].face_id is None
    assert engine.verify(gallery, "mean", "Ada", drawn_face(1)).match


def test_another_model_is_refused_everywhere(staff):
    other = Engine(
        detector=MockDetector(), embedder=MockEmbedder(version=2), calibration=mock_calibration()
    )
    with other:
        for attempt in (
            lambda: other.enroll(staff, "staff", "Ada", [drawn_face(1)]),
            lambda: other.identify(staff, "staff", drawn_face(1)),
            lambda: other.verify(staff, "staff", "Ada", drawn_face(1)),
        ):
            with pytest.raises(EmbeddingMismatch):
                attempt()


def test_enroll_each_streams_in_order(engine, gallery):
    photos = [EnrolmentPhoto(f"p{i % 5}", drawn_face(i), f"{i}.png") for i in range(17)]
    stream = engine.enroll_each(gallery, "staff", iter(photos))
    first = next(stream)
    assert first.photo.name == "0.png"
    assert gallery.size("staff") == 1
    assert [outcome.photo.name for outcome in stream] == [f"{i}.png" for i in range(1, 17)]
    assert gallery.size("staff") == 17


def test_names_must_match_images(engine, gallery):
    with pytest.raises(InvalidArgument, match="as many names"):
        engine.enroll(gallery, "staff", "Ada", [drawn_face(1)], names=["a", "b"])
