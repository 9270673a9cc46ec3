"""What goes wrong with disks, files and servers: a typed error, nothing lost, no restart after it.

On real file systems in memory where this process may mount one. The table of all faults is in
docs/reference/faults.md; test_database.py, test_postgres.py and test_follower.py have more.
"""

import logging
import subprocess
import sys
import threading
from contextlib import suppress
from itertools import count

import numpy as np
import pytest

from mien.errors import GalleryUnavailable, MienError
from mien.gallery import Gallery
from mien.gallery.index import ExactIndex
from mien.gallery.index.snapshots import Snapshots
from mien.gallery.search import Searcher
from mien.testing.disks import DiskNotAllowed, mounted
from mien.testing.galleries import random_contract, random_gallery, unit_vectors
from mien.testing.lives import opened
from mien.testing.postgres import PostgresServer, postgres_programs
from mien.testing.truth import assert_found, assert_whole, similarities
from mien.types import Embeddings

DIM = 16
CONTRACT = random_contract(DIM)
PROBES = unit_vectors(20, DIM, seed=77)


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        with mounted(folder, "2m") as made:
            yield made
    except DiskNotAllowed:
        pytest.skip("only root mounts a disk")


def add(gallery, seed, count=1):
    faces = Embeddings(unit_vectors(count, DIM, seed=seed), np.ones(count, np.float32))
    gallery.add_faces("people", f"n{seed}", faces, contract=CONTRACT, create_person=True)


def assert_level(*galleries):
    """Every gallery finds what brute force finds, and the records are whole."""
    for gallery in galleries:
        assert_whole(gallery)
        hits = gallery.search("people", PROBES, k=1000, contract=CONTRACT)
        found = [[(hit.person, hit.similarity) for hit in row] for row in hits]
        assert_found(found, similarities(gallery, "people", PROBES))


def small_gallery(place, **options):
    return random_gallery(place, persons=5, faces_per_person=2, dim=DIM, **options).gallery


# ---------------------------------------------------------------- a full disk


def test_a_full_disk_takes_nothing_that_it_acknowledged(disk):
    url = f"sqlite:///{disk.folder / 'gallery.db'}"
    with small_gallery(url) as gallery:
        disk.fill(but=100_000)
        acknowledged = count(1)

        def go_on():
            while True:
                add(gallery, next(acknowledged), 50)

        with pytest.raises(GalleryUnavailable, match="disk is full"):
            go_on()
        acknowledged = next(acknowledged) - 2  # the last was refused
        assert gallery.group("people").faces == 10 + 50 * acknowledged
        with pytest.raises(GalleryUnavailable, match="disk is full"):
            gallery.delete_group("people")
        assert_level(gallery)
        with Gallery.open(url) as other:  # a new process is not kept out
            assert_level(other)
        (disk.folder / "filling").unlink()
        add(gallery, 5000)
        gallery.privacy.erase("people", "n1")
        assert gallery.group("people").faces == 10 + 50 * (acknowledged - 1) + 1
        assert_level(gallery)
    with Gallery.open(url) as gallery:
        assert_level(gallery)


def test_a_disk_without_room_for_a_new_gallery(disk):
    filling = disk.fill()
    url = f"sqlite:///{disk.folder / 'gallery.db'}"
    with pytest.raises(GalleryUnavailable):
        Gallery.open(url)
    filling.unlink()
    with Gallery.open(url) as gallery:
        assert gallery.groups() == []


def test_a_disk_that_is_full_when_the_log_goes_into_the_file(disk, caplog):
    """The erasure was committed, so it is acknowledged; the log is emptied when there is room."""
    file = disk.folder / "gallery.db"
    disk.resize("16m")
    with small_gallery(f"sqlite:///{file}") as gallery:
        for seed in range(20):
            add(gallery, seed, 100)
        before = file.stat().st_size
        filling = disk.fill(but=150_000)
        with caplog.at_level(logging.WARNING):
            erased = gallery.privacy.erase("people", "n7")
        assert erased.faces == 100
        assert "log" in caplog.text
        assert "disk is full" in caplog.text
        assert_level(gallery)
        filling.unlink()
        gallery.privacy.erase("people", "n8")
        assert file.with_name("gallery.db-wal").stat().st_size == 0
        assert file.stat().st_size > before
        assert_level(gallery)


def test_a_disk_that_is_full_when_a_snapshot_is_written(disk, tmp_path, caplog):
    url = f"sqlite:///{tmp_path / 'gallery.db'}"
    with small_gallery(url):
        pass
    filling = disk.fill(but=1000)
    with opened(url, disk.folder / "index") as gallery:
        assert_level(gallery)
        add(gallery, 1)
        assert_level(gallery)
    assert "No space left on device" in caplog.text
    assert list(disk.folder.glob("**/*.index*next*")) == []
    with opened(url, disk.folder / "index") as gallery:
        assert_level(gallery)
    filling.unlink()
    with opened(url, disk.folder / "index") as gallery:
        assert_level(gallery)
    assert len(list(disk.folder.glob("index/*.index"))) == 1
    with opened(url, disk.folder / "index") as gallery:
        assert_level(gallery)


