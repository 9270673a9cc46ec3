"""Backup, restore, the drill and the check, on every kind of database."""

import io
import os
import sqlite3
import threading

import numpy as np
import pytest
import sqlalchemy as sa

from mien.errors import (
    AlreadyExists,
    ArchiveUnusable,
    GalleryUnavailable,
    InvalidArgument,
    KeyMissing,
    MienError,
    NotFound,
)
from mien.gallery import Gallery
from mien.gallery.archive import Passphrase
from mien.gallery.archive.frames import FrameWriter
from mien.gallery.follower import SnapshotPolicy
from mien.gallery.operations import backup, check, drill, rebuild_index, restore
from mien.gallery.protect import KeyRing, new_key
from mien.gallery.protect.stream import SealedWriter
from mien.gallery.records.schema import faces, groups, person_keys
from mien.testing.galleries import random_contract, unit_vectors
from mien.types import Embeddings

CONTRACT = random_contract(8)
KEY = Passphrase("correct horse battery", cost=14)
RING = KeyRing([new_key()])
GIVEN = {"purpose": "entry to the gym", "text_version": "2026-11", "language": "ko"}


def add(gallery, group, person, seed):
    gallery.ensure_group(group, contract=CONTRACT)
    one = Embeddings(unit_vectors(1, 8, seed=seed), np.ones(1, np.float32))
    return gallery.add_faces(group, person, one, contract=CONTRACT, create_person=True)


def fill(gallery):
    for i in range(6):
        add(gallery, "gym", f"person {i}", i)
    gallery.create_group("mean", contract=CONTRACT, scoring="mean")
    for i in range(3):
        add(gallery, "mean", f"p{i}", i)
        add(gallery, "mean", f"p{i}", 10 + i)
    gallery.create_application("second")
    add(gallery.for_application("second"), "gym", "Zoe", 40)
    gallery.create_key(application="second")


def opened(url, **more):
    return Gallery.open(url, keys=RING, index="", **more)


def saved(gallery):
    file = io.BytesIO()
    backup(gallery, file)
    return file.getvalue()


def brought(data, url, **options):
    return restore(io.BytesIO(data), url, keys=RING, **options)


