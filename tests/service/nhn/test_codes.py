"""Every result code of the NHN dialect, on every operation whose guide names it."""

from __future__ import annotations

import base64
import io
import json
import threading
import uuid
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from mien.errors import GalleryUnavailable, NotFound
from mien.gallery import GroupSettings
from mien.service.dialects.nhn import tokens
from mien.service.dialects.nhn.codes import Refused, Result
from mien.service.dialects.nhn.table import OPERATIONS
from mien.service.dialects.nhn.tokens import KEEP_S, Page, read_token, token_of

ANN, BOB = 1, 2
OPERATION = {operation.name: operation for operation in OPERATIONS}
EVERYWHERE = [(name, route.version) for name, one in OPERATION.items() for route in one.routes]
ROUTES = [one for one in EVERYWHERE if one[1] != "v2.1"]  # which is 2.0 but for its tokens
WITH_PHOTO = [(n, v) for n, v in ROUTES if OPERATION[n].parts]
WITH_GROUP = [(n, v) for n, v in ROUTES if "{groupId}" in OPERATION[n].routes[0].path]
WITH_FACE = [(n, v) for n, v in ROUTES if "{faceId}" in OPERATION[n].routes[0].path]
LISTS = [(n, v) for n, v in ROUTES if n.startswith("list-")]
UNAUTHORIZED = {"v1.0": (-41000, "UnauthorizedAppKey"), "v2.1": (-41006, "InvalidToken")}
OPTIONS = {"limit": 5, "threshold": 50}


def told(result: Result) -> tuple[int, str]:
    return result.number, result.message


def sent(name: str, image: dict, **more) -> dict:
    """A request with ``image`` in each of the places where the operation wants a photo."""
    body = {part.name: image for part in OPERATION[name].parts} | OPTIONS | more
    if name == "create-group":
        body["groupId"] = "new"
    options = {"params": OPTIONS}
    return options | {"json": body} if name == "create-group" or OPERATION[name].parts else options


def image_bytes(width: int, height: int, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (90, 120, 150)).save(out, kind)
    return out.getvalue()


@pytest.fixture
def ann(nhn) -> str:
    return nhn.register(nhn.photo(ANN))["addedFaces"][0]["faceId"]


@pytest.mark.parametrize(("name", "version"), EVERYWHERE)
def test_a_wrong_secret_or_app_key_opens_nothing(nhn, name, version):
    wanted = UNAUTHORIZED.get(version, (-41005, "UnauthorizedAppKeyOrSecretKey"))
    request = sent(name, {})
    face = str(uuid.uuid4())
    for secret in ("", "wrong"):
        headers = {"Authorization": secret}
        assert nhn.code(name, version, face=face, headers=headers, **request) == wanted
    if version == "v2.1":
        wanted = (-41007, "UnauthorizedToken")
    own, nhn.app_key = nhn.app_key, "0" * 32
    assert nhn.code(name, version, face=face, **request) == wanted
    nhn.app_key = own


@pytest.mark.parametrize("version", ["v1.0", "v2.0"])
def test_odd_secrets_and_app_keys_open_nothing(nhn, version):
    params = {"limit": 5}
    for secret in (nhn.secret + "x", "Bearer", "비밀".encode().decode("latin-1")):
        headers = {"Authorization": secret.encode("latin-1")}
        assert nhn.code("list-groups", version, headers=headers, params=params)[0] < -40999
    for app_key in ("앱키", "default", nhn.app_key.upper(), nhn.app_key[:-1]):
        nhn.app_key, own = app_key, nhn.app_key
        assert nhn.code("list-groups", version, params=params)[0] < -40999
        nhn.app_key = own


@pytest.mark.parametrize(("name", "version"), WITH_GROUP)
def test_a_group_that_is_not_there(nhn, name, version):
    request = sent(name, nhn.encoded(nhn.photo(ANN)))
    face = str(uuid.uuid4())
    found = nhn.code(name, version, group="nobody", face=face, **request)
    assert found == told(Result.NOT_FOUND_GROUP)
    assert nhn.code(name, version, group="x" * 256, face=face, **request)[0] == -40000
    assert nhn.code(name, version, group="그룹", face=face, **request)[0] == -40000