LIMITED = """
import resource, sys
import numpy as np
from mien.errors import GalleryUnavailable
from mien.gallery import Gallery
from mien.testing.galleries import random_contract, unit_vectors
from mien.types import Embeddings
with Gallery.open(sys.argv[1]) as gallery:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    faces = Embeddings(unit_vectors(3000, 16, seed=5), np.ones(3000, np.float32))
    try:
        gallery.add_faces("people", "many", faces, contract=random_contract(16), create_person=True)
    except GalleryUnavailable as error:
        print(error.message)
    print(gallery.group("people").faces, len(gallery.persons("people")))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    gallery.add_person("people", "afterwards")
"""


def test_a_file_that_may_not_grow(tmp_path):
    """A quota, for which nobody needs to be root."""
    url = f"sqlite:///{tmp_path / 'gallery.db'}"
    small_gallery(url).close()
    limit = (tmp_path / "gallery.db").stat().st_size + 20_000
    command = [sys.executable, "-c", LIMITED, url, str(limit)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert "gallery.db" in said[0]
    assert "disk" in said[0]
    assert said[1] == "10 5"
    with Gallery.open(url) as gallery:
        assert gallery.group("people").persons == 6
        assert_level(gallery)


# ---------------------------------------------------------------- a read-only disk


def test_a_read_only_disk(disk):
    url = f"sqlite:///{disk.folder / 'gallery.db'}"
    small_gallery(url).close()
    disk.freeze()
    with Gallery.open(url, create=False) as gallery:
        assert_level(gallery)
        for write in (
            lambda: add(gallery, 1),
            lambda: gallery.delete_group("people"),
            lambda: gallery.privacy.erase("people", "person-00001"),
        ):
            with pytest.raises(GalleryUnavailable, match="read-only"):
                write()
        assert_level(gallery)
    with pytest.raises(GalleryUnavailable, match="cannot be made"):
        Gallery.open(f"sqlite:///{disk.folder / 'new' / 'gallery.db'}")
    disk.freeze(frozen=False)
    with Gallery.open(url) as gallery:
        add(gallery, 1)
        assert_level(gallery)


# ---------------------------------------------------------------- a damaged index


@pytest.fixture
def indexed(tmp_path):
    """A gallery's URL, the folder of its snapshots, and the one file in it."""
    url, folder = f"sqlite:///{tmp_path / 'gallery.db'}", tmp_path / "index"
    with small_gallery(url) as gallery:
        for seed in range(40):
            add(gallery, seed, 3)
    with opened(url, folder) as gallery:
        assert_level(gallery)
    (file,) = folder.glob("*.index")
    return url, folder, file


@pytest.fixture
def rebuilt(monkeypatch):
    """Groups that were read from the records."""
    groups, rebuild = [], ExactIndex.rebuild

    def noted(self, group, batches):
        groups.append(group)
        rebuild(self, group, batches)

    monkeypatch.setattr(ExactIndex, "rebuild", noted)
    return groups


@pytest.fixture
def believed(indexed, rebuilt):
    """Whether a snapshot of some content is believed; the answer is right in any case."""
    url, folder, file = indexed
    with Gallery.open(url) as gallery:
        truth = similarities(gallery, "people", PROBES)

        def ask(content):
            file.write_bytes(content)
            rebuilt.clear()
            gallery._searcher = Searcher(
                gallery._database, ExactIndex(), snapshots=Snapshots(folder)
            )
            hits = gallery.search("people", PROBES, k=1000, contract=CONTRACT)
            assert_found([[(hit.person, hit.similarity) for hit in row] for row in hits], truth)
            assert file.exists() == (not rebuilt)  # who cannot be believed is deleted
            return not rebuilt

        yield ask


def test_every_damaged_part_of_a_snapshot_is_noticed(indexed, believed):
    whole = indexed[2].read_bytes()
    assert believed(whole)
    step = len(whole) // 30
    for place in [*range(0, 80, 8), *range(80, len(whole), step), len(whole) - 1]:
        broken = bytearray(whole)
        broken[place] ^= 1 << place % 8
        assert not believed(bytes(broken)), place


def test_a_snapshot_that_was_cut_anywhere_is_noticed(indexed, believed):
    whole = indexed[2].read_bytes()
    for length in [0, 1, 16, 100, *range(1000, len(whole), len(whole) // 20), len(whole) - 1]:
        assert not believed(whole[:length]), length


def test_a_snapshot_of_another_gallery_or_group_is_not_believed(
    indexed, believed, rebuilt, tmp_path
):
    url, folder, file = indexed
    own = file.read_bytes()
    other = f"sqlite:///{tmp_path / 'other.db'}"
    small_gallery(other, seed=9).close()
    with opened(other, tmp_path / "foreign") as gallery:
        gallery.search("people", PROBES, k=1, contract=CONTRACT)
    assert not believed((tmp_path / "foreign" / file.name).read_bytes())
    with Gallery.open(url) as gallery:
        gallery.create_group("others", contract=CONTRACT)
    file.with_name("2.index").write_bytes(own)  # that of the first group, in its own gallery
    rebuilt.clear()
    with opened(url, folder) as gallery:
        add_to_others = Embeddings(unit_vectors(1, DIM, seed=3), np.ones(1, np.float32))
        gallery.add_faces("others", "Ann", add_to_others, contract=CONTRACT, create_person=True)
        (hits,) = gallery.search("others", PROBES[:1], k=1000, contract=CONTRACT)
        assert [hit.person for hit in hits] == ["Ann"]
    assert 2 in rebuilt


# ---------------------------------------------------------------- a damaged database


def test_every_damaged_page_is_a_typed_error_or_does_no_harm(tmp_path):
    """Templates and keys are sealed, so that what SQLite does not notice, they do."""
    file, url = tmp_path / "gallery.db", f"sqlite:///{tmp_path / 'gallery.db'}"
    with small_gallery(url) as gallery:
        truth = similarities(gallery, "people", PROBES)
    whole = file.read_bytes()
    noise, named = np.random.default_rng(5), []
    for page in range(0, len(whole), 4096):
        broken = bytearray(whole)
        broken[page : page + 4096] = noise.bytes(4096)
        file.write_bytes(bytes(broken))
        for path in (f"{file}-wal", f"{file}-shm"):
            with suppress(FileNotFoundError):
                (tmp_path / path).unlink()
        try:
            with Gallery.open(url, create=False) as gallery:
                hits = gallery.search("people", PROBES, k=1000, contract=CONTRACT)
                assert_found([[(h.person, h.similarity) for h in row] for row in hits], truth)
                gallery.persons("people")
                gallery.privacy.verify_audit()
        except MienError as error:
            named.append(str(error))
        assert file.read_bytes()[page : page + 4096] == bytes(broken[page : page + 4096])
    assert len(named) > 5
    assert not any(str(tmp_path) in one for one in named)
    file.write_bytes(whole)
    with Gallery.open(url) as gallery:
        assert_level(gallery)


# ---------------------------------------------------------------- a PostgreSQL server that goes


# SQLAlchemy leaves a server-side cursor open whose connection is lost, and psycopg remarks on it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_threads_go_on_when_their_postgres_server_is_back():
    """In the middle of searches, writes and rebuilds: typed errors, and nothing lost."""
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    stop, unexpected, added, refused = threading.Event(), [], [], []
    back = threading.Event()
    served = {"search": 0, "add": 0, "rebuild": 0}

    def work(kind, use):
        number = 0
        while not stop.is_set():
            number += 1
            try:
                use(number)
                served[kind] += back.is_set()
            except GalleryUnavailable:
                refused.append(kind)
                stop.wait(0.02)
            except Exception as error:
                unexpected.append((kind, error))
                return

    with (
        PostgresServer(programs) as server,
        server.database() as url,
        small_gallery(url) as gallery,
    ):

        def enrol(number):
            add(gallery, 1000 + number)
            added.append(1000 + number)

        def rebuild(_number):
            with Gallery.open(url) as other:
                other.search("people", PROBES, k=3, contract=CONTRACT)

        uses = {
            "search": lambda _: gallery.search("people", PROBES, k=3, contract=CONTRACT),
            "add": enrol,
            "rebuild": rebuild,
        }
        threads = [threading.Thread(target=work, args=one) for one in uses.items()]
        for thread in threads:
            thread.start()
        for _ in range(2):
            back.clear()
            stop.wait(0.3)
            server.stop()
            before = len(refused)
            while len(set(refused[before:])) < len(uses) and not unexpected:
                stop.wait(0.02)
            server.start()
            served.update(dict.fromkeys(served, 0))
            back.set()
            while min(served.values()) < 1 and not unexpected:
                stop.wait(0.02)
        stop.set()
        for thread in threads:
            thread.join()
        assert unexpected == []
        names = {person.name for person in gallery.persons("people", limit=1000)}
        assert {f"n{number}" for number in added} <= names
        assert_level(gallery)
        with Gallery.open(url) as other:
            assert_level(other)
