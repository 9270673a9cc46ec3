"""Keys: who gets in, what a key may do, and that applications never see each other."""

from __future__ import annotations

import datetime as dt
import logging
import time

import pytest

from mien.gallery import Gallery, Scope
from mien.service.auth import CACHE_S, ensure_first_key
from mien.service.schemas import ErrorAnswer

ROUTES = [
    ("POST", "/v1/detect", Scope.DETECT),
    ("POST", "/v1/compare", Scope.DETECT),
    ("POST", "/v1/represent", Scope.DETECT),
    ("POST", "/v1/analyze", Scope.DETECT),
    ("POST", "/v1/liveness", Scope.DETECT),
    ("POST", "/v1/liveness/clip", Scope.DETECT),
    ("POST", "/v1/liveness-sessions", Scope.DETECT),
    ("GET", "/v1/liveness-sessions/s", Scope.DETECT),
    ("POST", "/v1/liveness-sessions/s/frames", Scope.DETECT),
    ("DELETE", "/v1/liveness-sessions/s", Scope.DETECT),
    ("GET", "/v1/status", Scope.DETECT),
    ("GET", "/v1/groups", Scope.GALLERY_READ),
    ("GET", "/v1/groups/g", Scope.GALLERY_READ),
    ("GET", "/v1/groups/g/persons", Scope.GALLERY_READ),
    ("GET", "/v1/groups/g/persons/p", Scope.GALLERY_READ),
    ("GET", "/v1/groups/g/persons/p/faces", Scope.GALLERY_READ),
    ("GET", "/v1/groups/g/persons/p/faces/f/image", Scope.GALLERY_READ),
    ("GET", "/v1/groups/g/faces/f", Scope.GALLERY_READ),
    ("POST", "/v1/groups/g/identify", Scope.GALLERY_READ),
    ("POST", "/v1/groups/g/persons/p/verify", Scope.GALLERY_READ),
    ("POST", "/v1/groups", Scope.GALLERY_WRITE),
    ("DELETE", "/v1/groups/g", Scope.GALLERY_WRITE),
    ("POST", "/v1/groups/g/persons", Scope.GALLERY_WRITE),
    ("DELETE", "/v1/groups/g/persons/p", Scope.GALLERY_WRITE),
    ("POST", "/v1/groups/g/persons/p/faces", Scope.GALLERY_WRITE),
    ("DELETE", "/v1/groups/g/faces/f", Scope.GALLERY_WRITE),
    ("PATCH", "/v1/groups/g", Scope.GALLERY_WRITE),
    ("GET", "/v1/groups/g/changes", Scope.GALLERY_READ),
    ("POST", "/v1/groups/g/undo", Scope.GALLERY_WRITE),
    ("POST", "/v1/groups/g/members", Scope.GALLERY_WRITE),
    ("DELETE", "/v1/groups/g/members/p", Scope.GALLERY_WRITE),
    ("PATCH", "/v1/groups/g/persons/p", Scope.GALLERY_WRITE),
    ("POST", "/v1/groups/g/persons/p/move", Scope.GALLERY_WRITE),
    ("POST", "/v1/groups/g/persons/p/merge", Scope.GALLERY_WRITE),
    ("POST", "/v1/groups/g/persons/p/split", Scope.GALLERY_WRITE),
    ("PATCH", "/v1/groups/g/faces/f", Scope.GALLERY_WRITE),
    ("POST", "/v1/groups/g/faces/f/move", Scope.GALLERY_WRITE),
    ("POST", "/v1/groups/g/jobs/enroll", Scope.GALLERY_WRITE),
    ("GET", "/v1/jobs", Scope.GALLERY_READ),
    ("GET", "/v1/jobs/j", Scope.GALLERY_READ),
    ("GET", "/v1/jobs/j/items", Scope.GALLERY_READ),
    ("DELETE", "/v1/jobs/j", Scope.GALLERY_WRITE),
    ("GET", "/v1/groups/g/persons/p/faces/f/image", Scope.GALLERY_READ),
    ("POST", "/v1/cluster", Scope.DETECT),
    ("POST", "/v1/find", Scope.DETECT),
    ("GET", "/v1/models", Scope.DETECT),
    ("GET", "/v1/usage", Scope.GALLERY_READ),
    ("POST", "/v1/groups/g/identify/bulk", Scope.GALLERY_READ),
    ("POST", "/v1/groups/g/search", Scope.GALLERY_READ),
    ("POST", "/v1/groups/g/faces/f/search", Scope.GALLERY_READ),
    ("POST", "/v1/groups/g/persons/bulk", Scope.GALLERY_WRITE),
    ("POST", "/v1/groups/g/persons/p/consents", Scope.GALLERY_WRITE),
    ("GET", "/v1/groups/g/persons/p/consents", Scope.GALLERY_READ),
    ("POST", "/v1/consents/c/withdraw", Scope.GALLERY_WRITE),
    ("POST", "/v1/groups/g/persons/p/erase", Scope.GALLERY_WRITE),
    ("GET", "/v1/groups/g/persons/p/export", Scope.ADMIN),
    ("POST", "/v1/purge", Scope.ADMIN),
    ("GET", "/v1/audit", Scope.ADMIN),
    ("GET", "/v1/audit/verify", Scope.ADMIN),
    ("POST", "/v1/groups/g/jobs/reembed", Scope.ADMIN),
    ("POST", "/v1/archive/export", Scope.ADMIN),
    ("POST", "/v1/archive/import", Scope.ADMIN),
]
OPEN = {"/", "/docs", "/openapi.json", "/healthz", "/readyz", "/metrics"}