@pytest.mark.parametrize(("name", "version"), WITH_FACE)
def test_a_face_that_is_not_there(nhn, name, version):
    request = sent(name, nhn.encoded(nhn.photo(ANN)))
    for face in (str(uuid.uuid4()), "none", "0" * 300):
        found = nhn.code(name, version, face=face, **request)
        assert found == told(Result.NOT_FOUND_FACE)


BAD_PARAMETERS = [
    ("create-group", {}),
    ("create-group", {"groupId": 5}),
    ("create-group", {"groupId": None}),
    ("list-groups", {}),
    ("list-groups", {"limit": 0}),
    ("list-groups", {"limit": 201}),
    ("list-groups", {"limit": "many"}),
    ("list-faces", {}),
    ("list-faces", {"limit": 201}),
    ("list-faces", {"limit": 5, "external-image-id": "a b"}),
    ("detect", {"orientation": "perhaps"}),
    ("detect", {"spoofing": True, "spoofingCondition": "lax"}),
    ("register", {"limit": None}),
    ("register", {"limit": 0}),
    ("register", {"limit": 21}),
    ("register", {"limit": 1.5}),
    ("register", {"externalImageId": "a" * 256}),
    ("register", {"externalImageId": "그림"}),
    ("search-by-face", {"limit": 5}),
    ("search-by-face", {"limit": 101, "threshold": 50}),
    ("search-by-face", {"limit": 5, "threshold": 0}),
    ("search-by-face", {"limit": 5, "threshold": 101}),
    ("search-by-image", {"threshold": None}),
    ("search-by-image", {"limit": 101}),
    ("compare", {"threshold": None}),
    ("compare", {"threshold": 0}),
    ("verify", {"mask": 7}),
    ("spoofing", {"spoofingCondition": "lax"}),
]


@pytest.mark.parametrize(
    ("name", "wrong"), BAD_PARAMETERS, ids=[f"{one[0]}-{i}" for i, one in enumerate(BAD_PARAMETERS)]
)
def test_parameters_that_cannot_be(nhn, ann, name, wrong):
    version = "liveness" if name == "spoofing" else "v2.0"
    if OPERATION[name].parts:
        request = sent(name, nhn.encoded(nhn.photo(ANN)), **wrong)
        del request["params"]
    else:
        request = {"json" if name == "create-group" else "params": wrong}
    assert nhn.code(name, version, face=ann, **request) == told(Result.INVALID_PARAM)


@pytest.mark.parametrize("limit", [100, 4096])
def test_version_1_searches_for_4096_faces(nhn, ann, limit):
    params = {"limit": limit, "threshold": 1}
    assert nhn.data("search-by-face", "v1.0", face=ann, params=params)["matchFaceCount"] == 0
    params["limit"] = 4097
    assert nhn.code("search-by-face", "v1.0", face=ann, params=params)[0] == -40000


@pytest.mark.parametrize("name", ["A", "under_score", "dot.", "", "가", "a" * 256, "a/b"])
def test_group_ids_that_cannot_be(nhn, name):
    wanted = Result.INVALID_GROUP_ID if name else Result.INVALID_PARAM
    assert nhn.code("create-group", json={"groupId": name}) == told(wanted)


@pytest.mark.parametrize("version", ["v1.0", "v2.0"])
def test_a_group_whose_id_begins_with_a_dash(nhn, version):
    nhn.data("create-group", version, json={"groupId": "-"})
    assert nhn.code("create-group", version, json={"groupId": "-"})[0] == -40020
    listed = nhn.data("list-groups", version, params={"limit": 5})["groups"]
    assert {one["groupId"] for one in listed} == {"-", "friends"}
    shown = nhn.data("show-group", version, group="-")
    assert (shown["groups"][0] if version == "v1.0" else shown)["groupId"] == "-"
    image = {"image": nhn.encoded(nhn.photo(ANN)), "limit": 1}
    face = nhn.data("register", version, group="-", json=image)["addedFaces"][0]["faceId"]
    nhn.data("delete-face", version, group="-", face=face)
    nhn.data("delete-group", version, group="-")
    assert nhn.code("show-group", version, group="-")[0] == -40030


