import numpy as np
import pytest

from mien.errors import NotFound
from mien.gallery.likeness import audit_group, limits_of, suggest_persons
from mien.testing import mock_calibration
from mien.testing.galleries import random_contract, unit_vectors
from mien.types import Box, Embeddings

CONTRACT = random_contract(64)
CENTRES = unit_vectors(6, 64, seed=5)


def near(centre, seed, spread=0.5):
    vector = CENTRES[centre] + spread * unit_vectors(1, 64, seed=100 + seed)[0]
    return (vector / np.linalg.norm(vector))[None].astype(np.float32)


def enrol(gallery, person, centre, seed, **options):
    return gallery.add_faces(
        "people", person, Embeddings(near(centre, seed), np.ones(1, np.float32)),
        contract=CONTRACT, create_person=True, **options,
    )[0]  # fmt: skip


@pytest.fixture
def people(gallery):
    gallery.create_group("people", contract=CONTRACT)
    for i, name in enumerate(["Ann", "Bob", "Cleo"]):
        for k in range(4):
            enrol(gallery, name, i, 10 * i + k)
    return gallery


def test_a_clean_group_has_nothing_to_look_at(people):
    report = audit_group(people, "people", unlike=0.3, alike=0.6)
    assert (report.persons, report.faces) == (3, 12)
    assert report.outliers == report.look_alikes == ()


def test_a_face_with_the_wrong_person_is_found_and_told_whose_it_is(people):
    wrong = enrol(people, "Ann", 1, 77)
    report = audit_group(people, "people", unlike=0.3, alike=0.6)
    first = report.outliers[0]
    assert (first.face_id, first.person, first.like) == (wrong.id, "Ann", "Bob")
    assert first.similarity < 0.3 < 0.6 < first.like_similarity


def test_a_person_enrolled_twice_is_found_once(people):
    for k in range(3):
        enrol(people, "Robert", 1, 50 + k)
    report = audit_group(people, "people", unlike=0.3, alike=0.6)
    (pair,) = report.look_alikes
    assert {pair.a, pair.b} == {"Bob", "Robert"}
    assert pair.a_id < pair.b_id


def test_a_person_with_one_face_is_no_outlier(people):
    enrol(people, "Dora", 3, 60)
    assert audit_group(people, "people", unlike=0.3, alike=0.6).outliers == ()


def test_more_persons_than_a_page_are_looked_at(gallery, monkeypatch):
    monkeypatch.setattr("mien.gallery.likeness._PAGE", 2)
    gallery.create_group("people", contract=CONTRACT)
    for i in range(5):
        enrol(gallery, f"person {i}", i, i)
    assert audit_group(gallery, "people", unlike=0.1, alike=0.9).persons == 5


def test_unnamed_faces_are_put_together_but_never_two_of_one_photo(gallery):
    gallery.create_group("people", contract=CONTRACT)

    def unnamed(centre, seed, photo):
        (stored,) = gallery.add_faces(
            "people", None, Embeddings(near(centre, seed), np.ones(1, np.float32)),
            contract=CONTRACT, source_sha256=f"{photo:064x}", boxes=[Box(seed, 0, seed + 1, 1)],
        )  # fmt: skip
        return stored.person_id

    a = [unnamed(0, 1, 1), unnamed(0, 2, 2), unnamed(0, 3, 3)]
    twin = unnamed(0, 4, 1)  # as like as they are, but in the first photo
    b = [unnamed(1, 5, 4), unnamed(1, 6, 5)]
    found = suggest_persons(gallery, "people", threshold=0.5)
    assert {frozenset(one) for one in found} >= {frozenset(b)}
    assert not any({a[0], twin} <= set(one) for one in found)
    assert len(found[0]) == 3


def test_an_unknown_or_empty_group(gallery):
    with pytest.raises(NotFound):
        audit_group(gallery, "people", unlike=0.3, alike=0.6)
    gallery.create_group("people", contract=CONTRACT)
    assert audit_group(gallery, "people", unlike=0.3, alike=0.6).faces == 0
    assert suggest_persons(gallery, "people", threshold=0.5) == []


def test_the_limits_come_from_the_calibration():
    calibration = mock_calibration()
    small, large = (limits_of(calibration, faces) for faces in (10, 10_000))
    assert small[0] == large[0] < small[1] < large[1]
