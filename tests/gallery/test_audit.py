"""The audit log: complete, and nothing in it can be changed unseen."""

import sqlite3

import pytest
import sqlalchemy as sa

from mien.errors import GalleryError
from mien.gallery import Gallery
from mien.gallery.protect import KeyRing, new_key
from mien.gallery.records.schema import audit
from mien.testing.galleries import random_contract


@pytest.fixture
def written(gallery):
    """A gallery with a short history."""
    gallery.create_group("people", contract=random_contract(8))
    for name in ("Ann", "Bob", "Cleo"):
        gallery.add_person("people", name)
    gallery.delete_person("people", "Bob")
    return gallery


def test_who_did_what_is_written_without_names(written):
    gallery = written.for_application("default", actor="key 17")
    gallery.delete_group("people")
    entries = gallery.privacy.audit()
    assert [entry.action for entry in entries] == [
        "group.create", "person.create", "person.create", "person.create", "person.delete",
        "group.delete",
    ]  # fmt: skip
    assert [entry.actor for entry in entries] == ["library"] * 5 + ["key 17"]
    assert entries[2].subject == entries[4].subject  # Bob's id
    assert "Bob" not in str([entry.to_dict() for entry in entries])


def test_what_fails_is_not_written(written):
    before = len(written.privacy.audit())
    with pytest.raises(Exception, match="already"):
        written.add_person("people", "Ann")
    assert len(written.privacy.audit()) == before


def test_an_untouched_log_is_good_and_has_a_head(written):
    check = written.privacy.verify_audit()
    assert check
    assert check.entries == 5
    assert check.head == written.privacy.audit()[-1].hash
    assert written.privacy.verify_audit(head=check.head)


def test_the_database_itself_refuses_changes(written):
    for statement in (audit.update().values(actor="nobody"), audit.delete()):
        with pytest.raises(GalleryError), written._database.writing() as connection:
            connection.execute(statement)
    assert written.privacy.verify_audit()


@pytest.fixture
def file(tmp_path):
    """The same history in a file whose triggers an intruder has taken away."""
    path = tmp_path / "gallery.db"
    with Gallery.open(f"sqlite:///{path}") as gallery:
        gallery.create_group("people", contract=random_contract(8))
        for name in ("Ann", "Bob", "Cleo", "Dora"):
            gallery.add_person("people", name)
    return path


def tamper(path, *statements):
    database = sqlite3.connect(path, isolation_level=None)
    for (name,) in database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'"
    ).fetchall():
        database.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        database.execute(statement)
    database.close()


@pytest.mark.parametrize(
    ("statement", "place", "what"),
    [
        ("UPDATE audit SET actor = 'nobody' WHERE seq = 3", 3, "changed"),
        ("UPDATE audit SET at = at + 1 WHERE seq = 1", 1, "changed"),
        ("UPDATE audit SET details = '{}' WHERE seq = 5", 5, "changed"),
        ("DELETE FROM audit WHERE seq = 3", 4, "missing"),
        ("DELETE FROM audit WHERE seq = 1", 2, "missing"),
        ("UPDATE audit SET seq = seq + 10 WHERE seq = 2", 3, "missing"),  # moved to the end
    ],
)
def test_tampering_is_pinpointed(file, statement, place, what):
    tamper(file, statement)
    with Gallery.open(f"sqlite:///{file}") as gallery:
        check = gallery.privacy.verify_audit()
    assert not check
    assert (check.tampering.seq, check.tampering.what) == (place, what)
    assert check.entries == (place - 1 if what == "changed" else place - 2)


def test_a_cut_end_is_seen_by_who_kept_a_head(file):
    with Gallery.open(f"sqlite:///{file}") as gallery:
        head = gallery.privacy.verify_audit().head
    tamper(file, "DELETE FROM audit WHERE seq >= 4")
    with Gallery.open(f"sqlite:///{file}") as gallery:
        assert gallery.privacy.verify_audit()  # by itself it is a whole, shorter log
        assert gallery.privacy.verify_audit(head=head).tampering.what == "cut"


def test_a_chain_computed_anew_without_the_key_is_seen(file):
    """An intruder with a key of their own writes a history that hangs together."""
    forged = file.with_name("forged.db")
    with Gallery.open(f"sqlite:///{forged}", keys=KeyRing([new_key()])) as gallery:
        gallery.create_group("people", contract=random_contract(8))
    tamper(
        file,
        f"ATTACH '{forged}' AS forged",
        "DELETE FROM audit",
        "INSERT INTO audit SELECT * FROM forged.audit",
    )
    with Gallery.open(f"sqlite:///{file}") as gallery:
        assert gallery.privacy.verify_audit().tampering.what == "changed"


def test_applications_have_logs_of_their_own(gallery):
    gallery.create_application("other")
    other = gallery.for_application("other")
    gallery.create_group("a", contract=random_contract(8))
    other.create_group("b", contract=random_contract(8))
    assert [entry.subject for entry in gallery.privacy.audit()] == ["a"]
    assert [entry.action for entry in other.privacy.audit()] == [
        "application.create", "group.create",
    ]  # fmt: skip
    assert gallery.privacy.verify_audit()
    assert other.privacy.verify_audit()


def test_a_new_gallery_has_a_good_empty_log(gallery):
    check = gallery.privacy.verify_audit()
    assert check
    assert (check.entries, check.head) == (0, "")


def test_no_key_is_ever_in_the_log(gallery):
    key, secret = gallery.create_key("default")
    gallery.revoke_key(key.id)
    with gallery._database.reading() as connection:
        text = str(connection.execute(sa.select(audit)).all())
    assert key.id in text
    assert secret not in text
