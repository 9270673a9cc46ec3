"""The service while its gallery cannot be used, and afterwards: 503, readiness, no restart."""

import sqlite3
import time

import pytest

from mien.gallery import Gallery
from mien.gallery.records.database import Database
from mien.testing.disks import DiskNotAllowed, mounted
from mien.testing.postgres import PostgresServer, postgres_programs
from mien.testing.truth import assert_whole


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        with mounted(folder, "8m") as made:
            yield made
    except DiskNotAllowed:
        pytest.skip("only root mounts a disk")


def furnished(house, photos):
    """The service with a group and Ann in it, once its models are there."""
    until = time.monotonic() + 30
    while house.client.get("/readyz").status_code != 200:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert house.client.post("/v1/groups", json={"name": "staff"}).status_code == 201
    assert enrol(house, photos.ann, "Ann").status_code == 201
    return house


def enrol(house, photo, person):
    persons = "/v1/groups/staff/persons"
    made = house.client.post(persons, json={"name": person})
    if made.status_code not in (201, 409):
        return made
    return house.client.post(f"{persons}/{person}/faces", files={"image": photo})


def identify(house, photo):
    return house.client.post("/v1/groups/staff/identify", files={"image": photo})


def assert_unavailable(answer, told):
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) >= 1
    error = answer.json()["error"]
    assert error["code"] == "gallery_unavailable"
    assert told in error["message"]
    assert "/" not in error["message"]
    assert "127.0.0.1" not in error["message"]


def readiness(house):
    assert house.client.get("/healthz").status_code == 200
    answer = house.client.get("/readyz")
    body = answer.json()
    assert answer.status_code == (200 if body["ready"] else 503)
    assert body["ready"] == body["gallery"]
    assert ("Retry-After" in answer.headers) == (not body["ready"])
    return body["ready"]


def assert_as_before(house, photos, *, persons):
    """Whoever was enrolled is found, and the next is enrolled."""
    assert readiness(house)
    found = identify(house, photos.ann).json()["faces"]
    assert found[0]["candidates"][0]["person"] == "Ann"
    assert enrol(house, photos.bob, "Bob").status_code == 201
    assert house.client.get("/v1/groups/staff").json()["persons"] == persons
    assert_whole(house.gallery)


def forget_keys(house):
    """As half a second later: the next request looks its key up."""
    house.service.keys._keys.clear()


@pytest.fixture
def lock():
    """Takes a file's write lock as another program does, and gives it back."""
    connections = []

    def take(file):
        connections.append(sqlite3.connect(file, isolation_level=None))
        connections[-1].execute("BEGIN IMMEDIATE")
        return connections[-1].close

    yield take
    for connection in connections:
        connection.close()


def test_whoever_reads_waits_for_no_lock(open_house, photos, tmp_path, monkeypatch, lock):
    """Nor does the note of when a key was last used, which is a write."""
    monkeypatch.setitem(Database.__init__.__kwdefaults__, "timeout_s", 300.0)
    file = tmp_path / "locked.db"
    house = furnished(open_house(url=f"sqlite:///{file}", request_timeout_s=20), photos)
    with house.gallery._database.writing() as connection:  # the note is due
        connection.exec_driver_sql("UPDATE api_keys SET last_used_at = 0")
    lock(file)
    for _ in range(3):
        forget_keys(house)
        assert readiness(house)
        assert identify(house, photos.ann).status_code == 200
        assert house.client.get("/v1/groups/staff").status_code == 200


def test_whoever_writes_waits_and_is_told(open_house, photos, tmp_path, monkeypatch, lock):
    monkeypatch.setitem(Database.__init__.__kwdefaults__, "timeout_s", 1.0)
    file = tmp_path / "locked.db"
    house = furnished(open_house(url=f"sqlite:///{file}"), photos)
    release = lock(file)
    assert_unavailable(enrol(house, photos.bob, "Bob"), "locked by another program")
    assert_unavailable(house.client.delete("/v1/groups/staff"), "locked by another program")
    release()
    assert_as_before(house, photos, persons=2)


