"""An application's archive over HTTP: out, in, and what goes wrong on the way."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from mien.errors import ArchiveUnusable
from mien.service import archives, schemas, streams
from mien.service.streams import stream_of

GROUP = "/v1/groups/friends"
PASS = "correct horse 말 배터리"
HEADER = {"Mien-Passphrase": "correct%20horse%20%EB%A7%90%20%EB%B0%B0%ED%84%B0%EB%A6%AC"}


def code(answer):
    schemas.ErrorAnswer.model_validate(answer.json())
    return answer.status_code, answer.json()["error"]["code"]


@pytest.fixture
def admin(house):
    """Headers of a key with every scope."""
    return house.key(scopes=["detect", "gallery:read", "gallery:write", "admin"])


@pytest.fixture
def file(client, admin, photos):
    """An archive with Ann, who has one face."""
    client.post("/v1/groups", json={"name": "friends"})
    client.post(f"{GROUP}/persons", json={"name": "Ann"})
    client.post(f"{GROUP}/persons/Ann/faces", files={"image": photos.ann})
    answer = client.post("/v1/archive/export", json={"passphrase": PASS}, headers=admin)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["cache-control"] == "private, no-store"
    return answer.content


def load(client, headers, content, **options):
    return client.post(
        "/v1/archive/import", content=content, params=options, headers={**headers, **HEADER}
    )


def test_what_goes_out_comes_in(client, house, file, admin, photos):
    house.gallery.create_application("other")
    other = house.key("other", scopes=["gallery:read", "gallery:write", "admin"])
    answer = load(client, other, file)
    assert answer.status_code == 200, answer.text
    archives.ArchiveAnswer.model_validate(answer.json())
    assert (answer.json()["persons"], answer.json()["faces"]) == (1, 1)
    found = client.post(
        f"{GROUP}/identify",
        files={"image": photos.ann},
        data={"threshold": "0.9"},
        headers=other,
    )
    assert found.json()["faces"][0]["candidates"][0]["person"] == "Ann"
    assert code(load(client, other, file)) == (409, "already_exists")
    again = load(client, other, file, on_conflict="skip").json()
    assert (again["persons"], again["skipped_persons"]) == (0, 1)


def test_what_cannot_be_imported_changes_nothing(client, file, admin):
    client.delete(GROUP)
    wrong = {**admin, "Mien-Passphrase": "another passphrase"}
    answer = client.post("/v1/archive/import", content=file, headers=wrong)
    assert code(answer)[1] == "key_mismatch"
    for bad in (file[:-1], file[:200], b"", b"x" * 1000, file[:300] + b"\0" + file[301:]):
        assert code(load(client, admin, bad))[1] in ("archive_unusable", "key_mismatch"), len(bad)
    short = client.post("/v1/archive/import", content=file, headers=admin)
    assert code(short) == (400, "invalid_argument")
    odd = {**admin, "Mien-Passphrase": "%FF" * 20}
    refused = client.post("/v1/archive/import", content=file, headers=odd)
    assert code(refused) == (400, "invalid_argument")
    assert code(load(client, admin, file, on_conflict="guess")) == (400, "invalid_argument")
    assert client.get("/v1/groups").json()["groups"] == []
    assert load(client, admin, file, bring_back_erased="true").json()["persons"] == 1


def test_what_cannot_be_exported_is_an_error_and_no_file(client, admin):
    for body, wanted in (
        ({"passphrase": "short"}, "invalid_argument"),
        ({}, "invalid_argument"),
        ({"passphrase": PASS, "groups": ["nobody"]}, "not_found"),
        ({"passphrase": PASS, "groups": "all"}, "invalid_argument"),
    ):
        answer = client.post("/v1/archive/export", json=body, headers=admin)
        assert code(answer)[1] == wanted
    ok = client.post("/v1/archive/export", json={"passphrase": PASS}, headers=admin)
    assert ok.status_code == 200  # no place was lost


def test_the_passphrase_is_not_kept_for_a_key(client, house, file, admin):
    key = {**admin, "Idempotency-Key": "1"}
    for _ in range(2):
        answer = client.post("/v1/archive/export", json={"passphrase": PASS}, headers=key)
        assert answer.status_code == 200
    with house.gallery._database.reading() as connection:
        assert not connection.exec_driver_sql("SELECT answer FROM repeats").all()


def test_an_archive_has_at_most_so_many_bytes(open_house, file):
    house = open_house(max_archive_bytes=len(file))
    admin = house.key(scopes=["admin"])
    assert load(house.client, admin, file).status_code == 200
    assert code(load(house.client, admin, file + b"x")) == (413, "request_too_large")


def test_two_archives_at_once_and_not_a_third(house, client, admin):
    with house.service.archives.hold(), house.service.archives.hold():
        answer = client.post("/v1/archive/export", json={"passphrase": PASS}, headers=admin)
        assert code(answer) == (503, "overloaded")
    assert house.service.archives.taken == 0


def test_a_stream_runs_never_far_ahead_and_ends_with_its_reader():
    written = []
    ended = threading.Event()

    def write(file):
        try:
            for number in range(1000):
                file.write(b"%d" % number)
                written.append(number)
        except ArchiveUnusable:
            ended.set()
            raise

    async def read_two():
        blocks = stream_of(write)
        assert await anext(blocks) == b"0"
        assert await anext(blocks) == b"1"
        await asyncio.sleep(0.1)
        assert len(written) <= streams.BLOCKS + 3
        await blocks.aclose()

    asyncio.run(read_two())
    assert ended.is_set()


def test_a_stream_whose_reader_stalls_is_given_up(monkeypatch):
    monkeypatch.setattr(streams, "STALL_S", 0.05)
    failed = threading.Event()

    def write(file):
        try:
            while True:
                file.write(b"x")
        except ArchiveUnusable:
            failed.set()
            raise

    async def stall():
        blocks = stream_of(write)
        await anext(blocks)
        while not failed.is_set():
            await asyncio.sleep(0.01)
        with pytest.raises(ArchiveUnusable):
            async for _ in blocks:
                pass

    began = time.monotonic()
    asyncio.run(asyncio.wait_for(stall(), 20))
    assert time.monotonic() - began < 20


def test_an_error_in_the_middle_is_not_an_end():
    def write(file):
        file.write(b"x")
        raise ArchiveUnusable("no space")

    async def read():
        return [block async for block in stream_of(write)]

    with pytest.raises(ArchiveUnusable):
        asyncio.run(read())