def code(answer):
    ErrorAnswer.model_validate(answer.json())
    return answer.status_code, answer.json()["error"]["code"]


def test_the_matrix_has_every_route(house):
    described = {
        (method.upper(), path)
        for path, operations in house.app.openapi()["paths"].items()
        for method in operations
        if path not in OPEN
    }
    short = {
        "g": "{group}",
        "p": "{person}",
        "f": "{face_id}",
        "j": "{job_id}",
        "c": "{consent_id}",
        "s": "{session}",
    }
    listed = {
        (method, "/".join(short.get(part, part) for part in path.split("/")))
        for method, path, _ in ROUTES
    }
    assert listed == described


@pytest.fixture(scope="module")
def shared_house(open_dialects):
    """One service for all rows of the matrix: nothing of it is changed by being refused."""
    house = open_dialects(max_request_images=17)
    keys = {
        one: {"Authorization": f"Bearer {house.gallery.create_key('default', list(one))[1]}"}
        for scope in Scope
        for one in ((scope,), tuple(other for other in Scope if other is not scope))
    }
    return house, keys


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
def test_every_route_wants_a_key_and_its_scope(shared_house, method, path, scope):
    house, keys = shared_house
    bad = [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Basic {house.secret}",
        f"Bearer {house.secret}x",
        "Bearer \xe9\xe9".encode("latin-1"),
    ]
    for header in bad:
        headers = {} if header is None else {"Authorization": header}
        answer = house.client.request(method, path, headers=headers)
        assert code(answer) == (401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    others = tuple(one for one in Scope if one is not scope)
    answer = house.client.request(method, path, headers=keys[others])
    assert code(answer) == (403, "forbidden")
    assert answer.json()["error"]["details"] == {"scope": scope.value}
    answer = house.client.request(method, path, headers=keys[(scope,)])
    assert answer.status_code not in {401, 403}


def test_open_pages_need_no_key(house):
    for path in OPEN:
        request = house.client.build_request("GET", path)
        del request.headers["Authorization"]
        assert house.client.send(request).status_code in {200, 503}


def test_a_revoked_key_ends_within_a_second(house):
    key, secret = house.gallery.create_key("default")
    headers = {"Authorization": f"Bearer {secret}"}
    assert house.client.get("/v1/groups", headers=headers).status_code == 200
    house.gallery.revoke_key(key.id)
    time.sleep(CACHE_S + 0.05)
    assert CACHE_S < 0.9
    assert code(house.client.get("/v1/groups", headers=headers)) == (401, "unauthorized")


def test_an_expired_key_ends(house):
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=0.3)
    _, secret = house.gallery.create_key("default", expires=soon)
    headers = {"Authorization": f"Bearer {secret}"}
    assert house.client.get("/v1/groups", headers=headers).status_code == 200
    time.sleep(0.35 + CACHE_S)
    assert code(house.client.get("/v1/groups", headers=headers)) == (401, "unauthorized")


