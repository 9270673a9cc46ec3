"""The index's snapshots: used when they are level, rebuilt when not, free of what was deleted."""

import shutil
import sqlite3
import threading
import time
from contextlib import suppress

import numpy as np
import pytest
from filelock import FileLock
from sqlalchemy import exc

from mien.errors import GalleryUnavailable, KeyMissing
from mien.gallery import Gallery
from mien.gallery.follower import SnapshotPolicy
from mien.gallery.index import ExactIndex, Plan, snapshot
from mien.gallery.index.snapshots import Snapshots
from mien.gallery.protect import KeyRing, new_key
from mien.gallery.protect.blocks import BlockFile
from mien.gallery.records import changes, lineage
from mien.gallery.search import Searcher
from mien.testing.galleries import random_gallery, unit_vectors
from mien.types import Embeddings

PLAN = Plan(tail=300, segment=10_000, product_from=2**60)
POLICY = SnapshotPolicy(least=100, behind=0, far_behind=np.inf, patch_s=0)


def opened(url, folder, *, policy=POLICY, **options):
    """A gallery with snapshots in ``folder``."""
    gallery = Gallery.open(url, **options)
    searcher = Searcher(
        gallery._database, ExactIndex(plan=PLAN), snapshots=Snapshots(folder), policy=policy
    )
    gallery._searcher = searcher
    return gallery


class Home:
    """A gallery of 60 faces with a snapshot, closed."""

    def __init__(self, url, folder, scoring="max"):
        made = random_gallery(
            url, persons=20, faces_per_person=3, dim=8, group="people", scoring=scoring
        )
        made.gallery.close()
        self.url, self.folder, self.contract = url, folder, made.contract
        self.vectors, self.names = made.vectors, made.names
        with self.open() as gallery:
            self.search(gallery)
            gallery._searcher.close()
        (self.file,) = folder.glob("*.index")

    def open(self, **options):
        return opened(self.url, self.folder, **options)

    def search(self, gallery, probes=None, k=3):
        probes = self.vectors if probes is None else probes
        found = gallery.search("people", probes, k=k, contract=self.contract)
        return [[(hit.person, round(hit.similarity, 5)) for hit in hits] for hits in found]

    def assert_level(self, gallery, k=3):
        """The same is found as in an index that has just been rebuilt."""
        found = self.search(gallery, k=k)
        with Gallery.open(self.url) as other:
            wanted = self.search(other, k=k)
        assert [[name for name, _ in hits] for hits in found] == [
            [name for name, _ in hits] for hits in wanted
        ]
        for hits, others in zip(found, wanted, strict=True):
            assert [s for _, s in hits] == pytest.approx([s for _, s in others], abs=2e-5)

    def plaintext(self):
        """Everything in the snapshot, decrypted."""
        with Gallery.open(self.url) as gallery, gallery._database.reading() as connection:
            key = lineage.data_key(connection, gallery._group(connection, "people"))
        context = f"mien index snapshot {self.file.name.partition('.')[0]}".encode()
        with BlockFile.open(self.file, key=key, context=context) as file:
            return b"".join(file.blocks(0, file.count))


@pytest.fixture
def home(tmp_path):
    return Home(f"sqlite:///{tmp_path / 'faces.db'}", tmp_path / "index")


@pytest.fixture(params=["max", "mean"])
def any_home(request, url, tmp_path):
    """In every kind of database, and with both kinds of scoring."""
    return Home(url, tmp_path / "index", request.param)


@pytest.fixture
def rebuilt(monkeypatch):
    """Groups that were read from the records."""
    groups, rebuild = [], ExactIndex.rebuild

    def noted(self, group, batches):
        groups.append(group)
        rebuild(self, group, batches)

    monkeypatch.setattr(ExactIndex, "rebuild", noted)
    return groups


def face(seed, dim=8):
    return Embeddings(unit_vectors(1, dim, seed=seed), np.ones(1, np.float32))


def test_a_start_reads_the_snapshot_and_what_changed_since(any_home, rebuilt):
    with Gallery.open(any_home.url) as other:  # without snapshots: the file is not touched
        other.add_faces("people", "new", face(50), contract=any_home.contract, create_person=True)
        other.delete_person("people", "person-00003")
    with any_home.open() as gallery:
        found = any_home.search(gallery, k=30)
        assert rebuilt == []
        any_home.assert_level(gallery, k=30)
        assert any_home.search(gallery, unit_vectors(1, 8, seed=50), k=1)[0][0][0] == "new"
    assert "person-00003" not in {name for hits in found for name, _ in hits}