def test_a_group_that_goes_while_it_is_searched(nhn, ann, monkeypatch):
    def gone(*_args, **_more):
        raise NotFound("There is no such group.")

    monkeypatch.setattr("mien.gallery.gallery.Gallery.search", gone)
    request = sent("search-by-image", nhn.encoded(nhn.photo(ANN)))
    assert nhn.code("search-by-image", **request) == told(Result.NOT_FOUND_GROUP)


def test_a_group_twice(nhn):
    found = nhn.code("create-group", json={"groupId": "friends"})
    assert found == told(Result.DUPLICATED_GROUP_ID)
    assert nhn.data("create-group", json={"groupId": "a" * 255}) is None


@pytest.mark.parametrize(("name", "version"), LISTS)
@pytest.mark.parametrize("token", ["no", "0" * 400, "토큰", "e30", "=", "ab=cd"])
def test_tokens_that_are_none(nhn, name, version, token):
    params = {"limit": 5, "next-token": token}
    assert nhn.code(name, version, params=params) == told(Result.INVALID_TOKEN)


def test_a_token_is_good_for_its_list_and_a_day():
    page = Page(7, "cursor", image_id="i")
    token = token_of(page, of="list", now=1000.0)
    assert read_token(token, of="list", now=1000.0 + KEEP_S) == page
    bad = [("other", 1000.0, token), ("list", 1002.0 + KEEP_S, token), ("list", 900.0, token)]
    bad += [("list", 1000.0, token[:-1]), ("list", 1000.0, token[:-1] + "A"), ("list", 1000.0, "A")]
    for of, now, text in bad:
        with pytest.raises(Exception, match="InvalidTokenError"):
            read_token(text, of=of, now=now)


FORGED = [
    b"[1000]",
    b"7",
    b"{}",
    b"[null, {}]",
    b'["1000", null]',
    b"[1e400, {}]",
    b"[1000, {}]",
    b'[1000, {"limit": 1000000000, "after": null}]',
    *(
        json.dumps(
            [
                1000,
                {
                    **dict.fromkeys(("after", "face_id", "image_id", "external_image_id")),
                    **{"limit": 5, **wrong},
                },
            ]
        ).encode()
        for wrong in (
            {"limit": 0},
            {"limit": 201},
            {"limit": "5"},
            {"limit": True},
            {"limit": None},
            {"after": 7},
            {"after": ["x"]},
            {"after": "x" * 2000},
            {"face_id": {}},
            {"more": 1},
        )
    ),
]


@pytest.mark.parametrize("text", FORGED)
def test_a_token_that_somebody_made_is_read_like_any_input(text):
    token = base64.urlsafe_b64encode(tokens._hash(text, "list") + text).decode().rstrip("=")
    with pytest.raises(Refused) as caught:
        read_token(token, of="list", now=1000.0)
    assert caught.value.result is Result.INVALID_TOKEN


def test_a_token_of_another_group_or_list(nhn):
    for i in (1, 2, 3):
        nhn.register(nhn.photo(i))
    nhn.data("create-group", json={"groupId": "other"})
    token = nhn.data("list-faces", params={"limit": 1})["nextToken"]
    params = {"limit": 1, "next-token": token}
    for name, group in (("list-faces", "other"), ("list-groups", "friends")):
        assert nhn.code(name, group=group, params=params) == told(Result.INVALID_TOKEN)