def best(gallery, seed, group="gym"):
    hits = gallery.search(group, unit_vectors(1, 8, seed=seed), contract=CONTRACT, k=1)[0]
    return hits[0].person if hits and hits[0].similarity > 0.999 else None


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A backup that every test begins with: made once, restored in one transaction."""
    with opened(f"sqlite:///{tmp_path_factory.mktemp('original') / 'faces.db'}") as made:
        fill(made)
        return saved(made)


@pytest.fixture
def gallery(original, url):
    brought(original, url, replace=True)
    with opened(url) as made:
        yield made


# ---------------------------------------------------------------- backup and restore


def test_a_backup_comes_back_with_keys_logs_and_applications(gallery, databases):
    head = gallery.privacy.verify_audit().head
    data, there = saved(gallery), databases(empty=True)
    restored = brought(data, there)
    assert restored.rows["faces"] == 13
    with opened(there, create=False) as again:
        assert [one.name for one in again.applications()] == ["default", "second"]
        keys = [[key.id for key in one.keys("second")] for one in (again, gallery)]
        assert keys[0] == keys[1]
        assert again.privacy.verify_audit(head=head)
        assert [best(again, i) for i in range(6)] == [f"person {i}" for i in range(6)]
        assert best(again.for_application("second"), 40) == "Zoe"
        assert check(again).to_dict()["faults"] == []
        assert add(again, "gym", "new", 60)[0].person == "new"
        assert best(again, 60) == "new"


def test_a_backup_goes_into_the_other_kind_of_database(gallery, databases, tmp_path):
    there = f"sqlite:///{tmp_path / 'other 100%25.db'}"
    brought(saved(gallery), there)
    with opened(there, create=False) as again:
        assert best(again, 3) == "person 3"
        back = saved(again)
    third = databases(empty=True)
    brought(back, third)
    with opened(third) as again:
        assert again.privacy.verify_audit()
        assert best(again, 4) == "person 4"


def test_numbers_of_rows_are_not_given_again(gallery, databases):
    """A number that a deleted face had must not come to another one by a restore."""
    last = add(gallery, "gym", "last", 50)[0]
    with gallery._database.reading() as connection:
        number = connection.execute(sa.select(faces.c.seq).where(faces.c.id == last.id)).scalar()
    gallery.delete_person("gym", "last")
    there = databases(empty=True)
    brought(saved(gallery), there)
    with opened(there) as again:
        face = add(again, "gym", "new", 51)[0]
        with again._database.reading() as connection:
            query = sa.select(faces.c.seq).where(faces.c.id == face.id)
            assert connection.execute(query).scalar() > number


def test_a_backup_is_of_one_moment_while_others_write(gallery, databases, monkeypatch):
    """Somebody enrols and deletes as fast as can be: what comes back is sound, every time."""
    stop = threading.Event()
    broken = []

    def write():
        number = 100
        while not stop.is_set():
            number += 1
            add(gallery, "gym", f"w{number}", number)
            if number % 3:
                gallery.delete_person("gym", f"w{number - 1}")

    def guarded():
        try:
            write()
        except MienError as error:  # an assertion in a thread would go unseen
            if error.code != "not_found":
                broken.append(error)

    monkeypatch.setattr("mien.gallery.records.dump._ROWS", 2)
    writer = threading.Thread(target=guarded)
    writer.start()
    try:
        copies = [saved(gallery) for _ in range(2)]
    finally:
        stop.set()
        writer.join()
    assert not broken
    for data in copies:
        there = databases(empty=True)
        brought(data, there)
        with opened(there) as again:
            assert check(again).to_dict()["faults"] == []


def test_what_is_written_meanwhile_is_not_in_it(gallery, databases, monkeypatch):
    real = FrameWriter.rows

    def meanwhile(self, kind, *given, **more):
        real(self, kind, *given, **more)
        if kind == "groups":
            add(gallery, "gym", "late", 70)
            gallery.delete_person("gym", "person 0")

    with monkeypatch.context() as patch:
        patch.setattr(FrameWriter, "rows", meanwhile)
        data = saved(gallery)
    there = databases(empty=True)
    brought(data, there)
    with opened(there) as again:
        assert best(again, 70) is None
        assert best(again, 0) == "person 0"


def test_a_gallery_that_is_there_is_only_replaced_when_told(gallery, databases):
    data, there = saved(gallery), databases(empty=True)
    with opened(there) as other:
        add(other, "gym", "mine", 90)
    with pytest.raises(AlreadyExists, match="--replace"):
        brought(data, there)
    with opened(there) as other:
        assert best(other, 90) == "mine"
    brought(data, there, replace=True)
    with opened(there) as other:
        assert best(other, 90) is None
        assert best(other, 1) == "person 1"


def test_who_was_erased_since_is_not_brought_back(gallery, databases):
    there = databases(empty=True)
    gallery.add_person("gym", "agreed")
    consent = gallery.privacy.give_consent("gym", "agreed", **GIVEN)
    data = saved(gallery)
    brought(data, there)
    with opened(there) as live:
        erased = live.privacy.erase("gym", "person 2").person_id
        live.merge_persons("gym", "person 3", "person 4")
        live.privacy.erase("gym", "person 3")
        live.privacy.withdraw_consent(consent.id)
    restored = brought(data, there, replace=True)
    assert (restored.erased_persons, restored.withdrawn_consents) == (3, 1)
    with opened(there) as again:
        assert [best(again, seed) for seed in (1, 2, 3, 4)] == ["person 1", None, None, None]
        assert again.privacy.consents("gym", "agreed")[0].withdrawn_at is not None
        assert check(again).to_dict()["faults"] == []
        assert erased in [e.subject for e in again.privacy.audit(limit=1000)]
    again = brought(data, there, replace=True)  # the log that was restored knows it, too
    assert again.erased_persons == 3
    full = brought(data, there, replace=True, bring_back_erased=True)
    assert full.erased_persons == 0


@pytest.mark.parametrize("kind", ["postgresql"])
def test_processes_that_have_the_gallery_open_go_on_with_the_restored_one(original, url):
    """In PostgreSQL: in SQLite nobody may have it open."""
    brought(original, url, replace=True)
    with opened(url) as live:
        add(live, "gym", "later", 30)
        assert best(live, 30) == "later"
        brought(original, url, replace=True)
        assert best(live, 30) is None
        assert best(live, 3) == "person 3"
        add(live, "gym", "again", 31)
        assert best(live, 31) == "again"
        assert live.privacy.verify_audit()


def test_no_byte_of_the_erased_is_in_a_restored_file(original, tmp_path):
    url = f"sqlite:///{tmp_path / 'live' / 'faces.db'}"
    brought(original, url)
    with opened(url) as live:
        with live._database.reading() as connection:
            sealed = [bytes(row.vector) for row in connection.execute(sa.select(faces))]
        data = saved(live)
        gone = live.person("gym", "person 2").id
    brought(data, f"sqlite:///{tmp_path / 'new' / 'faces.db'}", erased=[gone])
    (tmp_path / "new").chmod(0o700)
    everything = b"".join(p.read_bytes() for p in sorted((tmp_path / "new").rglob("*")))
    assert sealed[2] not in everything
    assert sealed[1] in everything


def test_a_damaged_backup_changes_nothing(gallery, databases):
    data, there = saved(gallery), databases(empty=True)
    brought(data, there)
    for wrong in (data[: len(data) // 2], data[:-1], data[:300] + b"\0" + data[301:]):
        with pytest.raises(ArchiveUnusable):
            brought(wrong, there, replace=True)
        with pytest.raises(ArchiveUnusable):
            brought(wrong, databases(empty=True))
    with opened(there) as still:
        assert best(still, 5) == "person 5"


def test_a_backup_and_an_archive_are_not_mistaken(gallery, databases):
    file = io.BytesIO()
    gallery.archive.export(file, key=RING)
    with pytest.raises(ArchiveUnusable, match="gallery import"):
        brought(file.getvalue(), databases(empty=True))
    with pytest.raises(ArchiveUnusable, match="gallery restore"):
        gallery.archive.load(io.BytesIO(saved(gallery)), key=RING)


def test_another_master_key_opens_no_backup(gallery, databases):
    other = KeyRing([new_key()])
    with pytest.raises(KeyMissing):
        restore(io.BytesIO(saved(gallery)), databases(empty=True), keys=other)


def test_a_backup_of_before_the_master_key_was_renewed(original, databases):
    newer, there = RING.renewed(), databases(empty=True)
    restore(io.BytesIO(original), there, keys=newer)
    with Gallery.open(there, keys=newer, index="") as again:
        again.renew_master_key()
    with Gallery.open(there, keys=newer.only_current(), index="") as again:
        assert best(again, 4) == "person 4"


@pytest.mark.parametrize("facts", [
    {"what": "backup", "schema": "9999"},
    {"what": "backup"},
    {"what": "backup", "schema": "0002", "rows": ("nosuch", ["id"])},
    {"what": "backup", "schema": "0002", "rows": ("groups", ["nosuch"])},
    {"what": "backup", "schema": "0002", "rows": ("groups", "text")},
])  # fmt: skip
def test_backups_that_cannot_be(facts, tmp_path):
    table = facts.pop("rows", None)
    file = io.BytesIO()
    with SealedWriter(file, RING) as sealed:
        writer = FrameWriter(sealed, **facts)
        if table is not None:
            writer.rows(table[0], [["x"]], columns=table[1], binary=[])
        writer.end()
    with pytest.raises(ArchiveUnusable):
        brought(file.getvalue(), f"sqlite:///{tmp_path / 'new.db'}")
    assert list(tmp_path.iterdir()) == []


def test_a_gallery_in_use_is_not_replaced_in_sqlite(original, tmp_path):
    url = f"sqlite:///{tmp_path / 'faces.db'}"
    brought(original, url)
    with opened(url) as live:
        assert best(live, 2) == "person 2"
        with pytest.raises(GalleryUnavailable, match="stop every process"):
            brought(original, url, replace=True)
        assert best(live, 1) == "person 1"
    assert sorted(p.name for p in tmp_path.iterdir() if "index" not in p.name) == ["faces.db"]
    brought(original, url, replace=True)


def test_a_log_that_was_left_behind_is_not_applied(original, tmp_path):
    """Somebody deleted the gallery's file, but not its log."""
    url = f"sqlite:///{tmp_path / 'faces.db'}"
    with opened(url) as live:
        add(live, "gym", "left behind", 33)
        log = (tmp_path / "faces.db-wal").read_bytes()
        assert log
    (tmp_path / "faces.db").unlink()
    (tmp_path / "faces.db-wal").write_bytes(log)
    brought(original, url)
    with opened(url) as again:
        assert best(again, 33) is None
        assert best(again, 2) == "person 2"
        assert check(again)


