"""What dialects keep: notes that go with their group or person, and what passes at its time."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import sqlalchemy as sa

from mien.errors import AlreadyExists, InvalidArgument, KeyMismatch, NotFound
from mien.gallery import Gallery, annex
from mien.gallery.records.schema import notes, passing
from mien.types import EmbeddingContract, Embeddings

CONTRACT = EmbeddingContract("mock", "0" * 64, 1, 4)


@pytest.fixture
def gallery(url):
    with Gallery.open(url) as opened:
        opened.create_group("people", contract=CONTRACT)
        yield opened


def rows(gallery, table):
    with gallery._database.reading() as connection:
        return connection.execute(sa.select(table)).all()


def add_face(gallery, person):
    one = Embeddings(np.array([[1, 0, 0, 0]], np.float32), np.array([10], np.float32))
    return gallery.add_faces("people", person, one, contract=CONTRACT)[0]


def later(monkeypatch, seconds):
    class Clock(datetime):
        @classmethod
        def now(cls, zone=None):
            return datetime.now(zone) + timedelta(seconds=seconds)

    monkeypatch.setattr(annex, "datetime", Clock)


# ---------------------------------------------------------------------- notes


def test_a_note_is_written_found_changed_and_deleted(gallery):
    kept = gallery.annex
    kept.add_note("space", "b", "1", group="people")
    kept.add_note("space", "a", "2")
    kept.add_note("other", "b", "3")
    assert kept.note("space", "b") == ("b", "people", "1")
    assert kept.note("space", "a") == ("a", None, "2")
    assert kept.note("space", "c") is None
    assert [one.key for one in kept.notes("space")] == ["a", "b"]
    assert [one.key for one in kept.notes("space", after="a", limit=1)] == ["b"]
    assert kept.notes_of("space", ["a", "b", "c"]) == {"a": "2", "b": "1"}
    kept.change_note("space", "b", lambda text: text + "!")
    assert kept.notes_of("space", ["b"]) == {"b": "1!"}
    kept.delete_note("space", "b")
    kept.delete_note("space", "b")
    assert kept.note("space", "b") is None


def test_a_key_is_taken_once(gallery):
    gallery.annex.add_note("space", "a", "1")
    with pytest.raises(AlreadyExists):
        gallery.annex.add_note("space", "a", "2")
    assert gallery.annex.note("space", "a").document == "1"


def test_a_note_that_is_not_there_is_not_changed(gallery):
    with pytest.raises(NotFound):
        gallery.annex.change_note("space", "a", str.upper)
    with pytest.raises(NotFound):
        gallery.annex.add_note("space", "a", "1", group="nowhere")


def test_a_note_goes_with_its_group(gallery):
    gallery.annex.add_note("space", "a", "1", group="people")
    gallery.rename_group("people", "others")
    assert gallery.annex.note("space", "a").group == "others"
    gallery.delete_group("others")
    assert rows(gallery, notes) == []


def test_a_note_goes_with_its_person(gallery):
    person = gallery.add_person("people", "Ann")
    gallery.annex.add_note("space", person.id, "1", group="people", person=person.id)
    gallery.delete_person("people", "Ann")
    assert rows(gallery, notes) == []


def test_a_note_about_a_person_is_part_of_what_the_person_is_given(gallery):
    person = gallery.add_person("people", "Ann")
    gallery.annex.add_note("space", person.id, "A\nnn", group="people", person=person.id)
    gallery.annex.add_note("space", "other", "x", group="people")
    given = gallery.privacy.export("people", "Ann")["notes"]
    assert given == [{"space": "space", "key": person.id, "document": "A\nnn"}]
    gallery.privacy.erase("people", "Ann")
    assert [row.key for row in rows(gallery, notes)] == ["other"]


def test_an_application_sees_its_own_notes(gallery):
    gallery.create_application("other")
    other = gallery.for_application("other")
    gallery.annex.add_note("space", "a", "1")
    assert other.annex.note("space", "a") is None
    other.annex.add_note("space", "a", "2")
    other.annex.delete_note("space", "a")
    assert gallery.annex.note("space", "a").document == "1"


# ---------------------------------------------------------------------- what passes


def test_what_is_kept_is_found_until_its_time(gallery, monkeypatch):
    until = gallery.annex.keep("kind", {"a": b"one", "b": b"two"}, seconds=60, limit=9)
    assert abs((until - datetime.now(UTC)).total_seconds() - 60) < 10
    assert gallery.annex.kept("kind", ["a", "b", "c"]) == {"a": b"one", "b": b"two"}
    assert gallery.annex.kept("other", ["a"]) == {}
    later(monkeypatch, 59)
    assert gallery.annex.kept("kind", ["a"]) == {"a": b"one"}
    later(monkeypatch, 61)
    assert gallery.annex.kept("kind", ["a"]) == {}


def test_what_has_passed_is_deleted_with_the_next(gallery, monkeypatch):
    gallery.annex.keep("kind", {"a": b"one"}, seconds=60, limit=9)
    later(monkeypatch, 61)
    gallery.annex.keep("kind", {"b": b"two"}, seconds=60, limit=9)
    assert [row.id for row in rows(gallery, passing)] == ["b"]


def test_beyond_the_limit_the_next_to_pass_go(gallery):
    gallery.annex.keep("other", {"x": b""}, seconds=1, limit=1)
    gallery.annex.keep("kind", {"late": b""}, seconds=500, limit=2)
    gallery.annex.keep("kind", {"early": b""}, seconds=60, limit=2)
    assert set(gallery.annex.kept("kind", ["late", "early"])) == {"late", "early"}
    gallery.annex.keep("kind", {"new": b""}, seconds=100, limit=2)
    assert set(gallery.annex.kept("kind", ["late", "early", "new"])) == {"late", "new"}
    assert set(gallery.annex.kept("other", ["x"])) == {"x"}


def test_many_are_bounded_too_within_a_few_hundredths(gallery):
    for batch in range(10):
        some = {f"{batch}-{i}": b"" for i in range(60)}
        gallery.annex.keep("kind", some, seconds=60, limit=200)
        assert len(rows(gallery, passing)) <= 260
    assert len(rows(gallery, passing)) >= 200


def test_nothing_lies_open_in_the_database(gallery, tmp_path):
    secret = b"a template that nobody may read"
    gallery.annex.keep("kind", {"a": secret}, seconds=60, limit=9)
    (row,) = rows(gallery, passing)
    assert secret not in row.sealed
    for file in tmp_path.iterdir():
        assert secret not in file.read_bytes()


def test_a_value_under_another_id_or_kind_does_not_open(gallery):
    gallery.annex.keep("kind", {"a": b"one", "b": b"two"}, seconds=60, limit=9)
    with gallery._database.writing() as connection:
        (one, two) = connection.execute(sa.select(passing).order_by(passing.c.id)).all()
        swap = passing.update().where(passing.c.id == "a").values(sealed=two.sealed)
        connection.execute(swap)
    with pytest.raises(KeyMismatch):
        gallery.annex.kept("kind", ["a"])
    assert one.sealed != two.sealed


def test_another_opening_finds_what_is_kept(gallery, url):
    gallery.annex.keep("kind", {"a": b"one"}, seconds=60, limit=9)
    with Gallery.open(url) as again:
        assert again.annex.kept("kind", ["a"]) == {"a": b"one"}


def test_another_application_does_not_find_it(gallery):
    gallery.create_application("other")
    gallery.annex.keep("kind", {"a": b"one"}, seconds=60, limit=9)
    assert gallery.for_application("other").annex.kept("kind", ["a"]) == {}


def test_it_can_be_forgotten_before_its_time(gallery):
    gallery.annex.keep("kind", {"a": b"one", "b": b"two"}, seconds=60, limit=9)
    gallery.annex.forget("kind", "a")
    gallery.annex.forget("kind", "a")
    assert set(gallery.annex.kept("kind", ["a", "b"])) == {"b"}


def test_a_question_has_at_most_a_thousand_ids(gallery):
    ids = [uuid.uuid4().hex for _ in range(1000)]
    assert gallery.annex.kept("kind", ids) == {}
    with pytest.raises(InvalidArgument):
        gallery.annex.kept("kind", [*ids, "x"])


# ---------------------------------------------------------------------- persons and faces


def test_persons_by_id_and_their_faces(gallery):
    persons = sorted(gallery.add_person("people", name).id for name in ("Cid", "Ann", "Bob"))
    gallery.add_faces(
        "people",
        None,
        Embeddings(np.eye(4, dtype=np.float32)[:1], np.ones(1, np.float32)),
        contract=CONTRACT,
    )
    listed = [one.id for one in gallery.annex.persons("people")]
    assert listed == persons  # nobody without a name
    assert [one.id for one in gallery.annex.persons("people", after=persons[0], limit=1)] == [
        persons[1]
    ]
    faces = [add_face(gallery, persons[0]).id for _ in range(2)]
    assert gallery.annex.face_ids("people", persons) == {
        persons[0]: faces,
        persons[1]: [],
        persons[2]: [],
    }
    assert gallery.annex.newest_face("people") == max(faces)
    assert gallery.annex.groups_of(persons[0]) == ["people"]
    gallery.create_group("more", contract=CONTRACT)
    assert gallery.annex.newest_face("more") == ""
    gallery.add_member("more", persons[0], source="people")
    assert gallery.annex.groups_of(persons[0]) == ["more", "people"]
    assert gallery.annex.newest_face("more") == max(faces)
