"""While the queue is full, photos are refused by their request's head: no lookup, no body."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from mien.service import auth
from mien.service.auth import Access
from mien.service.schemas import ErrorAnswer

PATHS = ("/v1/detect", "/v1/groups/g/identify", "/v1/groups/g/persons/p/faces", "/v1/compare")


@contextmanager
def full(house, lane="default"):
    """Every place is taken, by work of one application."""
    pool = house.service.inference
    slots = [pool.admit(lane) for _ in range(pool.capacity - pool.taken)]
    try:
        yield
    finally:
        for slot in slots:
            slot.release()


def code(answer):
    ErrorAnswer.model_validate(answer.json())
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, answer.json()["error"]["code"]


@pytest.fixture
def known(house, monkeypatch):
    """A house whose key was valid a moment ago, and where none can be looked up any more."""
    assert house.client.get("/v1/groups").status_code == 200

    def look(gallery, secret):
        raise AssertionError("a key was looked up")

    monkeypatch.setattr(auth, "CACHE_S", 0.0)
    monkeypatch.setattr(Access, "of", look)
    return house


def test_a_known_key_is_refused_without_a_lookup_and_without_the_body(known):
    def untouched():
        pytest.fail("the body was asked for")
        yield b""

    headers = {"Content-Type": "image/png", "Expect": "100-continue"}
    with full(known):
        for path in PATHS:
            answer = known.client.post(path, content=untouched(), headers=headers)
            assert code(answer) == (503, "overloaded"), path
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_refusal_is_counted_by_its_route_like_any_other(known):
    before = sum(known.service.calls._counts.values())
    with full(known):
        known.client.post("/v1/groups/secret-name/identify", content=b"x")
    text = known.client.get("/metrics").text
    route = 'method="POST",route="/v1/groups/{group}/identify",status="503"'
    assert f"mien_requests_total{{{route}}} 1.0" in text
    assert 'mien_errors_total{code="overloaded"} 1.0' in text
    assert "secret-name" not in text
    assert sum(known.service.calls._counts.values()) == before + 1


def test_what_is_not_known_for_sure_goes_on_to_the_routes(house):
    client = house.client
    with full(house):
        for secret in ("Bearer no", "Bearer", "Basic eDp5", ""):
            answer = client.post("/v1/detect", content=b"x", headers={"Authorization": secret})
            assert code(answer) == (401, "unauthorized")
        assert code(client.post("/v1/detect", content=b"x")) == (503, "overloaded")  # looked up
        assert code(client.post("/v1/nothing", content=b"x")) == (404, "not_found")
        assert code(client.put("/v1/detect", content=b"x")) == (405, "method_not_allowed")
        assert client.post("/v1/groups", json={"name": "g"}).status_code == 201
        assert client.get("/healthz").status_code == 200


def test_an_application_that_has_no_place_is_let_through(house, photos):
    house.gallery.create_application("small")
    small = house.key("small")
    assert house.client.get("/v1/groups", headers=small).status_code == 200  # a known key
    with full(house):
        # The places are held and nothing waits in them, so nobody can be displaced either.
        assert code(house.client.post("/v1/detect", content=b"x", headers=small))[0] == 503
    assert house.client.post("/v1/detect", content=photos.ann, headers=small).status_code == 415
    headers = {**small, "Content-Type": "image/png"}
    assert house.client.post("/v1/detect", content=photos.ann, headers=headers).status_code == 200


def test_a_refused_request_counts_for_the_keys_rate_once(open_house):
    house = open_house(rate_per_key=0.001, rate_burst=3)
    assert house.client.get("/v1/groups").status_code == 200
    with full(house):
        found = [code(house.client.post("/v1/detect", content=b"x")) for _ in range(3)]
    assert found == [(503, "overloaded")] * 2 + [(429, "rate_limited")]


def test_a_server_without_keys_has_a_turnstile_too(open_house):
    house = open_house(auth=False)
    with full(house):
        assert code(house.client.post("/v1/detect", content=b"x")) == (503, "overloaded")


def test_a_revoked_key_is_forgotten_when_it_is_looked_up(house, monkeypatch):
    key, secret = house.gallery.create_key("default")
    headers = {"Authorization": f"Bearer {secret}"}
    assert house.client.get("/v1/groups", headers=headers).status_code == 200
    house.gallery.revoke_key(key.id)
    monkeypatch.setattr(auth, "CACHE_S", 0.0)
    with full(house):
        assert house.client.post("/v1/detect", content=b"x", headers=headers).status_code == 503
        assert house.client.get("/v1/groups", headers=headers).status_code == 401
        assert house.client.post("/v1/detect", content=b"x", headers=headers).status_code == 401
