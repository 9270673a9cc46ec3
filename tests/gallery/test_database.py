"""What a gallery says of databases that it cannot use, and that it leaves them alone."""

import os
import sqlite3
import stat
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from mien.errors import AlreadyExists, ConfigurationError, GalleryUnavailable, NotFound
from mien.gallery import Gallery
from mien.gallery.records import migrate
from mien.gallery.records.database import Database
from mien.gallery.records.file import DatabaseFile
from mien.testing.galleries import random_gallery, unit_vectors
from mien.types import Embeddings


@pytest.fixture
def url(tmp_path):
    """This is about files; test_postgres.py is about servers."""
    return f"sqlite:///{tmp_path / 'faces.db'}"


def assert_refused(url, match, **options):
    with pytest.raises(GalleryUnavailable, match=match) as caught:
        Gallery.open(url, **options)
    message = str(caught.value)
    assert "/" not in message
    assert caught.value.__cause__ is None


def test_a_new_gallery_is_its_owners_alone(tmp_path):
    file = tmp_path / "new" / "folder" / "faces.db"
    with Gallery.open(f"sqlite:///{file}") as gallery:
        assert gallery.groups() == []
        for path in (file, Path(f"{file}-wal")):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_nothing_is_made_when_nothing_should_be(tmp_path):
    with pytest.raises(NotFound, match=r"no gallery 'faces\.db' yet"):
        Gallery.open(f"sqlite:///{tmp_path / 'faces.db'}", create=False)
    assert list(tmp_path.iterdir()) == []


def test_the_safe_settings_are_on(gallery):
    with gallery._database.reading() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
    assert found == {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1
    }  # fmt: skip


@pytest.mark.parametrize(
    "url",
    [
        "", "faces.db", "mysql://x/y", "sqlite://", "sqlite:///:memory:", "sqlite:", "\x00",
        "sqlite+aiosqlite:////x/faces.db", "sqlite+pysqlcipher:////x/faces.db",
        "sqlite:///faces.db?nosuch=1", "sqlite:///file:faces.db?mode=ro&uri=true",
        "sqlite:///file:faces.db", "sqlite://host/faces.db", "sqlite://me:pw@/faces.db",
        "sqlite:///a\x00b",
    ],
)  # fmt: skip
def test_urls_that_cannot_be(url):
    with pytest.raises(ConfigurationError, match="sqlite:///"):
        Gallery.open(url)


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 4096]
)
def test_a_file_that_is_no_database_is_left_alone(tmp_path, content):
    file = tmp_path / "faces.db"
    file.write_bytes(content)
    assert_refused(f"sqlite:///{file}", "not a database|damaged")
    assert file.read_bytes() == content


def test_a_folder_is_no_database(tmp_path):
    assert_refused(f"sqlite:///{tmp_path}", "cannot be opened|cannot be read")


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    assert_refused(f"sqlite:///{tmp_path / 'file' / 'x' / 'faces.db'}", "cannot be made")


def test_a_database_of_another_program_is_left_alone(tmp_path):
    file = tmp_path / "other.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE accounts (id INTEGER)")
    connection.close()
    before = file.read_bytes()
    assert_refused(f"sqlite:///{file}", "another program")
    assert file.read_bytes() == before


def test_a_database_of_a_newer_mien_is_left_alone(gallery, url):
    with gallery._database.writing() as connection:
        connection.exec_driver_sql(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '9999'")
    with pytest.raises(GalleryUnavailable, match="newer Mien") as caught:
        Gallery.open(url)
    assert caught.value.details["schema"] == "9999"


def test_damage_is_named(tmp_path):
    made = random_gallery(tmp_path, persons=60, faces_per_person=2)
    made.gallery.close()
    file = tmp_path / "gallery.db"
    content = bytearray(file.read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    file.write_bytes(content)
    with pytest.raises(GalleryUnavailable, match="damaged"), Gallery.open(made.url) as gallery:
        gallery.search("people", made.vectors[:1], contract=made.contract)
    assert file.read_bytes() == bytes(content)


@pytest.fixture
def powerless(tmp_path):
    """A folder whose permissions hold for this process, even where it is root's."""
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)

        def regain_power():
            if root:
                os.seteuid(0)
            folder.chmod(0o755)

        yield folder, (lambda: os.seteuid(65534)) if root else (lambda: None), regain_power
        regain_power()


def freeze(folder):
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)


