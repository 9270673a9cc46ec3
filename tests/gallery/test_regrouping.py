"""Moving, merging and splitting, in every kind of database."""

import threading

import numpy as np
import pytest
import sqlalchemy as sa

from mien.errors import (
    AlreadyExists,
    ConsentMissing,
    EmbeddingMismatch,
    InvalidArgument,
    LimitExceeded,
    NotFound,
)
from mien.gallery import Gallery, GalleryLimits, GroupSettings
from mien.gallery.records.kept import image_context, images_of
from mien.gallery.records.schema import face_images, faces, persons
from mien.gallery.records.vault import vault_of
from mien.testing.galleries import random_contract, unit_vectors
from mien.types import Box, Embeddings

PHOTO = "a" * 64


@pytest.fixture
def clubs(gallery, contract):
    """Two groups of one contract and one of another; Ann is in the first two."""
    for name in ("staff", "club"):
        gallery.create_group(name, contract=contract)
    gallery.create_group("other-model", contract=random_contract(6))
    enrol(gallery, "staff", "Ann", 2)
    enrol(gallery, "staff", "Bob", 1, seed=1)
    enrol(gallery, "club", "Cem", 1, seed=2)
    gallery.add_member("club", "Ann", source="staff", name="Annie")
    return gallery


def enrol(gallery, group, person, n=1, seed=0, **options):
    contract = gallery.group(group).contract
    vectors = unit_vectors(n, contract.dim, seed=seed)
    embeddings = Embeddings(vectors, np.full(n, 10, np.float32))
    return gallery.add_faces(
        group, person, embeddings, contract=contract, create_person=True, **options
    )


def counts(gallery, *groups):
    found = [gallery.group(group) for group in groups]
    for group in found:
        everybody = [*gallery.persons(group.name), *gallery.persons(group.name, anonymous=True)]
        assert group.persons == len(everybody)
        assert group.faces == len(gallery.faces(group.name)) == sum(p.faces for p in everybody)
    return [(group.persons, group.faces) for group in found]


def best(gallery, group, seed, n=1):
    contract = gallery.group(group).contract
    (hits,) = gallery.search(
        group, unit_vectors(n, contract.dim, seed=seed)[-1:], k=1, contract=contract
    )
    return (hits[0].person, round(hits[0].similarity, 5)) if hits else None


# ---------------------------------------------------------------- members


def test_a_member_may_have_another_name_in_each_group(clubs):
    assert clubs.person("club", "Annie").id == clubs.person("staff", "Ann").id
    assert counts(clubs, "staff", "club") == [(2, 3), (2, 3)]
    assert best(clubs, "club", 0) == ("Annie", 1)
    with pytest.raises(AlreadyExists):
        clubs.add_member("club", "Ann", source="staff", name="A")
    with pytest.raises(AlreadyExists):
        clubs.add_member("club", "Bob", source="staff", name="Cem")
    clubs.undo("club")
    assert counts(clubs, "staff", "club") == [(2, 3), (1, 1)]


def test_a_person_moves_with_all_faces(clubs):
    ann = clubs.person("staff", "Ann").id
    clubs.remove_member("club", "Annie")
    moved = clubs.move_person("staff", "Ann", "club", name="Anna")
    assert (moved.id, moved.name, moved.faces) == (ann, "Anna", 2)
    assert counts(clubs, "staff", "club") == [(1, 1), (2, 3)]
    assert best(clubs, "staff", 0)[0] == "Bob"
    assert best(clubs, "club", 0) == ("Anna", 1)
    with pytest.raises(NotFound):
        clubs.person("staff", ann)
    clubs.undo("staff")
    assert clubs.person("staff", "Ann").id == ann
    assert counts(clubs, "staff", "club") == [(2, 3), (1, 1)]
    clubs.undo("club")  # the removal
    assert counts(clubs, "staff", "club") == [(2, 3), (2, 3)]