def test_applications_never_see_each_other(house, photos):
    for name in ("a", "b"):
        house.gallery.create_application(name)
    a, b = house.key("a"), house.key("b")
    client = house.client
    client.post("/v1/groups", json={"name": "secret"}, headers=a)
    client.post("/v1/groups/secret/persons", json={"name": "Ann"}, headers=a)
    enrolled = client.post(
        "/v1/groups/secret/persons/Ann/faces", files={"image": photos.ann}, headers=a
    ).json()
    person = client.get("/v1/groups/secret/persons/Ann", headers=a).json()["id"]
    face = enrolled["face_ids"][0]
    assert client.get("/v1/groups", headers=b).json()["groups"] == []
    client.post("/v1/groups", json={"name": "own"}, headers=b)
    probes = [
        ("GET", "/v1/groups/secret", {}),
        ("DELETE", "/v1/groups/secret", {}),
        ("GET", "/v1/groups/secret/persons", {}),
        ("GET", f"/v1/groups/own/persons/{person}", {}),
        ("DELETE", f"/v1/groups/own/persons/{person}", {}),
        ("GET", f"/v1/groups/own/faces/{face}", {}),
        ("DELETE", f"/v1/groups/own/faces/{face}", {}),
        ("GET", f"/v1/groups/secret/faces/{face}", {}),
        ("POST", "/v1/groups/secret/identify", {"files": {"image": photos.ann}}),
        ("POST", "/v1/groups/secret/persons/Ann/verify", {"files": {"image": photos.ann}}),
        ("POST", f"/v1/groups/own/persons/{person}/verify", {"files": {"image": photos.ann}}),
        ("POST", "/v1/groups/secret/persons/Ann/faces", {"files": {"image": photos.bob}}),
        ("POST", "/v1/groups/secret/persons", {"json": {"name": "Eve"}}),
    ]
    for method, path, body in probes:
        answer = client.request(method, path, headers=b, **body)
        assert code(answer) == (404, "not_found"), (method, path)
        assert "Ann" not in answer.text.replace(path, "")
    # The same name is free for another application, and nothing of the first was touched.
    assert client.post("/v1/groups", json={"name": "secret"}, headers=b).status_code == 201
    assert client.get("/v1/groups/secret", headers=a).json()["faces"] == 1
    assert client.get("/v1/groups/secret", headers=b).json()["faces"] == 0


def test_without_auth_everybody_works_in_default(open_house):
    house = open_house(auth=False)
    request = house.client.build_request("POST", "/v1/groups", json={"name": "g"})
    del request.headers["Authorization"]
    assert house.client.send(request).status_code == 201
    assert [group.name for group in house.gallery.groups()] == ["g"]


def test_the_first_key_is_made_once(tmp_path):
    with Gallery.open(f"sqlite:///{tmp_path / 'g.db'}") as gallery:
        secret = ensure_first_key(gallery)
        assert secret is not None
        key = gallery.authenticate(secret)
        assert key.application == "default"
        assert ensure_first_key(gallery) is None
        gallery.revoke_key(key.id)
        assert ensure_first_key(gallery) is None


def test_logs_never_hold_a_key_or_a_name(house, photos, caplog):
    caplog.set_level(logging.DEBUG)
    client = house.client
    client.post("/v1/groups", json={"name": "friends"})
    client.post("/v1/groups/friends/persons", json={"name": "Annabel"})
    client.post("/v1/groups/friends/persons/Annabel/faces", files={"image": photos.ann})
    client.get("/v1/groups/friends/persons/Annabel", headers={"X-Request-ID": "one"})
    client.get("/v1/groups", headers={"Authorization": "Bearer mien_wrong"})
    ours = "\n".join(one.getMessage() for one in caplog.records if one.name.startswith("mien"))
    assert "one GET /v1/groups/{group}/persons/{person} 200" in ours
    for secret in (house.secret, house.secret[-20:], "mien_wrong", "Annabel", "friends"):
        assert secret not in ours