def test_a_read_only_gallery_reads_and_refuses_writes(powerless):
    folder, lose_power, _ = powerless
    made = random_gallery(folder, persons=2)
    made.gallery.close()
    freeze(folder)
    before = (folder / "gallery.db").read_bytes()
    lose_power()
    with Gallery.open(made.url, create=False) as gallery:
        found = gallery.search("people", made.vectors[:1], contract=made.contract)
        assert found[0][0].person == made.names[0]
        assert len(gallery.persons("people")) == 2
        with pytest.raises(GalleryUnavailable, match=r"'gallery\.db' is read-only"):
            gallery.add_person("people", "Ann")
        with pytest.raises(GalleryUnavailable, match="read-only"):
            gallery.delete_group("people")
        assert len(gallery.persons("people")) == 2
    assert [file.name for file in folder.iterdir()] == ["gallery.db"]
    assert (folder / "gallery.db").read_bytes() == before


def test_what_others_write_into_a_read_only_gallery_is_noticed(powerless):
    folder, lose_power, regain_power = powerless
    made = random_gallery(folder, persons=2)
    made.gallery.close()
    freeze(folder)
    lose_power()
    file = DatabaseFile(folder / "gallery.db", create=False, timeout_s=1)
    file.connect().close()
    file.check()
    regain_power()
    (folder / "gallery.db").chmod(0o644)
    with Gallery.open(made.url) as other:
        other.add_person("people", "Ann")
        with pytest.raises(GalleryUnavailable, match="replaced"):
            file.check()
    with pytest.raises(GalleryUnavailable, match="replaced"):
        file.check()


def test_a_read_only_gallery_is_read_while_its_owner_writes(powerless):
    folder, lose_power, _ = powerless
    made = random_gallery(folder, persons=2)
    with made.gallery as owner:
        owner.add_person("people", "Ann")
        freeze(folder)
        lose_power()
        with Gallery.open(made.url, create=False) as gallery:
            assert len(gallery.persons("people")) == 3
            owner.add_person("people", "Bob")
            assert len(gallery.persons("people")) == 4


def test_a_read_only_gallery_with_an_unread_log_is_refused(powerless):
    folder, lose_power, _ = powerless
    made = random_gallery(folder, persons=1)
    copies = {name: (folder / name).read_bytes() for name in ("gallery.db", "gallery.db-wal")}
    made.gallery.close()
    for name, content in copies.items():
        (folder / name).write_bytes(content)
    freeze(folder)
    lose_power()
    with pytest.raises(GalleryUnavailable, match="log"):
        Gallery.open(made.url, create=False)


