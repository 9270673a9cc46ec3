"""What every answer has: the shape of errors, request ids, headers, metrics; and health."""

from __future__ import annotations

import pytest

from mien import errors
from mien.service.errors import STATUS, InternalError, MethodNotAllowed, error_of
from mien.service.pool import ClientGoneError
from mien.service.schemas import ErrorAnswer


@pytest.fixture
def client(standing_client):
    """Nothing here changes what a service is."""
    return standing_client


def tree(kind):
    yield kind
    for child in kind.__subclasses__():
        yield from tree(child)


def test_every_code_of_the_tree_has_a_status():
    assert {one.code for one in tree(errors.MienError)} == set(STATUS)
    own = {InternalError.code, MethodNotAllowed.code, ClientGoneError.code}
    assert own <= set(STATUS)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/v1", 404, "not_found"),
        ("GET", "/v1/groups/", 404, "not_found"),
        ("GET", "/v1/groups/a/b/c/d", 404, "not_found"),
        ("GET", "/static/nothing.js", 404, "not_found"),
        ("GET", "/static/../service.py", 404, "not_found"),
        ("GET", "/static/%2e%2e/__init__.py", 404, "not_found"),
        ("GET", "/v1/detect", 405, "method_not_allowed"),
        ("PUT", "/v1/groups", 405, "method_not_allowed"),
        ("POST", "/healthz", 405, "method_not_allowed"),
        ("DELETE", "/static/dashboard.js", 405, "method_not_allowed"),
        ("POST", "/static/dashboard.js", 405, "method_not_allowed"),
    ],
)
def test_unknown_routes_and_methods(client, method, path, status, code):
    answer = client.request(method, path)
    ErrorAnswer.model_validate(answer.json())
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_allow_names_every_method(client):
    assert client.put("/v1/groups").headers["allow"] == "GET, POST"
    assert client.post("/v1/groups/g").headers["allow"] == "DELETE, GET, PATCH"


@pytest.mark.parametrize("given", ["a", "abc-123_x.Y", "f" * 64])
def test_a_request_id_is_kept(client, given):
    for path in ("/healthz", "/nothing", "/v1/groups"):
        answer = client.get(path, headers={"X-Request-ID": given})
        assert answer.headers["x-request-id"] == answer.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "a b", "f" * 65, "a\tb", "<script>", "é".encode(), "a;b"])
def test_a_request_id_that_cannot_be_is_replaced(client, given):
    answer = client.get("/healthz", headers={"X-Request-ID": given})
    assert len(answer.json()["request_id"]) == 32


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(
            ("GET", path)
            for path in ("/", "/docs", "/healthz", "/v1/groups", "/nothing", "/v1/detect")
        ),
        ("GET", "/openapi.json"),
        ("GET", "/metrics"),
        ("GET", "/static/dashboard.js"),
        ("GET", "/static/nothing"),
        ("HEAD", "/static/dashboard.css"),
        ("OPTIONS", "/v1/detect"),
        ("OPTIONS", "/static/dashboard.js"),
        ("POST", "/v1/detect"),
        ("PUT", "/"),
        ("TRACE", "/v1/groups"),
        ("GET", "/azure/face/v1.0/persongroups"),
        ("GET", "/nhn/v2.0/appkeys/0/groups"),
        ("GET", "/luxand/v2/person"),
        ("GET", "/compreface/api/v1/recognition/subjects"),
        ("GET", "/azure/nothing"),
    ],
)
def test_security_headers_are_everywhere(client, method, path):
    headers = client.request(method, path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert not [name for name in headers if name.startswith("access-control")]
    assert "server" not in headers
    if path.startswith("/static/"):
        assert "no-store" not in headers.get("cache-control", "")
    else:
        assert headers["cache-control"] == (
            "no-cache" if path in ("/", "/docs") and method == "GET" else "no-store"
        )


def test_health_and_readiness(house):
    assert house.client.get("/healthz").json()["status"] == "ok"
    for _ in range(100):
        answer = house.client.get("/readyz")
        if answer.status_code == 200:
            break
    assert answer.json()["ready"] is True
    house.gallery.close()
    answer = house.client.get("/readyz")
    assert (answer.status_code, answer.json()["gallery"]) == (503, False)
    house.service.stop()
    assert house.client.get("/readyz").status_code == 503
    assert house.client.get("/healthz").status_code == 200


def test_a_server_whose_database_was_deleted_takes_nothing_and_says_so(house, tmp_path):
    house.service._models_ready.wait(10)
    assert house.client.get("/readyz").status_code == 200
    for file in tmp_path.glob("*.db*"):
        file.unlink()
    answer = house.client.post("/v1/groups", json={"name": "g"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "gallery_unavailable")
    ready = house.client.get("/readyz")
    assert (ready.status_code, ready.json()["gallery"]) == (503, False)
    assert list(tmp_path.glob("*.db*")) == []


def test_metrics_count_routes_faces_and_errors(house, photos):
    client = house.client
    client.post("/v1/detect", files={"image": photos.ann})
    client.post("/v1/detect", files={"image": b"text"})
    client.get("/v1/groups/some-name")
    client.get("/some/unknown/path")
    client.request("BREW", "/v1/groups")
    for prefix in ("/azure/face", "/face"):
        client.get(f"{prefix}/v1.2/PersonGroups/some-name")
    text = client.get("/metrics").text
    for line in (
        'mien_requests_total{method="POST",route="/v1/detect",status="200"} 1.0',
        'mien_requests_total{method="POST",route="/v1/detect",status="400"} 1.0',
        'mien_requests_total{method="GET",route="/v1/groups/{group}",status="404"} 1.0',
        'mien_requests_total{method="GET",route="unmatched",status="404"} 1.0',
        'mien_requests_total{method="other",route="/v1/groups",status="405"} 1.0',
        'mien_requests_total{method="GET",route="/azure/face/{version}/persongroups/{container}",'
        'status="404"} 1.0',
        'mien_requests_total{method="GET",route="/face/{version}/persongroups/{container}",'
        'status="404"} 1.0',
        'mien_errors_total{code="image_decode"} 1.0',
        "mien_faces_detected_total 1.0",
        "mien_inference_queue_depth 0.0",
        'mien_request_seconds_count{route="/v1/detect"} 2.0',
    ):
        assert line in text
    assert "some-name" not in text
    assert "unknown/path" not in text


def test_two_apps_do_not_share_their_counters(open_house):
    one, other = open_house(), open_house()
    one.client.get("/healthz")
    assert 'route="/healthz"' in one.client.get("/metrics").text
    assert 'route="/healthz"' not in other.client.get("/metrics").text


def test_codes_without_a_class_become_face_errors():
    error = error_of("face_too_small", "Too small.", rejected="a.jpg")
    assert (error.code, error.details["reason"]) == ("face", "face_too_small")
    assert error_of("no_face", "None.").code == "no_face"
    assert error_of("duplicate", "Again.").code == "already_exists"