def test_a_person_does_not_move_where_the_faces_would_be_lost(clubs):
    with pytest.raises(EmbeddingMismatch):
        clubs.move_person("staff", "Ann", "other-model")
    with pytest.raises(AlreadyExists):
        clubs.move_person("staff", "Ann", "club")
    with pytest.raises(AlreadyExists):
        clubs.move_person("staff", "Bob", "club", name="Annie")
    with pytest.raises(NotFound):
        clubs.move_person("staff", "Bob", "nowhere")
    assert counts(clubs, "staff", "club") == [(2, 3), (2, 3)]


# ---------------------------------------------------------------- merge


def test_two_persons_become_one_in_every_group(clubs):
    bob, cem = clubs.person("staff", "Bob"), clubs.person("club", "Cem")
    clubs.add_member("staff", "Cem", source="club", name="Cem S.")
    merged = clubs.merge_persons("staff", "Bob", "Cem S.")
    assert (merged.id, merged.name, merged.faces) == (bob.id, "Bob", 2)
    assert counts(clubs, "staff", "club") == [(2, 4), (2, 4)]
    assert clubs.person("club", "Cem").id == bob.id  # by the name that the other had there
    assert best(clubs, "staff", 2) == ("Bob", 1)
    assert best(clubs, "club", 1) == ("Cem", 1)
    with pytest.raises(NotFound):
        clubs.person("staff", cem.id)
    entry = clubs.undo("staff")
    assert entry.kind == "person.merge"
    assert set(entry.persons) == {bob.id, cem.id}
    assert counts(clubs, "staff", "club") == [(3, 4), (2, 3)]
    assert clubs.person("club", "Cem") == cem
    assert best(clubs, "staff", 2) == ("Cem S.", 1)
    assert best(clubs, "club", 2) == ("Cem", 1)


def test_a_merge_keeps_what_the_first_has_and_takes_what_is_missing(clubs):
    clubs.set_person("staff", "Ann", user_data="mine")
    clubs.set_person("staff", "Bob", user_data="yours", external_id="17")
    before = clubs.person("staff", "Bob")
    merged = clubs.merge_persons("staff", "Ann", "Bob")
    assert (merged.user_data, merged.external_id) == ("mine", "17")
    assert clubs.person_by_external_id("staff", "17").id == merged.id
    clubs.undo("staff")
    assert clubs.person("staff", "Ann").external_id is None
    assert clubs.person_by_external_id("staff", "17") == before


def test_a_photo_that_both_have_is_kept_twice_and_is_still_known(clubs):
    enrol(clubs, "staff", "Ann", seed=5, source_sha256=PHOTO, boxes=[Box(1, 2, 30, 40)])
    enrol(clubs, "staff", "Bob", seed=5, source_sha256=PHOTO, boxes=[Box(1, 2, 30, 40)])
    merged = clubs.merge_persons("staff", "Ann", "Bob")
    assert merged.faces == 5
    with pytest.raises(AlreadyExists, match="enrolled already"):
        enrol(clubs, "staff", "Ann", seed=6, source_sha256=PHOTO)
    clubs.undo("staff")
    with clubs._database.reading() as connection:
        keys = connection.execute(sa.select(faces.c.source_key)).scalars().all()
    assert len([key for key in keys if key]) == 2
    for name in ("Ann", "Bob"):
        with pytest.raises(AlreadyExists, match="enrolled already"):
            enrol(clubs, "staff", name, seed=6, source_sha256=PHOTO)


def test_nobody_is_merged_with_himself(clubs):
    ann = clubs.person("staff", "Ann").id
    with pytest.raises(InvalidArgument, match="itself"):
        clubs.merge_persons("staff", "Ann", ann)
    with pytest.raises(NotFound):
        clubs.merge_persons("staff", "Ann", "nobody")
    with pytest.raises(NotFound):
        clubs.merge_persons("staff", "Ann", "Cem")  # who is in another group
    assert counts(clubs, "staff") == [(2, 3)]