def test_a_gallery_that_cannot_be_read_is_not_replaced_unknowingly(original, tmp_path):
    file = tmp_path / "faces.db"
    brought(original, f"sqlite:///{file}")
    whole = file.read_bytes()
    file.write_bytes(b"not a database" * 500)
    with pytest.raises(GalleryUnavailable, match="who was erased"):
        brought(original, f"sqlite:///{file}", replace=True)
    assert file.read_bytes() == b"not a database" * 500
    brought(original, f"sqlite:///{file}", replace=True, bring_back_erased=True)
    assert file.read_bytes() != whole
    with opened(f"sqlite:///{file}") as again:
        assert best(again, 1) == "person 1"


def test_a_database_of_another_program_is_left_alone(original, databases):
    url = databases(empty=True)
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE accounts (id int)")
    for options in ({}, {"replace": True}, {"replace": True, "bring_back_erased": True}):
        with pytest.raises((GalleryUnavailable, AlreadyExists)):
            brought(original, url, **options)
    with engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == ["accounts"]
    engine.dispose()


def test_a_folder_that_is_none(original, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(GalleryUnavailable):
        brought(original, f"sqlite:///{tmp_path / 'file' / 'faces.db'}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder(original, tmp_path):
    (tmp_path / "shut").mkdir(mode=0o500)
    with pytest.raises(GalleryUnavailable):
        brought(original, f"sqlite:///{tmp_path / 'shut' / 'faces.db'}")


# ---------------------------------------------------------------- check and rebuild


def faults(gallery, **options):
    found = check(gallery, **options)
    assert bool(found) == (not found.faults)
    return sorted({fault.where for fault in found.faults})


def test_a_sound_gallery(gallery):
    found = check(gallery)
    assert found
    assert (found.templates, found.searched, found.faults) == (13, 13, [])
    assert check(gallery, samples=2).searched == 5
    assert check(gallery, samples=0).searched == 0
    with pytest.raises(InvalidArgument):
        check(gallery, samples=-1)


def test_templates_that_were_changed_or_cut(gallery):
    with gallery._database.writing() as connection:
        rows = connection.execute(sa.select(faces.c.seq, faces.c.id, faces.c.vector)).all()
        for row, blob in (
            (rows[0], bytes(rows[1].vector)),
            (rows[2], bytes(rows[2].vector)[:-3]),
        ):
            connection.execute(faces.update().where(faces.c.seq == row.seq).values(vector=blob))
    found = check(gallery)
    wrong = {fault.subject for fault in found.faults if fault.where == "templates"}
    assert wrong == {rows[0].id, rows[2].id}
    assert found.templates == 11


def test_a_template_that_is_not_of_unit_length(gallery):
    from mien.gallery.protect import seal

    with gallery._database.writing() as connection:
        row = connection.execute(sa.select(faces).limit(1)).one()
        key = gallery._database.vault._person_keys(connection, [row.person_seq])[row.person_seq]
        context = f"mien face {row.id} {CONTRACT}".encode()
        blob = seal(np.full(8, np.nan, "<f4").tobytes(), key=key, context=context)
        connection.execute(faces.update().where(faces.c.seq == row.seq).values(vector=blob))
    (fault,) = [one for one in check(gallery).faults if one.where == "templates"]
    assert (fault.subject, "unit length" in fault.what) == (row.id, True)


def test_keys_that_are_gone(gallery):
    with gallery._database.writing() as connection:
        connection.execute(person_keys.delete().where(person_keys.c.person_seq == 1))
    assert "templates" in faults(gallery)


def test_counters_that_are_wrong(gallery):
    with gallery._database.writing() as connection:
        connection.execute(groups.update().where(groups.c.name == "mean").values(faces=7))
    (fault,) = check(gallery).faults
    assert (fault.where, fault.subject) == ("counts", "mean")


def test_a_log_that_was_tampered_with(gallery):
    drop = {
        "sqlite": "DROP TRIGGER audit_refuses_update",
        "postgresql": "ALTER TABLE audit DISABLE TRIGGER ALL",
    }[gallery._database.dialect]
    with gallery._database.writing() as connection:
        connection.exec_driver_sql(drop)
        connection.exec_driver_sql("UPDATE audit SET actor = 'nobody' WHERE seq = 3")
    assert faults(gallery) == ["audit"]


def test_rows_that_refer_to_nothing(original, tmp_path):
    url = f"sqlite:///{tmp_path / 'faces.db'}"
    brought(original, url)
    connection = sqlite3.connect(tmp_path / "faces.db")
    connection.execute("DELETE FROM persons WHERE seq = 2")  # without foreign_keys = ON
    connection.commit()
    connection.close()
    with opened(url) as made:
        assert "references" in faults(made)


@pytest.fixture
def snapped(original, url, monkeypatch):
    """A gallery whose groups are worth a snapshot, however small."""
    policy = SnapshotPolicy(least=1, behind=0)
    monkeypatch.setattr("mien.gallery.follower.SnapshotPolicy", lambda: policy)
    brought(original, url, replace=True)
    with opened(url) as made:
        assert rebuild_index(made) == {"gym": True, "mean": True}
        yield made


def snapshot_of(gallery, name):
    with gallery._database.reading() as connection:
        row = gallery._group(connection, name)
    return gallery._searcher._follower._snapshots, row


def test_a_snapshot_that_agrees_and_one_that_does_not(snapped):
    assert faults(snapped) == []
    add(snapped, "gym", "newer than the snapshot", 80)
    assert faults(snapped) == []
    snapshots, row = snapshot_of(snapped, "gym")
    file = snapshots._path(row.seq)
    data = bytearray(file.read_bytes())
    data[-100] ^= 1
    file.write_bytes(data)
    assert faults(snapped) == ["index"]
    assert file.exists()  # a check changes nothing
    repaired = check(snapped, repair=True)
    assert (repaired.repaired, bool(repaired)) == (["gym"], True)
    assert faults(snapped) == []
    assert best(snapped, 80) == "newer than the snapshot"


def test_a_snapshot_of_other_vectors(snapped):
    """It opens, it is of this history, and it is wrong: only the records know."""
    follower = snapped._searcher._follower
    _, row = snapshot_of(snapped, "gym")
    view = follower._memory.view(row.seq)
    view.tail.vectors[1] = -view.tail.vectors[1]
    follower._save(row.seq)
    assert faults(snapped, samples=0) == ["index"]
    assert set(faults(snapped)) == {"index", "search"}
    assert check(snapped, repair=True).repaired == ["gym"]
    assert faults(snapped) == []


def test_others_go_on_serving_while_the_index_is_rebuilt(snapped, url):
    with opened(url) as other:
        assert best(other, 1) == "person 1"
        rebuild_index(snapped)
        assert best(other, 1) == "person 1"
        add(other, "gym", "later", 81)
        assert best(snapped, 81) == "later"
    with opened(url) as fresh:  # and this one reads the new snapshot
        assert best(fresh, 2) == "person 2"
        assert fresh._searcher._follower._saved[snapshot_of(fresh, "gym")[1].seq].version


def test_rebuilding_one_group_and_no_such_group(gallery):
    assert rebuild_index(gallery, "gym") == {"gym": False}
    with pytest.raises(NotFound):
        rebuild_index(gallery, "nosuch")


# ---------------------------------------------------------------- the drill


def drilled(data, **options):
    options = {"key": RING, **options}
    return drill(lambda: io.BytesIO(data), **options)


def test_a_drill_brings_everything_back(gallery, databases):
    data = saved(gallery)
    done = drilled(data)
    assert done
    assert (done.what, done.check.templates, done.check.searched) == ("backup", 13, 13)
    there = drilled(data, url=databases(empty=True))
    assert there.check.rows == done.check.rows
    file = io.BytesIO()
    gallery.archive.export(file, key=KEY, log=True)
    of_archive = drilled(file.getvalue(), key=KEY)
    assert (bool(of_archive), of_archive.what, of_archive.counts["faces"]) == (True, "archive", 12)


def test_a_drill_finds_what_the_backup_holds_wrong(gallery):
    with gallery._database.writing() as connection:
        blob = bytes(connection.execute(sa.select(faces.c.vector)).scalars().all()[1])
        connection.execute(faces.update().where(faces.c.seq == 1).values(vector=blob))
    done = drilled(saved(gallery))
    assert not done
    assert "templates" in {fault.where for fault in done.check.faults}
    assert not done.missing


def test_a_drill_counts_what_came_back(gallery, monkeypatch):
    data = saved(gallery)
    real = restore

    def lossy(file, url, **options):
        done = real(file, url, **options)
        with opened(url) as made:
            made.delete_person("gym", "person 1")
        return done

    monkeypatch.setattr("mien.gallery.operations.drilling.restore", lossy)
    done = drilled(data)
    assert not done
    assert done.missing["faces"] == 12


def test_a_drill_of_a_damaged_file_leaves_nothing(gallery, tmp_path_factory):
    folder = tmp_path_factory.mktemp("drill")
    with pytest.raises(ArchiveUnusable):
        drilled(saved(gallery)[:-1], folder=folder)
    assert list(folder.iterdir()) == []