def test_nothing_in_the_folder_can_be_read(home):
    for path in home.folder.iterdir():
        raw = path.read_bytes()
        assert not any(v.tobytes()[i : i + 8] in raw for v in home.vectors for i in (0, 8, 16))
        assert path.suffix != ".index" or path.stat().st_mode & 0o777 == 0o600
    assert home.folder.stat().st_mode & 0o777 == 0o700


BAD = {
    "empty": lambda raw: b"",
    "cut off": lambda raw: raw[: len(raw) // 2],
    "longer": lambda raw: raw + b"x",
    "a changed head": lambda raw: raw[:100] + bytes([raw[100] ^ 1]) + raw[101:],
    "a changed end": lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]),
    "another program's": lambda raw: b"SQLite format 3\0" + raw,
    "noise": lambda raw: np.random.default_rng(0).bytes(len(raw)),
}


@pytest.mark.parametrize("what", BAD)
def test_a_damaged_snapshot_is_rebuilt_and_written_anew(home, rebuilt, what):
    home.file.write_bytes(BAD[what](home.file.read_bytes()))
    with home.open() as gallery:
        home.assert_level(gallery)
        assert len(rebuilt) == 2  # ours and the plain one
        gallery._searcher.close()
    rebuilt.clear()
    with home.open() as gallery:
        assert home.search(gallery)
    assert rebuilt == []


def test_a_connection_that_is_lost_is_no_fault_of_the_snapshot(any_home, rebuilt, monkeypatch):
    def lose(connection, *_):
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
        raise exc.OperationalError("", {}, sqlite3.OperationalError("disk I/O error"))

    with any_home.open() as gallery:
        with monkeypatch.context() as patch:
            patch.setattr(lineage, "recognised", lose)
            with pytest.raises(GalleryUnavailable):
                any_home.search(gallery)
        assert any_home.file.exists()
        assert any_home.search(gallery)
    assert rebuilt == []


def test_whoever_goes_on_after_a_lost_connection_is_told_so(postgres_server):
    def go_on(gallery):
        with gallery._database.snapshot() as connection:
            with suppress(exc.DBAPIError):
                connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
            connection.exec_driver_sql("SELECT 1")

    with postgres_server.database() as url, Gallery.open(url) as gallery:
        with pytest.raises(GalleryUnavailable, match="connection"):
            go_on(gallery)
        assert list(gallery.applications())


def test_a_snapshot_of_another_version_is_rebuilt(home, rebuilt, monkeypatch):
    monkeypatch.setattr(snapshot, "_FORMAT", 99)
    with home.open() as gallery:
        home.search(gallery)
    assert len(rebuilt) == 1


def test_a_snapshot_under_another_key_is_rebuilt(home, rebuilt):
    with Gallery.open(home.url) as gallery, gallery._database.writing() as connection:
        vault = gallery._database.vault
        assert vault.renew_data_key(connection, gallery._application.seq) == 2
    with home.open() as gallery:
        assert home.search(gallery)
    assert len(rebuilt) == 1


def test_a_wrong_master_key_is_refused_and_nothing_is_lost(home, rebuilt):
    before = home.file.read_bytes()
    wrong = KeyRing([new_key()])
    with home.open(keys=wrong) as gallery, pytest.raises(KeyMissing):
        home.search(gallery)
    assert home.file.read_bytes() == before


def test_another_groups_snapshot_is_not_taken(home, rebuilt):
    with Gallery.open(home.url) as gallery:
        gallery.delete_group("people")
    again = random_gallery(home.url, persons=20, faces_per_person=3, dim=8, seed=5)
    again.gallery.close()
    number = int(home.file.name.partition(".")[0])
    home.file.rename(home.folder / f"{number + 1}.index")
    with home.open() as gallery:
        home.assert_level(gallery)
    assert len(rebuilt) == 2


def test_a_group_that_is_gone_takes_its_snapshot_along(home):
    with home.open() as gallery:
        gallery.delete_group("people")
        assert not home.file.exists()


def test_a_snapshot_whose_group_is_gone_is_deleted_at_a_first_search(home):
    with Gallery.open(home.url) as gallery:
        gallery.delete_group("people")
    random_gallery(home.url, persons=1, dim=8, group="other").gallery.close()
    with home.open() as gallery:
        gallery.search("other", home.vectors[:1], contract=home.contract)
    assert not home.file.exists()


