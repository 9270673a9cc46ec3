"""Heads that are refused: lengths said twice, hosts that are none, pages of other origins."""

from __future__ import annotations

import httpx
import pytest

from mien import config
from mien.errors import ConfigurationError


@pytest.fixture
def house(open_dialects):
    return open_dialects()


def asked(house, path="/v1/groups", *, method="GET", http="1.1", headers=(), key=True):
    """An answer to exactly these headers: (status, error code, headers)."""
    own = [(b"host", b"mien.test")] if "host" not in dict(headers) else []
    if key:
        own.append((b"authorization", f"Bearer {house.secret}".encode()))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": http,
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": own + [(name.encode(), value.encode("latin-1")) for name, value in headers],
        "server": ("127.0.0.1", 8000),
        "client": ("192.0.2.1", 1234),
    }
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    house.client._transport.call(house.app(scope, receive, send))
    body = b"".join(one.get("body", b"") for one in sent)
    answer = httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=body)
    found = answer.json() if answer.content else {}
    return answer.status_code, found.get("error", {}).get("code"), answer.headers


@pytest.mark.parametrize(
    ("http", "headers"),
    [
        ("1.1", [("content-length", "13"), ("transfer-encoding", "chunked")]),
        ("1.1", [("transfer-encoding", "chunked"), ("content-length", "0")]),
        ("1.0", [("transfer-encoding", "chunked")]),
    ],
)
def test_a_length_said_twice_is_refused_and_nothing_after_it_is_read(house, http, headers):
    for path in ("/v1/groups", "/healthz", "/azure/face/v1.0/detect", "/nothing", "/"):
        status, code, told = asked(house, path, method="POST", http=http, headers=headers)
        own = "BadArgument" if path.startswith("/azure") else "invalid_argument"
        assert (status, code) == (400, own)
        assert told["connection"] == "close"
        assert told["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "host",
    ["", "a@b", "a/b", "a b", 'a"b', "a<b", "a,b", "a?b", "a#b", "a:b", "a:1:2", "[::1", "::1",
     "a:123456", "\xe9", "a\\b", "x" * 254],
)  # fmt: skip
def test_a_host_that_is_none_is_refused(house, host):
    assert asked(house, headers=[("host", host)])[:2] == (400, "invalid_argument")


@pytest.mark.parametrize("host", ["a", "a.b.", "192.0.2.1:80", "[2001:db8::1]:8000", "A-b_c:65535"])
def test_any_host_will_do_with_keys(house, host):
    assert asked(house, headers=[("host", host)])[0] == 200


def test_only_hosts_that_are_listed_where_some_are(open_dialects):
    house = open_dialects(allowed_hosts=("faces.example.org", "*.example.com", "::1"))
    for host in ("faces.example.org", "FACES.example.org.:8443", "a.b.example.com", "[::1]:80"):
        assert asked(house, headers=[("host", host)])[0] == 200
    for host in ("example.org", "example.com", "xexample.com", "faces.example.org.evil", "[::2]"):
        assert asked(house, headers=[("host", host)])[:2] == (400, "invalid_argument")
        assert asked(house, "/healthz", headers=[("host", host)])[0] == 200
    fresh = house.service.settings.model_copy(update={"allowed_hosts": ("new",)})
    assert house.service.take_settings(fresh)[0] == ["allowed_hosts"]
    assert asked(house, headers=[("host", "new")])[0] == 200
    assert asked(house, headers=[("host", "a.example.com")])[0] == 400


@pytest.mark.parametrize("name", ["a:80", "http://a", "a/b", "*.", "a*", " ", "a b"])
def test_names_that_no_host_has(name):
    with pytest.raises(ConfigurationError, match="allowed_hosts"):
        config.load(allowed_hosts=(name,))


@pytest.fixture
def keyless(open_dialects):
    """A server without API keys."""
    return open_dialects(auth=False)


def test_without_keys_no_name_that_a_stranger_may_own_leads_here(keyless):
    for host in ("127.0.0.1:8000", "[::1]:8000", "localhost", "mien", "box.local", "mien.test"):
        assert asked(keyless, headers=[("host", host)], key=False)[0] == 200
    for host in ("evil.example.org", "127.0.0.1.nip.io:8000", "localhost.evil.org"):
        assert asked(keyless, headers=[("host", host)], key=False)[:2] == (400, "invalid_argument")


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example.org", "null", "http://mien.test:81", "http://[", "http://mien.test.evil",
     "http://x@mien.test", ""],
)  # fmt: skip
def test_without_keys_no_page_of_another_origin_may_change_anything(keyless, origin):
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        headers = [("origin", origin), ("content-type", "text/plain")]
        found = asked(keyless, "/v1/detect", method=method, headers=headers, key=False)
        assert found[:2] == (403, "forbidden")
    assert asked(keyless, headers=[("origin", origin)], key=False)[0] == 200


def test_without_keys_own_pages_and_listed_origins_may(open_dialects):
    house = open_dialects(auth=False, cors_origins=("https://app.example.org",))
    for origin in ("http://mien.test", "https://mien.test", "https://app.example.org"):
        headers = [("origin", origin), ("content-type", "text/plain")]
        assert asked(house, method="POST", headers=headers, key=False)[1] != "forbidden"


def test_with_keys_any_origin_may_send_what_it_has_a_key_for(house):
    headers = [("origin", "https://evil.example.org"), ("content-type", "text/plain")]
    assert asked(house, method="POST", headers=headers)[0] == 415
