"""Odd requests: whatever comes, the answer is a described one, and nothing else has changed."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import httpx
import pytest

from mien.gallery import Gallery
from mien.service import create_app
from mien.testing import mock_engine

PERSONS = "/v1/groups/g/persons"
ODD = [
    "",
    "\0",
    "a\0b",
    "💥",
    "é" * 299,
    "x" * 301,
    "../..",
    "%00",
    "'; DROP TABLE persons; --",
    "\ud800",
]
JSON = {"Content-Type": "application/json"}
NUMBERS = ["-1", "0", "9" * 400, str(2**63), str(2**53), "1e3", "١", " 1", "1.0", "NaN", "true", ""]
NAMES = ["Zoë", "김민수", "e\u0301", "a b", "a%2Fb", "?", "#", "a+b", "‮x", "𝒳", "Ann\u200b"]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def api(request, tmp_path_factory, app_transport, service_settings, photos):
    """A client of a service with a group, and one of another application."""
    folder = tmp_path_factory.mktemp("odd")
    settings = service_settings(folder)
    engine = mock_engine(settings)
    place = nullcontext(f"sqlite:///{folder / 'gallery.db'}")
    if request.param == "postgresql":
        place = request.getfixturevalue("postgres_server").database()
    with place as url, Gallery.open(url) as gallery:
        yield from opened(gallery, engine, settings, app_transport, photos)


def opened(gallery, engine, settings, app_transport, photos):
    transport = app_transport(create_app(engine, gallery, settings))
    gallery.create_application("other")
    scopes = ["detect", "gallery:read", "gallery:write", "admin"]
    clients = [
        httpx.Client(
            transport=transport,
            base_url="http://mien.test",
            headers={"Authorization": f"Bearer {gallery.create_key(name, scopes)[1]}"},
        )
        for name in ("default", "other")
    ]
    own, other = clients
    for client in clients:
        client.post("/v1/groups", json={"name": "g", "settings": {"images": "crops"}})
        client.post("/v1/groups", json={"name": "h"})
        client.post(PERSONS, json={"name": "Ann"})
        client.post(PERSONS, json={"name": "Bob"})
        client.post(f"{PERSONS}/Ann/faces", files={"image": photos.ann})
    yield own, other
    transport.close()
    engine.close()


def code(answer):
    return answer.status_code, answer.json()["error"]["code"]


def quoted(text):
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


LISTS = [
    "/v1/groups",
    PERSONS,
    f"{PERSONS}/Ann/faces",
    "/v1/groups/g/changes",
    "/v1/jobs",
    "/v1/audit",
]


@pytest.mark.parametrize("path", LISTS)
def test_odd_cursors_are_an_empty_page_or_refused(api, path):
    own, _ = api
    for after in (*ODD, *NUMBERS):
        answer = own.get(f"{path}?after={quoted(after)}")
        gone = path.endswith("/changes") and answer.status_code == 404
        assert gone or answer.status_code in (200, 400), (after, answer.text)
        if answer.status_code == 400:
            assert code(answer) == (400, "invalid_argument")
    for limit in NUMBERS:
        answer = own.get(path, params={"limit": limit})
        assert answer.status_code in (200, 400), (limit, answer.text)


def test_a_cursor_of_another_list_shows_nothing_of_it(api):
    own, other = api
    (face,) = other.get(f"{PERSONS}/Ann/faces").json()["faces"]
    for client, path, after in (
        (own, f"{PERSONS}/Ann/faces", face["id"]),
        (own, f"{PERSONS}/Bob/faces", own.get(f"{PERSONS}/Ann/faces").json()["faces"][0]["id"]),
        (own, "/v1/groups/h/persons", "Ann"),
        (other, "/v1/jobs", "0" * 32),
    ):
        answer = client.get(path, params={"after": after})
        assert answer.status_code in (200, 400), answer.text
        assert face["id"] not in answer.text


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_odd_things_in_paths_and_bodies_are_refused(api, odd):
    own, _ = api
    name = quoted(odd) or "%20"
    before = own.get(PERSONS).json()["persons"]
    for method, path in (
        ("GET", f"/v1/groups/{name}"),
        ("GET", f"{PERSONS}/{name}"),
        ("DELETE", f"{PERSONS}/{name}"),
        ("GET", f"/v1/groups/g/faces/{name}"),
        ("GET", f"/v1/jobs/{name}"),
        ("GET", f"/v1/jobs/{name}/items"),
        ("GET", f"/v1/liveness-sessions/{name}"),
        ("POST", f"/v1/consents/{name}/withdraw"),
        ("POST", f"/v1/groups/g/faces/{name}/search"),
        ("GET", f"{PERSONS}?external_id={name}"),
        ("GET", f"{PERSONS}/Ann/faces?external_image_id={name}"),
        ("GET", f"/v1/audit/verify?head={name}"),
        ("GET", f"/v1/models?task={name}"),
    ):
        answer = own.request(method, path)
        assert answer.status_code in (200, 400, 404, 405), (method, path, answer.text)
    for path, body in (
        ("/v1/groups/g/undo", {"change": odd}),
        (f"{PERSONS}/Ann/move", {"group": odd}),
        (f"{PERSONS}/Ann/merge", {"person": odd}),
        (f"{PERSONS}/Ann/split", {"name": "x", "faces": [odd]}),
        ("/v1/groups/h/members", {"group": odd, "person": "Ann"}),
        ("/v1/groups/h/members", {"group": "g", "person": odd}),
        ("/v1/groups/g/jobs/reembed", {"embedder": odd}),
        ("/v1/groups/g/search", {"contract": odd, "embeddings": [[1.0]]}),
        ("/v1/liveness-sessions", {"group": odd, "person": odd}),
    ):
        content = json.dumps(body)  # a lone surrogate goes as \\ud800
        answer = own.post(path, content=content, headers=JSON)
        assert answer.status_code in (400, 404, 409), (path, answer.text)
    assert own.get(PERSONS).json()["persons"] == before


WRONG = [None, 0, -1, 1.5, True, [], {}, "", [[]], {"a": None}, 10**400, "x" * 60_000]


@pytest.mark.parametrize(
    ("method", "path", "fields"),
    [
        ("POST", "/v1/groups", ("name", "scoring", "settings", "user_data")),
        ("PATCH", "/v1/groups/h", ("name", "settings", "user_data")),
        ("POST", PERSONS, ("name", "user_data", "external_id")),
        ("PATCH", f"{PERSONS}/Bob", ("name", "user_data", "external_id")),
        ("POST", f"{PERSONS}/bulk", ("persons",)),
        ("POST", f"{PERSONS}/Bob/consents", ("purpose", "expires", "every_group", "language")),
        ("POST", "/v1/groups/g/jobs/reembed", ("embedder", "drop_missing", "dry_run")),
        ("POST", "/v1/groups/g/search", ("contract", "embeddings", "norms", "top", "fpir")),
        ("POST", "/v1/liveness-sessions", ("among", "ttl_s", "fmr", "subject", "step_count")),
        ("POST", "/v1/archive/export", ("passphrase", "groups", "log")),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_wrong_types_are_refused_or_taken_for_what_they_are(api, method, path, fields):
    own, _ = api
    for field in fields:
        for value in WRONG:
            answer = own.request(method, path, json={field: value})
            assert answer.status_code < 500, (field, value, answer.text)
    for body in (b"", b"null", b"[]", b"{", b'{"name": NaN}', b"\xff", b'{"a": 1, "a": 2}'):
        answer = own.request(method, path, content=body, headers=JSON)
        assert answer.status_code in (400, 415), (body, answer.text)


@pytest.mark.parametrize("name", NAMES)
def test_names_go_in_and_out_as_they_are(api, name):
    own, _ = api
    made = own.post(PERSONS, json={"name": name})
    if made.status_code == 400:
        assert code(made) == (400, "invalid_argument")
        return
    assert made.status_code == 201, made.text
    where = made.headers["location"]
    assert own.get(where).json()["id"] == made.json()["id"]
    assert own.get(f"{PERSONS}/{quoted(name)}").json()["id"] == made.json()["id"]
    assert code(own.post(PERSONS, json={"name": name})) == (409, "already_exists")
    assert own.delete(where).status_code == 204


def test_of_many_changes_and_deletions_with_one_tag_one_is_done(api):
    own, _ = api
    tag = own.post(PERSONS, json={"name": "Race"}).headers["etag"]
    gate = threading.Barrier(6)

    def send(number):
        gate.wait()
        headers = {"If-Match": tag}
        if number % 2:
            return own.delete(f"{PERSONS}/Race", headers=headers).status_code
        body = {"user_data": str(number)}
        return own.patch(f"{PERSONS}/Race", json=body, headers=headers).status_code

    with ThreadPoolExecutor(6) as pool:
        found = sorted(pool.map(send, range(6)))
    assert sum(status in (200, 204) for status in found) == 1
    assert set(found) <= {200, 204, 404, 412}
    own.delete(f"{PERSONS}/Race")


def test_one_key_is_one_request_of_one_application(api):
    own, other = api
    key = {"Idempotency-Key": "odd-1"}
    assert own.post(PERSONS, json={"name": "Key"}, headers=key).status_code == 201
    for path, body in (
        (PERSONS, {"name": "Key", "user_data": "x"}),
        (f"{PERSONS}?timings=true", {"name": "Key"}),
        ("/v1/groups/h/persons", {"name": "Key"}),
        (f"{PERSONS}/Key/erase", None),
        ("/v1/purge", None),
        ("/v1/groups/g/jobs/reembed", {}),
    ):
        assert code(own.post(path, json=body, headers=key)) == (409, "idempotency_conflict"), path
    assert other.post(PERSONS, json={"name": "Key"}, headers=key).status_code == 201
    again = own.post(PERSONS, json={"name": "Key"}, headers=key)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"].endswith(again.json()["id"])
    assert again.headers["etag"] == own.get(again.headers["location"]).headers["etag"]
    for client in api:
        client.delete(f"{PERSONS}/Key")
