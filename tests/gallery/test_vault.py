"""Templates at rest: sealed, bound to their row, opened by the right key only."""

import sqlite3

import numpy as np
import pytest
import sqlalchemy as sa

from mien.errors import KeyMismatch, KeyMissing
from mien.gallery import Gallery
from mien.gallery.protect import KeyRing, new_key
from mien.gallery.records.schema import application_keys, faces, person_keys, persons
from mien.gallery.records.sealing import sealed_bytes
from mien.testing.galleries import random_contract, unit_vectors
from mien.types import Embeddings

CONTRACT = random_contract(8)


def enrol(gallery, person, seed, group="people"):
    vector = unit_vectors(1, 8, seed=seed)
    gallery.ensure_group(group, contract=CONTRACT)
    gallery.add_faces(
        group, person, Embeddings(vector, np.ones(1, np.float32)), contract=CONTRACT,
        create_person=True,
    )  # fmt: skip
    return vector


def test_no_template_lies_bare_in_the_database(gallery):
    vector = enrol(gallery, "Ann", 1)
    with gallery._database.reading() as connection:
        (stored,) = connection.execute(sa.select(faces.c.vector)).scalars()
    assert len(stored) == sealed_bytes(CONTRACT)
    assert vector.astype("<f4").tobytes()[:8] not in bytes(stored)
    assert np.array_equal(gallery.embeddings("people", "Ann")[1].vector, vector)


def test_another_master_key_is_refused_and_nothing_is_changed(url):
    right, wrong = KeyRing([new_key()]), KeyRing([new_key()])
    with Gallery.open(url, keys=right) as gallery:
        vector = enrol(gallery, "Ann", 1)
    with Gallery.open(url, keys=wrong) as gallery:
        with pytest.raises(KeyMissing, match=right.current):
            gallery.embeddings("people", "Ann")
        with pytest.raises(KeyMissing):
            gallery.search("people", vector, contract=CONTRACT)
        with pytest.raises(KeyMissing):
            enrol(gallery, "Ann", 2)
        with pytest.raises(KeyMissing):
            enrol(gallery, "Bob", 2)
        assert [person.name for person in gallery.persons("people")] == ["Ann"]
    with Gallery.open(url, keys=right) as gallery:
        assert np.array_equal(gallery.embeddings("people", "Ann")[1].vector, vector)


def test_a_template_copied_to_another_row_does_not_open(gallery):
    enrol(gallery, "Ann", 1)
    enrol(gallery, "Bob", 2)
    with gallery._database.writing() as connection:
        ann, bob = connection.execute(sa.select(faces.c.seq, faces.c.vector).order_by("seq")).all()
        connection.execute(faces.update().where(faces.c.seq == bob.seq).values(vector=ann.vector))
    with pytest.raises(KeyMismatch):
        gallery.embeddings("people", "Bob")


def test_a_missing_person_key_is_said(gallery):
    enrol(gallery, "Ann", 1)
    with gallery._database.writing() as connection:
        connection.execute(person_keys.delete())
    with pytest.raises(KeyMismatch, match="destroyed"):
        gallery.embeddings("people", "Ann")


def test_a_new_master_key_takes_over_while_both_are_at_hand(url):
    old = KeyRing([new_key()])
    both = old.renewed()
    with Gallery.open(url, keys=both) as gallery:
        pass
    with Gallery.open(url, keys=old) as gallery:
        vector = enrol(gallery, "Ann", 1)
    with Gallery.open(url, keys=both) as gallery:
        assert gallery.renew_master_key() >= 2  # the application's key and the log's
        assert gallery.renew_master_key() == 0
    with Gallery.open(url, keys=both.only_current()) as gallery:
        assert np.array_equal(gallery.embeddings("people", "Ann")[1].vector, vector)
        assert gallery.privacy.verify_audit()
    with Gallery.open(url, keys=old) as gallery, pytest.raises(KeyMissing):
        gallery.embeddings("people", "Ann")


def test_a_new_data_key_takes_over_and_the_old_one_is_destroyed(gallery):
    vectors = [enrol(gallery, f"person {i}", i) for i in range(7)]
    assert gallery.renew_data_key(at_once=3) == 7
    with gallery._database.reading() as connection:
        versions = set(connection.execute(sa.select(person_keys.c.version)).scalars())
        kept = connection.execute(sa.select(application_keys.c.version)).scalars().all()
    assert versions == {2}
    assert kept == [2]
    for i, vector in enumerate(vectors):
        assert np.array_equal(gallery.embeddings("people", f"person {i}")[1].vector, vector)


def test_a_first_key_is_not_remembered_from_a_transaction_that_failed(gallery):
    gallery.ensure_group("people", contract=CONTRACT)
    made = gallery.group("people").created_at

    def fail_half_way():
        with gallery._database.writing() as connection:
            query = persons.insert().returning(persons.c.seq)
            row = {"id": "f" * 32, "application_seq": gallery._application.seq}
            row |= {"anonymous": False, "created_at": made}
            seq = connection.execute(query, row).scalar_one()
            gallery._database.vault.seal_for(connection, seq, [(b"secret", b"context")])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    vector = enrol(gallery, "Ann", 1)
    assert np.array_equal(gallery.embeddings("people", "Ann")[1].vector, vector)


def test_two_applications_have_keys_of_their_own(gallery):
    gallery.create_application("other")
    enrol(gallery, "Ann", 1)
    enrol(gallery.for_application("other"), "Ann", 1)
    with gallery._database.reading() as connection:
        owners = connection.execute(sa.select(application_keys.c.application_seq)).scalars().all()
    assert len(set(owners)) == 2


def test_templates_of_an_older_mien_are_sealed_when_it_is_opened(tmp_path):
    file = tmp_path / "old.db"
    with Gallery.open(f"sqlite:///{file}") as gallery:
        vectors = {name: enrol(gallery, name, i) for i, name in enumerate(["Ann", "Bob", "Cleo"])}
    bare = {name: vector.astype("<f4").tobytes() for name, vector in vectors.items()}
    with sqlite3.connect(file) as database:  # as the first schema had them
        for name, blob in bare.items():
            database.execute(
                "UPDATE faces SET vector = ? WHERE person_seq ="
                " (SELECT person_seq FROM members WHERE name = ?)",
                (blob, name),
            )
        database.execute("DELETE FROM person_keys")
        database.execute("DELETE FROM meta WHERE name = 'templates_sealed'")
    database.close()
    assert any(blob in file.read_bytes() for blob in bare.values())
    with Gallery.open(f"sqlite:///{file}") as gallery:
        for name, vector in vectors.items():
            assert np.array_equal(gallery.embeddings("people", name)[1].vector, vector)
    left = b"".join(part.read_bytes() for part in tmp_path.iterdir())
    assert not any(blob in left for blob in bare.values())
