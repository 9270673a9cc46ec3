"""Names in the records of jobs go with the person, on every kind of database."""

from __future__ import annotations

import numpy as np
import pytest

from mien.gallery import Gallery
from mien.gallery.jobs import JobItem, Jobs
from mien.testing.galleries import random_contract, unit_vectors
from mien.types import Embeddings

CONTRACT = random_contract(8)
NAME = "Ann-Sophie Quxley"


def enrol(gallery, person, seed, group="people"):
    gallery.ensure_group(group, contract=CONTRACT)
    vector = unit_vectors(1, 8, seed=seed)
    (face,) = gallery.add_faces(
        group, person, Embeddings(vector, np.ones(1, np.float32)), contract=CONTRACT,
        create_person=True,
    )  # fmt: skip
    return face.id


def recorded(gallery, *items):
    jobs = Jobs(gallery)
    made = jobs.create("enroll", options={"group": "people"}, total=len(items))
    jobs.claim(made.id, "w")
    jobs.record(made.id, "w", items)
    return lambda: jobs.items(made.id)


def item(number, person, state="enrolled", *, face=None, reasons=(), message=""):
    return JobItem(
        number, f"{person}/{number}.png", person, state, reasons, message, "0" * 64, face
    )


@pytest.fixture
def job(gallery):
    """Items of two persons; Ann has been called otherwise before."""
    face, other = enrol(gallery, "Old Name", 1), enrol(gallery, "Bea", 2)
    gallery.rename_person("people", "Old Name", NAME)
    looks = (f"looks_like:{NAME}",)
    said = f"The face looks like {NAME!r} of this group, not only like 'Bea'."
    return recorded(
        gallery,
        item(0, "Old Name", face=face),
        item(1, "Old Name", "rejected", reasons=("no_face",), message="No face was found."),
        item(2, NAME, "rejected", reasons=("duplicate",)),
        item(3, "Bea", face=other),
        item(4, "Bea", "rejected", reasons=looks, message=said),
    )


@pytest.mark.parametrize("way", ["erase", "delete", "group"])
def test_what_is_left_of_a_person_are_counts_and_reasons(gallery, job, way):
    if way == "erase":
        gallery.privacy.erase("people", NAME)
    elif way == "delete":
        gallery.delete_person("people", NAME)
    else:
        gallery.delete_group("people")
    left = job()
    assert len(left) == 5
    for one in left[:3]:
        assert (one.name, one.person, one.sha256) == ("(erased)", "", None)
    assert left[1].reasons == ("no_face",)
    assert left[2].state == "rejected"
    if way != "group":
        assert (left[3].name, left[3].person) == ("Bea/3.png", "Bea")
        assert (left[4].name, left[4].reasons, left[4].message) == (
            "Bea/4.png", ("looks_like:",), "",
        )  # fmt: skip
    assert NAME not in str(left)
    assert "Old Name" not in str(left)


def test_who_stays_in_another_group_keeps_the_names(gallery, job):
    gallery.ensure_group("second", contract=CONTRACT)
    before = job()
    enrol(gallery, "Cid", 3, "second")
    gallery.delete_group("second")
    assert job() == before


def test_jobs_of_another_application_are_left_alone(gallery, job):
    gallery.create_application("other")
    other = gallery.for_application("other")
    theirs = recorded(other, item(0, NAME))
    gallery.privacy.erase("people", NAME)
    assert theirs()[0].person == NAME


def test_after_erasure_no_name_is_left_in_any_file(tmp_path):
    with Gallery.open(f"sqlite:///{tmp_path / 'gallery.db'}") as gallery:
        for i in range(20):
            enrol(gallery, f"other {i}", 10 + i)
        face = enrol(gallery, NAME, 99)
        looks = (f"looks_like:{NAME}",)
        items = [
            item(0, NAME, face=face),
            item(1, NAME, "rejected", message="x"),
            item(2, "other 1", "rejected", reasons=looks, message=f"like {NAME!r}"),
        ]
        recorded(gallery, *items)
        assert NAME.encode() in everything(tmp_path)
        gallery.privacy.erase("people", NAME)
        assert NAME.encode() not in everything(tmp_path)


def everything(folder):
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())
