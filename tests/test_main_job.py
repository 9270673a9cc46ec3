"""The main job on real photos with real weights: a photo goes in, a name comes out."""

import pytest

from mien import Gallery


@pytest.fixture(scope="module")
def gallery(engine, people, tmp_path_factory):
    """The first photo of each person is enrolled; every other photo is held out."""
    file = tmp_path_factory.mktemp("gallery") / "gallery.db"
    with Gallery.open(f"sqlite:///{file}") as opened:
        for person, photos in people.items():
            done = engine.enroll(opened, "people", person, photos[:1])
            assert done.enrolled == 1, done.rejected
        yield opened


def test_whole_and_partial_photos_of_one_person_are_the_same(engine, people, partial):
    first, *others = people["Barack Obama"]
    for photo in [*others, *partial["Barack Obama"]]:
        answer = engine.compare(first, photo)
        assert answer.match, (photo.name, answer)
        assert answer.confidence > 0.9, photo.name


def test_two_people_are_told_apart_at_a_strict_rate_too(engine, people):
    one = {person: photos[0] for person, photos in people.items()}
    for a in one:
        for b in one:
            answer = engine.compare(one[a], one[b], fmr=1e-5)
            assert answer.match is (a == b), (a, b, answer)
            if a != b:
                assert answer.confidence < 0.5


def test_held_out_photos_are_identified(engine, gallery, people, partial):
    held_out = [*people["Barack Obama"][1:], *partial["Barack Obama"]]
    assert len(held_out) == 4
    for photo in held_out:
        found = engine.identify(gallery, "people", photo)
        assert found.people == ["Barack Obama"], photo.name


def test_a_stranger_is_nobody(engine, people, tmp_path):
    with Gallery.open(f"sqlite:///{tmp_path / 'gallery.db'}") as two:
        for person in ("Barack Obama", "Joe Biden"):
            engine.enroll(two, "people", person, people[person])
        assert engine.identify(two, "people", people["Eileen Collins"][0]).people == []


def test_verify_against_the_gallery(engine, gallery, people):
    photo = people["Barack Obama"][2]
    assert engine.verify(gallery, "people", "Barack Obama", photo)
    assert not engine.verify(gallery, "people", "Joe Biden", photo)


def test_confidence_is_one_half_at_the_default_operating_point(engine, people):
    answer = engine.compare(people["Barack Obama"][0], people["Joe Biden"][0])
    assert answer.threshold == pytest.approx(0.5, abs=1e-6)
    assert (answer.fmr, answer.decided_on, answer.extrapolated) == (1e-3, "confidence", False)