@pytest.mark.parametrize(("name", "version"), WITH_PHOTO)
def test_photos_that_cannot_be(nhn, ann, name, version):
    bytes_code, file_code = told(Result.INVALID_IMAGE_BYTES), told(Result.INVALID_IMAGE_FILE)
    if version == "liveness":
        bytes_code = (-45030, "InvalidImageParameterException")
        file_code = (-45040, "InvalidImageFormatException")
    png = nhn.photo(ANN)
    cases = [
        ({"bytes": "no base64!"}, bytes_code),
        ({"bytes": ""}, bytes_code),
        ({"bytes": "data:image/png;base64," + nhn.encoded(png)["bytes"]}, bytes_code),
        ({"bytes": "한글"}, bytes_code),
        (nhn.encoded(b"no image at all"), told(Result.INVALID_IMAGE_FORMAT)),
        (nhn.encoded(image_bytes(200, 200, "GIF")), told(Result.INVALID_IMAGE_FORMAT)),
        (nhn.encoded(image_bytes(200, 200, "WEBP")), told(Result.INVALID_IMAGE_FORMAT)),
        (nhn.encoded(png[: len(png) // 2]), file_code),
        (nhn.encoded(b"\xff\xd8\xff" + b"x" * 500), file_code),
        (nhn.encoded(image_bytes(79, 200)), told(Result.INVALID_PARAM)),
        (nhn.encoded(image_bytes(200, 79)), told(Result.INVALID_PARAM)),
        (nhn.encoded(png + bytes(3_000_001 - len(png))), told(Result.IMAGE_TOO_LARGE)),
        ({"url": "no url"}, told(Result.INVALID_IMAGE_URL)),
        ({"url": "ftp://example.com/a.png"}, told(Result.INVALID_IMAGE_URL)),
        ({"url": "http://127.0.0.1/a.png"}, told(Result.INVALID_IMAGE_URL)),
        ({"url": "http://example.com:8080/a.png"}, told(Result.INVALID_IMAGE_URL)),
        ({"url": "https://example.com/a.png", "bytes": "AA=="}, told(Result.INVALID_PARAM)),
        ({"bytes": 5}, told(Result.INVALID_PARAM)),
        ({}, told(Result.INVALID_PARAM)),
        ("text", told(Result.INVALID_PARAM)),
        (None, told(Result.INVALID_PARAM)),
    ]
    for image, wanted in cases:
        found = nhn.code(name, version, face=ann, **sent(name, image))
        assert found == wanted, str(image)[:60]


def test_the_largest_photo_and_the_smallest(nhn):
    png = nhn.photo(ANN)
    whole = png + bytes(3_000_000 - len(png))
    assert nhn.data("detect", json={"image": nhn.encoded(whole)})["faceDetailCount"] == 1
    small = {"image": nhn.encoded(image_bytes(80, 80))}
    assert nhn.data("detect", json=small)["faceDetailCount"] == 0


@pytest.mark.parametrize("version", ["v1.0", "v2.0"])
@pytest.mark.parametrize("name", ["search-by-image", "compare", "verify"])
def test_nobody_to_search_for(nhn, ann, name, version):
    found = nhn.code(name, version, face=ann, **sent(name, nhn.encoded(nhn.photo())))
    assert found == told(Result.INVALID_PARAM)


BODIES = [
    (b"", "application/json"),
    (b"[]", "application/json"),
    (b"{", "application/json"),
    (b"{" * 400, "application/json"),
    (b'{"image": NaN}', "application/json"),
    (b"image=1", "application/x-www-form-urlencoded"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"--x\r\n", "multipart/form-data; boundary=x"),
    (b"--x\r\n", "multipart/form-data"),
]


@pytest.mark.parametrize("name", ["create-group", "detect", "register", "compare"])
@pytest.mark.parametrize(("body", "kind"), BODIES, ids=[str(i) for i in range(len(BODIES))])
def test_bodies_that_cannot_be(nhn, name, body, kind):
    found = nhn.code(name, content=body, headers={"Content-Type": kind})
    assert found == told(Result.INVALID_PARAM)


def test_a_body_that_is_too_long(nhn):
    long = {"groupId": "a" * 70_000}
    assert nhn.code("create-group", json=long) == told(Result.INVALID_PARAM)
    assert nhn.code("detect", content=b"x" * 65_000_000) == told(Result.IMAGE_TOO_LARGE)


def test_a_full_group(nhn):
    nhn.gallery.set_group("friends", settings=GroupSettings(max_faces=2))
    body = nhn.call("register", json={"image": nhn.encoded(nhn.photo(1, 2, 3)), "limit": 20})
    assert (body["header"]["resultCode"], body["header"]["resultMessage"]) == told(Result.PARTIAL)
    assert body["header"]["isSuccessful"] is True
    data = body["data"]
    assert (data["addedFaceCount"], data["notAddedFaceCount"]) == (2, 1)
    assert len(data["addedFaces"]) == len(data["addedFaceDetails"]) == 2
    full = {"image": nhn.encoded(nhn.photo(4)), "limit": 1}
    assert nhn.code("register", json=full) == told(Result.QUOTA_EXCEEDED)
    assert nhn.data("show-group")["faceCount"] == 2


def test_a_group_takes_100000_faces(nhn):
    assert nhn.gallery.group("friends").settings.max_faces == 100_000


def test_too_many_groups(make_nhn):
    nhn = make_nhn(groups=2)
    assert nhn.code("create-group", json={"groupId": "second"})[0] == 0
    assert nhn.code("create-group", json={"groupId": "third"}) == told(Result.QUOTA_EXCEEDED)


@pytest.mark.parametrize(("name", "version"), ROUTES)
@pytest.mark.parametrize("failure", [GalleryUnavailable("locked"), ZeroDivisionError("secret")])
def test_what_fails_inside_is_an_internal_error(nhn, ann, monkeypatch, name, version, failure):
    def fail(*_args, **_more):
        raise failure

    for method in ("group", "groups", "create_group"):
        monkeypatch.setattr(f"mien.gallery.gallery.Gallery.{method}", fail)
    monkeypatch.setattr("mien.engine.core.Engine.detect", fail)
    request = sent(name, nhn.encoded(nhn.photo(ANN)))
    answer = nhn.raw(name, version, face=ann, **request)
    assert "secret" not in answer.text
    header = answer.json()["header"]
    assert (header["resultCode"], header["resultMessage"]) == told(Result.INTERNAL)
    assert answer.headers["x-mien-error"] in ("internal", "gallery_unavailable")


class Photos(BaseHTTPRequestHandler):
    """Serves a photo, and nothing at all for a while."""

    data = b""
    stop = threading.Event()

    def do_GET(self):
        if self.path == "/slow.png":
            self.stop.wait(5)
        self.send_response(200 if self.path.endswith(".png") else 404)
        self.send_header("Content-Length", str(len(self.data)))
        self.end_headers()
        with suppress(OSError):  # the client does not wait for ever
            self.wfile.write(self.data)

    def log_message(self, *_):
        pass


@pytest.fixture
def web(nhn):
    """A web server's address, in the range of ports that URLs may name."""
    Photos.data = nhn.photo(ANN)
    Photos.stop.clear()
    for port in range(10000, 12001):
        try:
            server = ThreadingHTTPServer(("127.0.0.1", port), Photos)
        except OSError:
            continue
        break
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{port}"
    Photos.stop.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_photos_by_url(make_nhn, web):
    nhn = make_nhn(fetch_networks=("127.0.0.0/8",), fetch_timeout_s=1.5)
    image = {"url": f"{web}/a.png"}
    made = nhn.data("register", json={"image": image, "limit": 1})["addedFaces"]
    both = {"sourceImage": image, "targetImage": nhn.encoded(nhn.photo(ANN)), "threshold": 50}
    assert nhn.data("compare", json=both)["matchedFaceDetailCount"] == 1
    form = {"sourceImageUrl": f"{web}/a.png", "targetImageUrl": f"{web}/b.png", "threshold": "50"}
    files = {"ignored": ("", b"")}
    assert nhn.data("compare", data=form, files=files)["matchedFaceDetailCount"] == 1
    files = {"targetImage": ("t.png", nhn.photo(BOB))}
    form = {"sourceImage": f"{web}/a.png", "threshold": "50"}
    assert nhn.data("compare", data=form, files=files)["unmatchedFaceDetailCount"] == 1
    assert nhn.code("detect", json={"image": {"url": f"{web}/none"}}) == told(
        Result.INVALID_IMAGE_URL
    )
    assert nhn.code("detect", json={"image": {"url": f"{web}/slow.png"}}) == told(
        Result.IMAGE_TIMEOUT
    )
    assert nhn.data("verify", face=made[0]["faceId"], json={"compareImage": image})


def test_a_photo_by_url_has_the_same_limit(make_nhn, web):
    nhn = make_nhn(fetch_networks=("127.0.0.0/8",), fetch_timeout_s=1.5)
    Photos.data = bytes(3_000_001)
    found = nhn.code("detect", json={"image": {"url": f"{web}/a.png"}})
    assert found == told(Result.IMAGE_TOO_LARGE)


def test_every_code_of_the_catalogue_is_answered_by_some_test():
    """The table is complete; the tests above name each of its entries."""
    numbers = {one.number for one in Result}
    assert numbers == {
        0, 40070, -40000, -40010, -40020, -40030, -40040, -40050, -40070, -41000, -41005,
        -41006, -41007,
        -45020, -45030, -45040, -45050, -45060, -45080, -50000,
    }  # fmt: skip