def test_a_locked_gallery_waits_and_then_says_so(tmp_path):
    made = random_gallery(tmp_path, persons=1)
    made.gallery.close()
    database = Database(made.url, timeout_s=0.1)
    other = sqlite3.connect(tmp_path / "gallery.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(GalleryUnavailable, match="locked"), database.writing():
        pass
    with database.reading() as connection:  # readers are never locked out
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM persons").scalar() == 1
    other.close()
    with database.writing():
        pass
    database.close()


def test_writers_of_one_process_wait_in_turn(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'x.db'}", timeout_s=0.1)
    entered, leave = threading.Event(), threading.Event()

    def hold():
        with database.writing():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait(10)
    with pytest.raises(GalleryUnavailable, match="locked"), database.writing():
        pass
    leave.set()
    thread.join()
    with database.writing():
        pass
    database.close()


def test_a_full_disk_is_named_and_harms_nothing(tmp_path):
    made = random_gallery(tmp_path, persons=3)
    many = unit_vectors(3000, 128, seed=4)
    with made.gallery as gallery:
        database = gallery._database

        def cap(connection, _record, _proxy):
            connection.execute("PRAGMA max_page_count = 100")

        sa.event.listen(database._engine, "checkout", cap)
        with pytest.raises(GalleryUnavailable, match="disk is full"):
            gallery.add_faces(
                "people",
                made.names[0],
                Embeddings(many, np.ones(len(many), np.float32)),
                contract=made.contract,
            )
        assert gallery.size("people") == len(gallery.faces("people")) == len(made.names)
        assert len(gallery.search("people", made.vectors, contract=made.contract)) == 9
        gallery.delete_person("people", made.names[0])


def test_a_block_that_raises_writes_nothing(gallery):
    class StopHereError(Exception):
        pass

    def write():
        with gallery._database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM applications")
            raise StopHereError

    with pytest.raises(StopHereError):
        write()
    assert len(gallery.applications()) == 1


def test_a_broken_constraint_is_an_error_of_mien(gallery):
    with pytest.raises(AlreadyExists), gallery._database.writing() as connection:
        connection.exec_driver_sql(
            "INSERT INTO applications (id, name, created_at) VALUES ('x', 'default', 0)"
        )


def remove(file):
    for one in file.parent.glob(f"{file.name}*"):
        one.unlink()


@pytest.mark.parametrize("what", ["deleted", "moved", "replaced"])
def test_a_gallery_whose_file_is_gone_takes_and_tells_nothing(tmp_path, what):
    made = random_gallery(tmp_path, persons=2)
    file = tmp_path / "gallery.db"
    with made.gallery as gallery:
        if what == "moved":
            file.rename(tmp_path / "elsewhere.db")
        else:
            remove(file)
        if what == "replaced":
            other = random_gallery(tmp_path, persons=1)
            other.gallery.close()
        faces = Embeddings(made.vectors[:1], made.norms[:1])
        for use in (
            lambda: gallery.create_group("more", contract=made.contract),
            lambda: gallery.add_faces("people", "Ann", faces, contract=made.contract),
            lambda: gallery.search("people", made.vectors[:1], contract=made.contract),
            lambda: gallery.groups(),
        ):
            with pytest.raises(GalleryUnavailable, match=r"'gallery\.db' was deleted") as caught:
                use()
            assert str(tmp_path) not in str(caught.value)
    assert file.exists() == (what == "replaced")


def test_a_file_that_goes_during_a_write_takes_the_acknowledgement_along(tmp_path):
    made = random_gallery(tmp_path, persons=1)
    database = made.gallery._database

    def write():
        with database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM faces")
            remove(tmp_path / "gallery.db")

    with made.gallery, pytest.raises(GalleryUnavailable, match="was deleted"):
        write()


def test_a_new_connection_never_makes_a_file(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    remove(tmp_path / "x.db")
    with pytest.raises(GalleryUnavailable, match="cannot be opened"), database.reading():
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_gallery_comes_back_with_its_file(tmp_path):
    made = random_gallery(tmp_path, persons=1)
    file, away = tmp_path / "gallery.db", tmp_path / "away.db"
    with made.gallery as gallery:
        file.rename(away)
        with pytest.raises(GalleryUnavailable):
            gallery.groups()
        away.rename(file)
        gallery.add_person("people", "Ann")


def test_a_gallery_stays_where_it_was_when_the_process_moves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    with Gallery.open("sqlite:///odd #%25name.db") as gallery:
        monkeypatch.chdir(tmp_path / "sub")
        database = gallery._database
        with database.reading(), database.reading() as second:
            assert second.exec_driver_sql("SELECT 1").scalar() == 1
    assert (tmp_path / "odd #%name.db").is_file()


def test_a_closed_gallery_refuses(gallery):
    gallery.close()
    with pytest.raises(GalleryUnavailable, match="closed"):
        gallery.groups()


def test_a_gallery_does_not_cross_a_fork(gallery, monkeypatch):
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(GalleryUnavailable, match="fork"):
        gallery.groups()


def test_the_newest_migration_is_the_head():
    folder = Path(migrate.__file__).parent / "migrations" / "versions"
    numbers = sorted(file.name.partition("_")[0] for file in folder.glob("[0-9]*.py"))
    assert numbers[-1] == migrate.HEAD
    assert all(len(number) == 4 and number.isdigit() for number in numbers)
    assert len(set(numbers)) == len(numbers)


def test_opening_an_up_to_date_gallery_does_not_migrate(gallery, url, monkeypatch):
    monkeypatch.setattr(migrate, "upgrade", lambda _: pytest.fail("migrated"))
    Gallery.open(url).close()


def test_a_write_that_may_be_left_out_hardly_waits_and_others_still_do(tmp_path):
    made = random_gallery(tmp_path, persons=1)
    made.gallery.close()
    database = Database(made.url, timeout_s=300)
    other = sqlite3.connect(tmp_path / "gallery.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for _ in range(3):
        with pytest.raises(GalleryUnavailable, match="locked"), database.touching(brief=True):
            pass
        with database.reading() as connection:
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 300_000
    other.close()
    with database.touching(brief=True) as connection:
        connection.exec_driver_sql("UPDATE applications SET settings = '{}'")
    database.close()