def test_a_full_disk(open_house, photos, disk):
    house = furnished(open_house(url=f"sqlite:///{disk.folder / 'full.db'}"), photos)
    filling = disk.fill()
    refused = 0
    for number in range(200):
        answer = enrol(house, photos.bob, f"Person {number}")
        if answer.status_code != 201:
            assert_unavailable(answer, "disk is full")
            refused += 1
            break
    assert refused
    forget_keys(house)
    assert identify(house, photos.ann).status_code == 200
    assert_unavailable(house.client.post("/v1/groups", json={"name": "x" * 200}), "disk is full")
    filling.unlink()
    assert_as_before(house, photos, persons=number + 2)


def test_a_read_only_disk(open_house, photos, disk):
    url = f"sqlite:///{disk.folder / 'frozen.db'}"
    first = furnished(open_house(url=url), photos)
    secret = first.secret
    first.gallery.close()
    disk.freeze()
    frozen = Gallery.open(url, create=False)
    house = open_house(url=f"sqlite:///{disk.folder.parent / 'other.db'}")
    house.service.gallery = frozen
    house.client.headers["Authorization"] = f"Bearer {secret}"
    assert readiness(house)
    assert identify(house, photos.ann).status_code == 200
    assert_unavailable(enrol(house, photos.bob, "Bob"), "read-only")
    assert_unavailable(house.client.delete("/v1/groups/staff"), "read-only")
    frozen.close()
    disk.freeze(frozen=False)
    with Gallery.open(url) as gallery:
        assert gallery.group("staff").persons == 1


@pytest.mark.parametrize("what", ["moved", "replaced"])
def test_a_file_that_is_gone_and_comes_back(open_house, photos, tmp_path, what):
    folder = tmp_path / "place"
    folder.mkdir()
    house = furnished(open_house(url=f"sqlite:///{folder / 'faces.db'}"), photos)
    folder.rename(tmp_path / "away")
    if what == "replaced":
        Gallery.open(f"sqlite:///{folder / 'faces.db'}").close()
    forget_keys(house)
    assert not readiness(house)
    assert_unavailable(identify(house, photos.ann), "deleted, moved or replaced")
    assert_unavailable(enrol(house, photos.bob, "Bob"), "deleted, moved or replaced")
    if what == "replaced":
        folder.rename(tmp_path / "elsewhere")
    (tmp_path / "away").rename(folder)
    assert_as_before(house, photos, persons=2)


def test_a_damaged_file(open_house, photos, tmp_path):
    file = tmp_path / "damaged.db"
    house = furnished(open_house(url=f"sqlite:///{file}"), photos)
    database = house.gallery._database
    database.forget_deleted()  # all of it is in the file, nothing in the log
    whole = file.read_bytes()

    def overwrite(content):
        with file.open("r+b") as stream:
            stream.write(content)
        database._engine.dispose()  # no connection has a page of it in its cache
        forget_keys(house)

    broken = whole[:4096] + b"\x5a" * (len(whole) - 4096)
    overwrite(broken)
    assert not readiness(house)
    assert_unavailable(house.client.get("/v1/groups"), "damaged")
    assert_unavailable(identify(house, photos.ann), "damaged")
    assert_unavailable(enrol(house, photos.bob, "Bob"), "damaged")
    assert file.read_bytes() == broken
    overwrite(whole)
    assert_as_before(house, photos, persons=2)


def test_a_postgres_server_that_stops_and_starts(open_house, photos):
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    with PostgresServer(programs) as server, server.database() as url:
        house = furnished(open_house(url=url), photos)
        server.stop()
        forget_keys(house)
        assert not readiness(house)
        assert_unavailable(house.client.get("/v1/groups"), "PostgreSQL server")
        assert_unavailable(identify(house, photos.ann), "PostgreSQL server")
        assert_unavailable(enrol(house, photos.bob, "Bob"), "PostgreSQL server")
        server.start()
        assert_as_before(house, photos, persons=2)
        house.gallery.close()
