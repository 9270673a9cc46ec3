"""What a gallery says of databases that it cannot use, and that it leaves them alone."""

import os
import sqlite3
import stat
import threading
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from mien.errors import AlreadyExists, ConfigurationError, GalleryUnavailable, NotFound
from mien.gallery import Gallery
from mien.gallery.records import migrate
from mien.gallery.records.database import Database
from mien.gallery.records.schema import metadata
from mien.testing.galleries import random_gallery, unit_vectors
from mien.types import Embeddings


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
    "url", ["", "faces.db", "mysql://x/y", "sqlite://", "sqlite:///:memory:", "sqlite:", "\x00"]
)
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


def test_a_read_only_gallery_reads_and_refuses_writes(tmp_path):
    made = random_gallery(tmp_path, persons=2)
    made.gallery.close()
    url = f"sqlite:///file:{tmp_path / 'gallery.db'}?mode=ro&uri=true"
    with Gallery.open(url) as gallery:
        found = gallery.search("people", made.vectors[:1], contract=made.contract)
        assert found[0][0].person == made.names[0]
        with pytest.raises(GalleryUnavailable, match=r"'gallery\.db' is read-only"):
            gallery.add_person("people", "Ann")


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


def test_a_closed_gallery_refuses(gallery):
    gallery.close()
    with pytest.raises(GalleryUnavailable, match="closed"):
        gallery.groups()


def test_a_gallery_does_not_cross_a_fork(gallery, monkeypatch):
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(GalleryUnavailable, match="fork"):
        gallery.groups()


def test_migrations_make_the_tables_that_the_code_uses(gallery):
    with gallery._database.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": migrate.VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []


def test_the_newest_migration_is_the_head():
    folder = Path(migrate.__file__).parent / "migrations" / "versions"
    numbers = sorted(file.name.partition("_")[0] for file in folder.glob("[0-9]*.py"))
    assert numbers[-1] == migrate.HEAD
    assert all(len(number) == 4 and number.isdigit() for number in numbers)
    assert len(set(numbers)) == len(numbers)


def test_opening_an_up_to_date_gallery_does_not_migrate(gallery, url, monkeypatch):
    monkeypatch.setattr(migrate, "_upgrade", lambda _: pytest.fail("migrated"))
    Gallery.open(url).close()