def test_a_restored_backup_does_not_take_a_later_snapshot(tmp_path, rebuilt):
    """The backup goes on to the same version numbers, with other faces under the same numbers."""
    home = Home(f"sqlite:///{tmp_path / 'faces.db'}", tmp_path / "index")
    shutil.copy(tmp_path / "faces.db", tmp_path / "backup.db")
    for seed in (100, 200):
        with home.open() as gallery:
            for i in range(5):
                gallery.add_faces(
                    "people", f"x{i}", face(seed + i), contract=home.contract, create_person=True
                )
            assert home.search(gallery, unit_vectors(1, 8, seed=seed), k=1) == [[("x0", 1.0)]]
            if seed == 100:
                gallery._searcher.close()
                rebuilt.clear()
        if seed == 100:
            for end in ("-wal", "-shm"):
                (tmp_path / f"faces.db{end}").unlink(missing_ok=True)
            shutil.copy(tmp_path / "backup.db", tmp_path / "faces.db")
    assert len(rebuilt) == 1


def test_marks_recognise_a_history_that_went_on_and_no_other(any_home):
    with Gallery.open(any_home.url) as gallery:

        def row_and(what):
            with gallery._database.snapshot() as connection:
                row = gallery._group(connection, "people")
                return row, what(connection, row)

        row, marks = row_and(lineage.marks)
        assert len(marks) == 60
        assert marks[0][0] == row.version
        gallery.delete_person("people", "person-00019")
        assert row_and(lambda c, r: lineage.recognised(c, r, marks))[1]
        number, person, one, name = marks[30]
        for other in ((number, person + 1, one, name), (number, person, one, "f" * 32)):
            changed = (*marks[:30], other, *marks[31:])
            assert not row_and(lambda c, r, m=changed: lineage.recognised(c, r, m))[1]
        assert not row_and(lambda c, r: lineage.recognised(c, r, ()))[1]


def test_a_snapshot_that_is_too_far_behind_is_rebuilt(home, rebuilt, monkeypatch):
    monkeypatch.setattr(changes, "KEPT", 10)
    with Gallery.open(home.url) as other:
        for i in range(40):
            other.add_faces(
                "people", f"n{i}", face(100 + i), contract=home.contract, create_person=True
            )
    with home.open() as gallery:
        assert home.search(gallery, unit_vectors(1, 8, seed=139), k=1) == [[("n39", 1.0)]]
    assert len(rebuilt) == 1


@pytest.mark.parametrize("loaded", [True, False])
def test_what_is_deleted_is_overwritten_in_the_snapshot_at_once(any_home, rebuilt, loaded):
    with any_home.open() as gallery:
        if loaded:
            any_home.search(gallery)
        number = gallery.faces("people", "person-00004")[0]
        before, size = any_home.plaintext(), any_home.file.stat().st_size
        gallery.delete_person("people", "person-00004")
        after = any_home.plaintext()
        assert any_home.file.stat().st_size == size
        gallery.delete_face("people", gallery.faces("people", "person-00006")[0].id)
        twice = any_home.plaintext()
    assert number
    assert rebuilt == []
    changed = [sum(a != b for a, b in zip(*pair, strict=True)) for pair in
               ((before, after), (after, twice))]  # fmt: skip
    assert all(count > 8 for count in changed)
    with any_home.open() as gallery:
        any_home.assert_level(gallery)
    assert len(rebuilt) == 1  # the plain one


def test_many_deletions_in_a_row_delete_the_snapshot_once_and_close_writes_another(home, rebuilt):
    with home.open(
        policy=SnapshotPolicy(least=100, behind=0, far_behind=np.inf, patch_s=60)
    ) as gallery:
        home.search(gallery)
        gallery.delete_person("people", "person-00004")
        assert home.file.exists()
        gallery.delete_person("people", "person-00005")
        assert not home.file.exists()
        gallery.delete_person("people", "person-00006")
        gallery._searcher.close()
    assert home.file.exists()
    with home.open() as gallery:
        home.assert_level(gallery)
    assert len(rebuilt) == 1  # the plain one


def test_a_deletion_without_the_key_deletes_the_snapshot(home, monkeypatch):
    def missing(*_args):
        raise KeyMissing("The master key is not at hand.")

    with home.open() as gallery:
        monkeypatch.setattr(lineage, "data_key", missing)
        gallery.delete_person("people", "person-00004")
    assert not home.file.exists()


