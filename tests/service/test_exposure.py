"""What others see of a server: CORS, HSTS, proxies, its log, and settings taken while it runs."""

from __future__ import annotations

import io
import json
import logging
import re

import httpx
import pytest

from mien import config
from mien.dashboard import STATIC
from mien.errors import ConfigurationError
from mien.service.logs import JsonLines, log_to_stderr

ORIGIN = "https://app.example.org"


@pytest.fixture
def client(standing_client):
    """Nothing here changes what a service is."""
    return standing_client


def preflight(client, origin, path="/v1/detect"):
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    return client.options(path, headers=headers)


def test_no_page_of_another_origin_may_call_unless_it_is_told_to(client):
    for answer in (preflight(client, ORIGIN), client.get("/v1/groups", headers={"Origin": ORIGIN})):
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_an_origin_that_is_listed_may_call_and_no_other(open_house):
    client = open_house(cors_origins=(ORIGIN,)).client
    answer = preflight(client, ORIGIN)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "authorization" in answer.headers["access-control-allow-headers"].lower()
    assert "access-control-allow-credentials" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"
    answer = client.get("/v1/groups", headers={"Origin": ORIGIN})
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "X-Request-ID" in answer.headers["access-control-expose-headers"]
    for other in ("https://evil.example.org", "http://app.example.org", "null"):
        assert "access-control-allow-origin" not in preflight(client, other).headers
        answer = client.get("/v1/groups", headers={"Origin": other})
        assert "access-control-allow-origin" not in answer.headers


def test_any_origin_never_comes_with_credentials(open_house):
    client = open_house(cors_origins=("*",)).client
    for answer in (preflight(client, ORIGIN), client.get("/v1/groups", headers={"Origin": ORIGIN})):
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
        assert "set-cookie" not in answer.headers


def test_the_pages_write_no_html():
    """What persons and groups are called reaches the pages as text."""
    scripts = list(STATIC.glob("*.js"))
    assert len(scripts) > 5
    for file in scripts:
        text = file.read_text()
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert word not in text, (file.name, word)
        assert "localStorage.setItem(KEY" not in text, "a key lives as long as its tab"
        assert "document.cookie" not in text


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("cors_origins", "app.example.org"),
        ("cors_origins", "https://app.example.org/"),
        ("cors_origins", "ftp://app.example.org"),
        ("trusted_proxies", "proxy"),
        ("trusted_proxies", "10.0.0.1/8"),
        ("trusted_proxies", "*"),
        ("tls_min_version", "1.1"),
        ("rate_burst", 0),
        ("rate_per_key", -1),
        ("lockout_failures", -1),
        ("lockout_s", 0),
        ("log_format", "xml"),
    ],
)
def test_settings_that_cannot_be(setting, value):
    with pytest.raises(ConfigurationError, match=setting):
        config.load(**{setting: value})


def test_lists_in_the_environment(monkeypatch):
    monkeypatch.setenv("MIEN_TRUSTED_PROXIES", "10.0.0.0/8, ::1")
    monkeypatch.setenv("MIEN_CORS_ORIGINS", '["https://a.example", "*"]')
    settings = config.load()
    assert settings.trusted_proxies == ("10.0.0.0/8", "::1")
    assert settings.cors_origins == ("https://a.example", "*")


@pytest.mark.parametrize("path", ["/", "/docs", "/healthz", "/v1/groups", "/nothing"])
def test_browsers_are_told_to_stay_with_tls_only_over_tls(house, path):
    assert "strict-transport-security" not in house.client.get(path).headers
    transport = httpx.ASGITransport(house.app)
    answer = house.client._transport.call(
        transport.handle_async_request(httpx.Request("GET", f"https://mien.test{path}"))
    )
    assert re.fullmatch(r"max-age=\d{7,}", answer.headers["strict-transport-security"])


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_may_not_be_framed_and_send_no_referrer(client, path):
    headers = client.get(path).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"


# ------------------------------------------------------------------ the log


@pytest.fixture
def json_log():
    """What Mien logs, as JSON lines."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonLines())
    ours = logging.getLogger("mien")
    ours.addHandler(handler)
    before, ours.level = ours.level, logging.DEBUG
    logging.getLogger("mien.service").isEnabledFor(logging.INFO)
    ours.manager._clear_cache()
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    ours.removeHandler(handler)
    ours.setLevel(before)


def test_each_request_is_a_line_of_json_with_its_id(client, json_log):
    client.get("/v1/groups/secret-name", headers={"X-Request-ID": "my-id"})
    (line,) = [one for one in json_log() if one.get("request_id") == "my-id"]
    assert line.pop("ms") >= 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line.pop("time"))
    assert line.pop("message").startswith("my-id GET /v1/groups/{group} 404 ")
    assert line == {
        "level": "info",
        "logger": "mien.service",
        "request_id": "my-id",
        "method": "GET",
        "route": "/v1/groups/{group}",
        "status": 404,
    }


def test_a_traceback_is_no_part_of_a_line(json_log):
    try:
        raise RuntimeError("/secret/path")
    except RuntimeError:
        logging.getLogger("mien.service").exception("it failed")
    (line,) = json_log()
    assert line["message"] == "it failed (RuntimeError)"
    assert "secret" not in json.dumps(line)


def test_newlines_cannot_forge_a_line(json_log):
    logging.getLogger("mien.service").warning('one\n{"level": "info"}')
    assert len(json_log()) == 1


@pytest.mark.parametrize("form", ["text", "json"])
def test_nothing_that_is_logged_makes_a_line_of_its_own(monkeypatch, form):
    """Not the server's parts either: uvicorn's complaints and asyncio's tracebacks."""
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    levels = {}
    for name in ("mien", "uvicorn", "asyncio", "python_multipart"):
        levels[name] = logging.getLogger(name).level
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])
    log_to_stderr(form)
    try:
        for name in ("mien.service", "uvicorn.error", "asyncio"):
            try:
                raise RuntimeError("/home/me/secret.py")
            except RuntimeError:
                evil = "a\r\n2026 INFO \x1b[31mred\x00\u202eback\u2028next"
                logging.getLogger(name).error("%s", evil + "x" * 5000, exc_info=True)
        logging.getLogger("python_multipart.multipart").warning("Expected boundary")
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
    written = out.getvalue()
    assert written.count("\n") == len(written.splitlines()) == 3
    assert "secret" not in written
    assert "Traceback" not in written
    assert "\x1b" not in written
    for line in written.splitlines():
        assert len(line) < 3000
        if form == "json":
            line = json.loads(line)["message"]
        assert "RuntimeError" in line


# ------------------------------------------------------------------ taken while it runs


def test_what_a_running_service_takes(open_house, tmp_path):
    house = open_house()
    service = house.service
    update = {"rate_per_key": 0.01, "rate_burst": 1, "max_request_images": 3, "port": 9}
    fresh = service.settings.model_copy(update=update)
    taken, left = service.take_settings(fresh)
    assert (sorted(taken), left) == (["max_request_images", "rate_burst", "rate_per_key"], ["port"])
    assert (service.settings.max_request_images, service.settings.port) == (3, 8000)
    assert house.client.get("/v1/groups").status_code == 200
    assert house.client.get("/v1/groups").status_code == 429
    assert service.take_settings(service.settings) == ([], [])