def test_faces_enrolled_after_a_merge_stay_where_they_are(clubs):
    clubs.merge_persons("staff", "Ann", "Bob")
    (new,) = enrol(clubs, "staff", "Ann", seed=9)
    gone = clubs.faces("staff", "Ann")[0]
    clubs.delete_face("staff", gone.id)
    clubs.undo("staff")
    assert clubs.face("staff", new.id).person == "Ann"
    assert clubs.person("staff", "Bob").faces == 1
    assert counts(clubs, "staff", "club") == [(2, 3), (2, 3)]


# ---------------------------------------------------------------- split


def test_faces_of_another_become_a_person_in_every_group(clubs):
    ann = clubs.person("staff", "Ann")
    first, second = clubs.faces("staff", "Ann")
    made = clubs.split_person("staff", "Ann", [second.id], name="Eva")
    assert (made.name, made.faces) == ("Eva", 1)
    assert made.id != ann.id
    assert counts(clubs, "staff", "club") == [(3, 3), (3, 3)]
    assert clubs.person("club", "Eva").id == made.id
    assert best(clubs, "club", 0, n=2) == ("Eva", 1)
    assert [face.id for face in clubs.faces("club", "Annie")] == [first.id]
    clubs.undo("staff")
    assert counts(clubs, "staff", "club") == [(2, 3), (2, 3)]
    assert clubs.person("staff", "Ann") == ann
    assert best(clubs, "club", 0, n=2) == ("Annie", 1)


@pytest.mark.parametrize("chosen", [[], ["0" * 32], ["x"], ["bob"], ["0" * 32] * 1001])
def test_faces_that_cannot_be_split_off(clubs, chosen):
    if chosen == ["bob"]:
        chosen = [clubs.faces("staff", "Bob")[0].id]
    if len(chosen) > 1:
        chosen = [f"{i:032x}" for i in range(1001)]
    with pytest.raises((InvalidArgument, NotFound)):
        clubs.split_person("staff", "Ann", chosen, name="Eva")
    assert counts(clubs, "staff", "club") == [(2, 3), (2, 3)]


def test_a_split_needs_a_name_that_is_free_in_every_group(clubs):
    face = clubs.faces("staff", "Ann")[0]
    for taken in ("Bob", "Cem", "Annie"):
        with pytest.raises(AlreadyExists):
            clubs.split_person("staff", "Ann", [face.id], name=taken)
    assert counts(clubs, "staff", "club") == [(2, 3), (2, 3)]


# ---------------------------------------------------------------- faces


def test_a_face_goes_to_another_person_and_is_seen_where_that_one_is(clubs):
    (face,) = clubs.faces("staff", "Bob")
    moved = clubs.move_face("staff", face.id, "Ann")
    assert (moved.id, moved.person, moved.created_at) == (face.id, "Ann", face.created_at)
    assert counts(clubs, "staff", "club") == [(2, 3), (2, 4)]
    assert best(clubs, "club", 1) == ("Annie", 1)
    clubs.undo("staff")
    assert counts(clubs, "staff", "club") == [(2, 3), (2, 3)]
    assert best(clubs, "club", 1)[1] < 1
    clubs.move_face("staff", face.id, "Cem", to_group="club")
    assert counts(clubs, "staff", "club") == [(2, 2), (2, 4)]
    assert clubs.move_face("club", face.id, "Cem").person == "Cem"  # nothing happens
    assert [entry.kind for entry in clubs.changes("club")] == ["person.join"]


def test_a_face_that_cannot_move(clubs):
    (face,) = clubs.faces("staff", "Bob")
    enrol(clubs, "other-model", "Dan")
    with pytest.raises(EmbeddingMismatch):
        clubs.move_face("staff", face.id, "Dan", to_group="other-model")
    with pytest.raises(NotFound):
        clubs.move_face("staff", face.id, "Cem")
    with pytest.raises(NotFound):
        clubs.move_face("club", face.id, "Cem")
    for name in ("Ann", "Bob"):
        (face,) = enrol(clubs, "staff", name, seed=4, source_sha256=PHOTO)
    with pytest.raises(AlreadyExists, match="this photo"):
        clubs.move_face("staff", face.id, "Ann")