def test_a_snapshot_that_cannot_be_changed_or_deleted_is_said_aloud(home, monkeypatch):
    def fail(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    with home.open() as gallery:
        monkeypatch.setattr("mien.gallery.index.snapshots.erase", fail)
        monkeypatch.setattr("pathlib.Path.unlink", fail)
        with pytest.raises(GalleryUnavailable, match="still holds what was deleted") as raised:
            gallery.delete_person("people", "person-00004")
        monkeypatch.undo()
        assert str(home.folder.parent) not in str(raised.value)
        assert "person-00004" not in [person.name for person in gallery.persons("people")]
        gallery.delete_person("people", "person-00005")  # and the next one clears up both
    with home.open() as gallery:
        home.assert_level(gallery)


def test_whoever_deletes_while_a_snapshot_is_written_is_not_in_it(home, monkeypatch):
    """Between the copy of the index and the new file's name, a person goes, here or elsewhere."""
    began, go, write = threading.Event(), threading.Event(), snapshot.write

    def slow(*args, **options):
        began.set()
        assert go.wait(10)
        write(*args, **options)

    home.file.unlink()
    with home.open() as gallery, Gallery.open(home.url) as other:
        home.search(gallery)
        monkeypatch.setattr("mien.gallery.index.snapshots.write", slow)
        closing = threading.Thread(target=gallery._searcher.close)
        closing.start()
        assert began.wait(10)
        other.delete_person("people", "person-00004")
        row = len(other.persons("people"))
        go.set()
        closing.join()
        version = other.group("people").faces
    assert (row, version) == (19, 57)
    assert b'"version": 60, "erased": 63' in home.plaintext()
    with home.open() as gallery:
        home.assert_level(gallery)


def test_a_full_disk_costs_only_the_snapshot(home, monkeypatch, caplog):
    home.file.unlink()

    def full(*_args):
        raise OSError(28, "No space left on device")

    with home.open() as gallery:
        found = home.search(gallery)
        monkeypatch.setattr("mien.gallery.protect.blocks._write_all", full)
        gallery._searcher.close()
        monkeypatch.undo()
        assert home.search(gallery) == found
        assert {path.suffix for path in home.folder.iterdir()} <= {".lock", ".saving"}
    assert "No space left on device" in caplog.text


def test_a_folder_that_cannot_be_made_costs_only_the_snapshot(home, tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    with opened(home.url, tmp_path / "file" / "index") as gallery:
        assert home.search(gallery)
        gallery._searcher.close()
    assert "is not written" in caplog.text


def test_a_snapshot_is_written_in_the_background_when_it_is_far_behind(home, rebuilt):
    home.file.unlink()
    policy = SnapshotPolicy(least=100, far_behind=5, quiet_s=0.0)
    with home.open(policy=policy) as gallery:
        home.search(gallery)
        until = time.monotonic() + 10
        while not home.file.exists() and time.monotonic() < until:
            time.sleep(0.01)
        first = home.file.stat().st_mtime_ns
        for i in range(6):
            gallery.add_faces(
                "people", f"n{i}", face(100 + i), contract=home.contract, create_person=True
            )
        while home.file.stat().st_mtime_ns == first and time.monotonic() < until:
            home.search(gallery)
        assert home.file.stat().st_mtime_ns > first
    rebuilt.clear()
    with home.open() as gallery:
        assert home.search(gallery, unit_vectors(1, 8, seed=105), k=1) == [[("n5", 1.0)]]
    assert rebuilt == []


def test_a_small_group_and_an_unchanged_one_are_not_written(home):
    before = home.file.stat().st_mtime_ns
    with home.open(policy=SnapshotPolicy(least=100, behind=5, far_behind=np.inf)) as gallery:
        home.search(gallery)
        gallery.add_faces("people", "n", face(1), contract=home.contract, create_person=True)
        home.search(gallery)
        gallery._searcher.close()
    assert home.file.stat().st_mtime_ns == before
    home.file.unlink()
    with home.open(policy=SnapshotPolicy(least=10_000, behind=0)) as gallery:
        home.search(gallery)
        gallery._searcher.close()
    assert not home.file.exists()


def test_what_a_killed_writer_left_is_deleted_with_the_next_deletion(home):
    unfinished = [home.folder / f"{home.file.name}{end}" for end in (".next", ".next.new")]
    for path in unfinished:
        path.write_bytes(home.file.read_bytes())
    with home.open() as gallery:
        with FileLock(f"{home.file}.saving"):  # a writer that lives is left alone
            gallery.delete_person("people", "person-00003")
        assert all(path.exists() for path in unfinished)
        gallery.delete_person("people", "person-00004")
        assert not any(path.exists() for path in unfinished)
        assert home.file.exists()


def test_two_processes_do_not_write_one_snapshot_at_once(home):
    home.file.unlink()
    with home.open() as gallery:
        home.search(gallery)
        with FileLock(f"{home.file}.saving"):
            gallery._searcher.close()
        assert not home.file.exists()


def test_snapshots_lie_beside_the_file_or_in_the_data_folder(url, kind, tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_DATA_DIR", str(tmp_path / "data"))
    with Gallery.open(url) as gallery:
        folder = gallery._searcher._follower._snapshots._folder
    if kind == "sqlite":
        assert folder == tmp_path / f"{url.rpartition('/')[2]}-index"
    else:
        assert folder.parent == tmp_path / "data" / "index"
        assert url.rpartition("/")[2] not in folder.name
    assert not folder.exists()  # before there is something to keep
