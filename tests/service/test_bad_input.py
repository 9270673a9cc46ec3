"""Every bad photo and every bad body has a typed answer, without a traceback or a path."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mien.service import schemas


@pytest.fixture
def client(standing_client):
    """Nothing here changes what a service is."""
    return standing_client


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(side: int = 20_000) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


BAD = {
    "empty": (b"", {400}),
    "text": (b"this is not a photo", {400, 415}),
    "html": (b"<html><script>alert(1)</script></html>", {400, 415}),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", {400, 415}),
    "zeroes": (bytes(5000), {400, 415}),
    "unicode": ("얼굴 사진".encode(), {400, 415}),
    "bomb": (bomb(), {413}),
}
FORMS = ["multipart", "raw", "json"]


def error(answer):
    content = answer.json()
    schemas.ErrorAnswer.model_validate(content)
    text = answer.text
    for leak in ("Traceback", 'File "', "/src/", "site-packages", "/tmp/", "/home/", "Error:"):
        assert leak not in text
    return answer.status_code, content["error"]["code"]


def send(client, form, data, address="/v1/detect"):
    if form == "multipart":
        return client.post(address, files={"image": ("photo.jpg", data)})
    if form == "raw":
        return client.post(address, content=data, headers={"Content-Type": "image/jpeg"})
    return client.post(address, json={"image": base64.b64encode(data).decode()})


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", BAD)
def test_bad_photos(client, form, name):
    data, statuses = BAD[name]
    status, code = error(send(client, form, data))
    assert status in statuses
    assert code.startswith("image_")


@pytest.mark.parametrize("form", FORMS)
def test_truncated_and_tiny_photos(client, form, photos):
    assert error(send(client, form, photos.ann[: len(photos.ann) // 2])) == (400, "image_decode")
    assert error(send(client, form, photos.tiny)) == (422, "image_too_small")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://127.0.0.1/photo.jpg", "invalid_argument"),
        ("https://example.com/photo.jpg", "invalid_argument"),
        ("file:///etc/passwd", "invalid_argument"),
        ("ftp://example.com/x", "invalid_argument"),
        ("/etc/passwd", "image_decode"),
        ("/etc/hosts\x00", "image_decode"),
        ("../../etc/passwd", "image_decode"),
        ("C:\\photo.jpg", "image_decode"),
        ("사진", "image_decode"),
        ("", "image_decode"),
        ("====", "image_decode"),
        ("AAA", "image_decode"),
        ("data:image/png,notbase64", "invalid_argument"),
        ("data:image/png;base64", "invalid_argument"),
        ("data:;base64,####", "image_decode"),
        (None, "invalid_argument"),
        (17, "invalid_argument"),
        (True, "invalid_argument"),
        (["a"], "invalid_argument"),
        ({"url": "http://x"}, "invalid_argument"),
    ],
)
def test_strings_are_base64_and_nothing_else(client, text, expected):
    assert error(client.post("/v1/detect", json={"image": text})) == (400, expected)


def test_a_string_never_opens_a_file_of_the_server(client, photos, tmp_path):
    # Both names are valid base64 and name a real photo: still only base64 is read.
    file = tmp_path / "photo123"
    file.write_bytes(photos.ann)
    for text in (str(file), "photo123"):
        assert error(client.post("/v1/detect", json={"image": text}))[0] == 400
    raw = client.post("/v1/detect", content=str(file), headers={"Content-Type": "image/png"})
    assert error(raw)[0] in {400, 415}
    part = client.post("/v1/detect", files={"image": (str(file), str(file).encode())})
    assert error(part)[0] in {400, 415}


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("", b"x", (415, "unsupported_media_type")),
        ("text/plain", b"x", (415, "unsupported_media_type")),
        ("application/x-www-form-urlencoded", b"image=x", (415, "unsupported_media_type")),
        ("application/json", b"", (400, "invalid_argument")),
        ("application/json", b"{}", (400, "invalid_argument")),
        ("application/json", b'{"image": "AAAA"', (400, "invalid_argument")),
        ("application/json", b"[" * 100_000, (400, "invalid_argument")),
        (
            "application/json",
            b'{"image": ' + b"[" * 200 + b"]" * 200 + b"}",
            (400, "invalid_argument"),
        ),
        ("application/json", b'{"image": 1e999999}', (400, "invalid_argument")),
        ("application/json", b"1" * 5000, (400, "invalid_argument")),
        ("application/json", '{"image": "가"}'.encode("utf-16"), (400, "invalid_argument")),
        ("application/json", b'{"image": "AA", "image": "AAAA"}', (400, "invalid_argument")),
        ("application/json", b'{"x": {"y": 1, "y": 1}}', (400, "invalid_argument")),
        (
            "application/json",
            b'{"image": [' + b"1," * 100_001 + b"1]}",
            (400, "invalid_argument"),
        ),
        ("multipart/form-data", b"x", (400, "invalid_argument")),
        ("multipart/form-data; boundary=", b"x", (400, "invalid_argument")),
        ("multipart/form-data; boundary=b", b"", (400, "invalid_argument")),
        ("multipart/form-data; boundary=b", b"garbage", (400, "invalid_argument")),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\n", (400, "invalid_argument")),
        ("multipart/form-data; boundary=b", b"--b--\r\n", (400, "invalid_argument")),
        ("multipart/form-data; boundary=" + "b" * 300, b"x", (400, "invalid_argument")),
    ],
)
def test_bad_bodies(client, kind, body, expected):
    headers = {"Content-Type": kind} if kind else {}
    assert error(client.post("/v1/detect", content=body, headers=headers)) == expected


def test_multipart_cut_off(client, photos):
    whole = client.build_request("POST", "/v1/detect", files={"image": photos.ann})
    body = whole.read()
    answer = client.post(
        "/v1/detect", content=body[:-30], headers={"Content-Type": whole.headers["content-type"]}
    )
    assert error(answer) == (400, "invalid_argument")


def test_too_many_parts(client, photos):
    two = client.post("/v1/detect", files=[("image", photos.ann), ("image", photos.ann)])
    assert error(two) == (413, "request_too_large")
    many = client.post(
        "/v1/detect", files={"image": photos.ann}, data={f"f{i}": "x" for i in range(100)}
    )
    assert error(many) == (413, "request_too_large")
    long = client.post("/v1/detect", files={"image": photos.ann}, data={"f": "x" * 10_000})
    assert error(long) == (413, "request_too_large")
    raw = client.post("/v1/compare", content=photos.ann, headers={"Content-Type": "image/png"})
    assert error(raw) == (415, "unsupported_media_type")
    one = client.post("/v1/compare", files={"image_a": photos.ann})
    assert error(one) == (400, "invalid_argument")


def test_more_photos_than_the_limit(open_house, photos):
    client = open_house(max_request_images=2).client
    client.post("/v1/groups", json={"name": "g"})
    client.post("/v1/groups/g/persons", json={"name": "p"})
    files = [("image", photos.ann)] * 3
    answer = client.post("/v1/groups/g/persons/p/faces", files=files)
    assert error(answer) == (413, "request_too_large")
    assert answer.json()["error"]["details"] == {"limit": 2}


def test_compressed_bodies_are_refused(client, photos):
    answer = client.post(
        "/v1/detect",
        content=zlib.compress(photos.ann),
        headers={"Content-Type": "image/png", "Content-Encoding": "deflate"},
    )
    assert error(answer) == (400, "invalid_argument")


QUIET = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
NAMES = st.sampled_from(
    ["image", "image_a", "image_b", "images", "name", "threshold", "fmr", "top"]
)
ADDRESSES = st.sampled_from(
    [
        "/v1/detect",
        "/v1/compare",
        "/v1/represent",
        "/v1/groups",
        "/v1/groups/g/persons",
        "/v1/groups/g/identify",
        "/v1/groups/g/persons/p/faces",
        "/v1/groups/g/persons/p/verify",
    ]
)
KINDS = st.sampled_from(
    ["application/json", "image/png", "multipart/form-data; boundary=b", "text/plain", ""]
)


@QUIET
@given(address=ADDRESSES, body=st.dictionaries(NAMES, JSON, max_size=4) | JSON)
def test_random_json_never_fails(client, address, body):
    answer = client.post(
        address, content=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code < 500
    if answer.status_code >= 400:
        error(answer)


@QUIET
@given(
    address=ADDRESSES,
    kind=KINDS,
    body=st.binary(max_size=300)
    | st.binary(max_size=80).map(
        lambda data: (
            b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\n' + data + b"\r\n--b--\r\n"
        )
    ),
)
def test_random_bodies_never_fail(client, address, kind, body):
    answer = client.post(address, content=body, headers={"Content-Type": kind})
    assert answer.status_code < 500
    if answer.status_code >= 400:
        error(answer)


@QUIET
@given(path=st.text(max_size=40), method=st.sampled_from(["GET", "POST", "DELETE", "PUT"]))
def test_random_paths_never_fail(client, path, method):
    for prefix in ("/", "/v1/groups/", "/v1/groups/g/persons/", "/static/"):
        answer = client.request(method, prefix + quote(path, errors="replace"))
        assert answer.status_code < 500