def test_an_unknown_face_gets_a_person(clubs):
    (face,) = enrol(clubs, "staff", None, seed=7)
    unknown = clubs.person("staff", face.person_id)
    assert unknown.anonymous
    assert unknown.name == unknown.id == face.person
    assert [person.name for person in clubs.persons("staff")] == ["Ann", "Bob"]
    assert clubs.persons("staff", anonymous=True) == [unknown]
    assert best(clubs, "staff", 7) == (unknown.id, 1)
    assert counts(clubs, "staff") == [(3, 4)]
    clubs.move_face("staff", face.id, "Bob")
    assert clubs.persons("staff", anonymous=True) == []
    assert counts(clubs, "staff") == [(2, 4)]
    clubs.undo("staff")
    assert clubs.persons("staff", anonymous=True) == [unknown]
    assert counts(clubs, "staff") == [(3, 4)]
    named = clubs.rename_person("staff", unknown.id, "Eva")
    assert (named.id, named.anonymous) == (unknown.id, False)
    assert [person.name for person in clubs.persons("staff")] == ["Ann", "Bob", "Eva"]
    clubs.undo("staff")
    assert clubs.persons("staff", anonymous=True) == [unknown]


def test_every_unknown_face_has_a_person_of_its_own(clubs):
    one, two = enrol(clubs, "staff", None, 2, seed=7)
    assert one.person_id != two.person_id
    assert len(clubs.persons("staff", anonymous=True)) == 2
    assert (
        clubs.persons("staff", anonymous=True, after=one.person_id)[:1]
        == [
            person for person in clubs.persons("staff", anonymous=True) if person.id > one.person_id
        ][:1]
    )


# ---------------------------------------------------------------- what is sealed goes along


def test_what_is_sealed_is_sealed_for_the_new_owner(clubs):
    (face,) = clubs.faces("staff", "Bob")
    with clubs._database.writing() as connection:
        row = connection.execute(sa.select(faces).where(faces.c.id == face.id)).one()
        secret = (b"a crop", image_context(face.id, "crop"))
        (sealed,) = vault_of(connection).seal_for(connection, row.person_seq, [secret])
        values = {"face_seq": row.seq, "kind": "crop", "media_type": "image/png"}
        connection.execute(face_images.insert().values(**values, sealed=sealed))
    clubs.move_face("staff", face.id, "Ann")
    with clubs._database.reading() as connection:
        after = connection.execute(sa.select(faces).where(faces.c.id == face.id)).one()
        assert bytes(after.vector) != bytes(row.vector)
        ann = connection.execute(
            sa.select(persons.c.seq).where(persons.c.id == clubs.person("staff", "Ann").id)
        ).scalar_one()
        (image,) = images_of(connection, ann)
    assert image == ({"face_id": face.id, "kind": "crop", "media_type": "image/png"}, b"a crop")
    clubs.delete_person("staff", "Bob")  # and the key with him
    assert np.array_equal(
        clubs.embeddings("staff", "Ann")[1].vector[-1:], unit_vectors(1, 8, seed=1)
    )


# ---------------------------------------------------------------- limits and consent


