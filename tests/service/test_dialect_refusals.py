"""What no operation of a dialect decides: each is refused in the dialect's own form, never Mien's.

One row a dialect and a situation: an unknown path, a wrong method, a rate that is used up (of a
key, of an address), a lock-out, an overloaded server, a body that is too long, a deadline.
"""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import pytest

from mien.errors import DeadlineExceeded, MienError, Overloaded

ANN = 1
BIG = 64_000_001


class Spoken(NamedTuple):
    """How to speak a dialect.

    Attributes:
        key: header of its key.
        listing: a GET that works; look: a POST with a photo in the field ``part``.
    """

    key: str
    listing: str
    look: str
    part: str


DIALECTS = {
    "azure": Spoken(
        "Ocp-Apim-Subscription-Key", "/azure/face/v1.0/persongroups", "/azure/face/v1.0/detect", ""
    ),
    "nhn": Spoken(
        "Authorization",
        "/nhn/v2.0/appkeys/{appKey}/groups?limit=5",
        "/nhn/v2.0/appkeys/{appKey}/faces/detect",
        "imageFile",
    ),
    "luxand": Spoken("token", "/luxand/v2/person", "/luxand/photo/detect", "photo"),
    "compreface": Spoken(
        "x-api-key",
        "/compreface/api/v1/recognition/subjects",
        "/compreface/api/v1/detection/detect",
        "file",
    ),
}

RATE = {"azure": (429, "429"), "nhn": (200, -50000), "luxand": (429, None), "compreface": (429, 0)}
BUSY = RATE | {"luxand": (503, None), "compreface": (503, 0)}
LATE = {
    "azure": (408, "OperationTimeOut"),
    "nhn": (200, -50000),
    "luxand": (504, None),
    "compreface": (504, 0),
}
NO_PATH = {
    "azure": (404, "ResourceNotFound"),
    "nhn": (200, -40000),
    "luxand": (404, None),
    "compreface": (404, 0),
}
NO_METHOD = NO_PATH | {"luxand": (405, None)}
TOO_LONG = {
    "azure": (400, "InvalidImageSize"),
    "nhn": (200, -45020),
    "luxand": (413, None),
    "compreface": (413, 0),
}


def told(name, answer):
    """Status and code of an answer that must have the dialect's shape of an error."""
    body = answer.json()
    if name == "azure":
        assert set(body) == {"error"}
        assert set(body["error"]) == {"code", "message"}
        return answer.status_code, body["error"]["code"]
    if name == "nhn":
        assert set(body) == {"header"}
        assert set(body["header"]) == {"isSuccessful", "resultCode", "resultMessage"}
        assert body["header"]["isSuccessful"] is False
        return answer.status_code, body["header"]["resultCode"]
    if name == "luxand":
        assert set(body) == {"status", "message"}
        assert body["status"] == "failure"
        return answer.status_code, None
    assert set(body) == {"message", "code"}
    return answer.status_code, body["code"]


@pytest.fixture
def house(open_dialects):
    return open_dialects()


@pytest.fixture
def ask(house):
    """Sends a dialect's request: ``ask(name, path)``, a GET or what else is said."""

    def ask(name, path=None, *, method="GET", key=None, **options):
        one = DIALECTS[name]
        address = (path or one.listing).format(appKey=house.gallery.application("default").id)
        headers = {one.key: house.secret if key is None else key} | options.pop("headers", {})
        return house.client.request(method, address, headers=headers, **options)

    return ask


@contextlib.contextmanager
def limits(house, **changes):
    """Other limits for a while, and a guard that remembers nobody."""
    guard = house.service.guard
    before = guard.limits
    guard.limits = before.model_copy(update=changes)
    try:
        yield
    finally:
        guard.limits = before
        for known in (guard._addresses, guard._keys, guard._failures):
            known.clear()


def look(name, ask, data, **options):
    one = DIALECTS[name]
    if not one.part:
        headers = {"Content-Type": "application/octet-stream"}
        return ask(name, one.look, method="POST", content=data, headers=headers)
    return ask(name, one.look, method="POST", files={one.part: data}, **options)


@pytest.mark.parametrize("name", DIALECTS)
def test_a_path_that_is_none(ask, name):
    prefix = DIALECTS[name].listing.partition("/v")[0].partition("/recognition")[0]
    for path in (f"{prefix}/no/such/path", f"{prefix}/"):
        assert told(name, ask(name, path)) == NO_PATH[name], path
    celebrity = {"luxand": "/luxand/photo/celebrity", "compreface": "/compreface/api/v1/migrate"}
    if name in celebrity:
        assert told(name, ask(name, celebrity[name], method="POST")) == NO_PATH[name]


@pytest.mark.parametrize("name", DIALECTS)
def test_a_method_that_is_none(ask, name):
    answer = ask(name, method="PATCH")
    assert told(name, answer) == NO_METHOD[name]
    if answer.status_code == 405:
        assert answer.headers["allow"] == "DELETE, GET, POST"


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("rate", ["rate_per_key", "rate_per_address"])
def test_a_rate_that_is_used_up(house, ask, name, rate):
    with limits(house, **{rate: 0.01, "rate_burst": 1}):
        assert ask(name).status_code == 200
        answer = ask(name)
    assert told(name, answer) == RATE[name]
    assert 90 <= int(answer.headers["retry-after"]) <= 100


@pytest.mark.parametrize("name", DIALECTS)
def test_a_lock_out(house, ask, name):
    with limits(house, lockout_failures=2, lockout_s=60.0):
        for wrong in ("one", "two"):
            ask(name, key=wrong)
        answer = ask(name, key="three")
        assert told(name, answer) == RATE[name]
        assert 0 < int(answer.headers["retry-after"]) <= 60


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize(
    ("error", "wanted"),
    [(Overloaded("Full."), BUSY), (DeadlineExceeded("Late."), LATE)],
    ids=["overloaded", "late"],
)
def test_a_server_that_is_busy(house, ask, monkeypatch, name, error: MienError, wanted):
    def refuse(*_args, **_more):
        raise error

    monkeypatch.setattr(house.service.inference, "admit", refuse)
    answer = look(name, ask, house.photo(ANN))
    assert told(name, answer) == wanted[name]
    assert ("retry-after" in answer.headers) is (wanted is BUSY)


@pytest.mark.parametrize("name", DIALECTS)
def test_a_body_that_is_too_long(ask, name):
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(BIG)}
    if name == "azure":
        headers["Content-Type"] = "application/octet-stream"
    answer = ask(name, DIALECTS[name].look, method="POST", content=b"x", headers=headers)
    assert told(name, answer) == TOO_LONG[name]


@pytest.mark.parametrize("name", DIALECTS)
def test_where_it_is_not_spoken_the_answer_is_mien_s(open_dialects, name):
    house = open_dialects(dialects=())
    answer = house.client.get(DIALECTS[name].listing)
    assert answer.status_code == 404
    assert set(answer.json()) == {"error", "request_id"}