def test_the_limits_of_a_group_hold_for_moves(url, contract):
    limits = GalleryLimits(faces_per_group=3, persons_per_group=2)
    with Gallery.open(url, limits=limits) as gallery:
        for group in ("staff", "club"):
            gallery.create_group(group, contract=contract)
        enrol(gallery, "staff", "Ann", 2)
        enrol(gallery, "staff", "Bob", 1, seed=1)
        enrol(gallery, "club", "Cem", 2, seed=2)
        (face,) = gallery.faces("staff", "Bob")
        with pytest.raises(LimitExceeded, match="3 faces"):
            gallery.move_person("staff", "Ann", "club")
        with pytest.raises(LimitExceeded, match="2 persons"):
            gallery.split_person("staff", "Ann", [gallery.faces("staff")[0].id], name="Eva")
        gallery.move_face("staff", face.id, "Cem", to_group="club")
        with pytest.raises(LimitExceeded, match="3 faces"):
            gallery.move_face("staff", gallery.faces("staff")[0].id, "Cem", to_group="club")
        assert counts(gallery, "staff", "club") == [(2, 2), (1, 3)]


def test_a_group_has_limits_of_its_own(clubs):
    clubs.set_group("club", settings=GroupSettings(max_persons=2, max_faces=3))
    with pytest.raises(LimitExceeded, match="2 persons"):
        clubs.add_person("club", "Eva")
    with pytest.raises(LimitExceeded, match="3 faces"):
        enrol(clubs, "club", "Cem", seed=8)
    with pytest.raises(LimitExceeded, match="'club' may have 3 faces"):
        enrol(clubs, "staff", "Ann", seed=8)  # who is a member there too
    clubs.set_group("club", settings=GroupSettings(max_faces=0))  # what is there may stay
    assert counts(clubs, "staff", "club") == [(2, 3), (2, 3)]
    clubs.set_group("club", settings=GroupSettings(max_faces=4))
    enrol(clubs, "staff", "Ann", seed=8)
    assert counts(clubs, "staff", "club") == [(2, 4), (2, 4)]


def test_no_move_goes_around_consent(clubs):
    clubs.set_group("club", settings=GroupSettings(consent="required"))
    (face,) = clubs.faces("staff", "Bob")
    for call in (
        lambda: clubs.move_person("staff", "Bob", "club"),
        lambda: clubs.add_member("club", "Bob", source="staff"),
        lambda: clubs.move_face("staff", face.id, "Cem", to_group="club"),
        lambda: clubs.merge_persons("staff", "Ann", "Bob"),
        lambda: clubs.split_person("staff", "Ann", [clubs.faces("staff")[0].id], name="Eva"),
        lambda: enrol(clubs, "club", None),
    ):
        with pytest.raises(ConsentMissing):
            call()
    assert counts(clubs, "staff", "club") == [(2, 3), (2, 3)]
    consent = {"purpose": "door", "text_version": "1", "language": "en"}
    given = clubs.privacy.give_consent("staff", "Bob", **consent, every_group=True)
    clubs.merge_persons("staff", "Ann", "Bob")
    assert clubs.privacy.consents("club", "Annie")[0].id == given.id
    clubs.undo("staff")
    assert clubs.privacy.consents("club", "Annie") == []
    assert clubs.privacy.consents("staff", "Bob")[0].id == given.id
    clubs.move_person("staff", "Bob", "club")


# ---------------------------------------------------------------- at once


def test_threads_that_move_at_once_lose_nothing(clubs):
    faces_before = sorted(face.id for face in clubs.faces("staff"))
    barrier, failures = threading.Barrier(4), []

    def work(names):
        barrier.wait()
        for _ in range(5):
            try:
                clubs.merge_persons("staff", *names)
                clubs.undo("staff")
            except (NotFound, InvalidArgument, AlreadyExists):
                continue  # another thread was quicker
            except Exception as error:
                failures.append(error)

    threads = [
        threading.Thread(target=work, args=(names,))
        for names in [("Ann", "Bob"), ("Bob", "Ann")] * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    while any(entry.undone_at is None for entry in clubs.changes("staff")):
        clubs.undo("staff")
    assert sorted(face.id for face in clubs.faces("staff")) == faces_before
    assert counts(clubs, "staff", "club") == [(2, 3), (2, 3)]
    assert best(clubs, "staff", 1) == ("Bob", 1)
