"""Every operation of the CompreFace dialect, and every code of its errors."""

from __future__ import annotations

import base64
import io
import math
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from PIL import Image

from mien.engine import EnrolmentPhoto
from mien.service.dialects.compreface.failures import Failure
from mien.service.dialects.compreface.requests import COLLECTION
from mien.service.dialects.compreface.routes import OPERATIONS
from mien.testing import MockEmbedder

ANN, BOB, EVE = 1, 2, 3
SUBJECTS = "/recognition/subjects"
FACES = "/recognition/faces"


@dataclass
class Compreface:
    """A client of the dialect."""

    house: Any

    def raw(self, method: str, path: str, **options) -> httpx.Response:
        headers = {"x-api-key": self.house.secret} | options.pop("headers", {})
        address = f"/compreface/api/v1{path}"
        return self.house.client.request(method, address, headers=headers, **options)

    def __call__(self, method: str, path: str, *, status: int = 200, **options):
        answer = self.raw(method, path, **options)
        assert answer.status_code == status, answer.text
        return answer.json()

    def failure(self, method: str, path: str, **options) -> tuple[int, int]:
        answer = self.raw(method, path, **options)
        body = answer.json()
        assert set(body) == {"message", "code"}
        assert body["message"]
        return answer.status_code, body["code"]

    def photo(self, *people: int, name: str = "file", **options) -> dict:
        return {"files": {name: ("image.jpg", self.house.photo(*people, **options))}}

    def two(self, source: int, *targets: int) -> dict:
        photo = self.house.photo
        return {"files": {"source_image": photo(source), "target_image": photo(*targets)}}

    def enrol(self, subject: str, person: int, **options) -> str:
        address = f"{FACES}?subject={quote(subject)}"
        made = self("POST", address, status=201, **self.photo(person, **options))
        assert made["subject"] == subject
        return made["image_id"]


@pytest.fixture
def compreface(open_dialects) -> Compreface:
    return Compreface(open_dialects())


def told(failure: Failure) -> tuple[int, int]:
    return failure.value.status, failure.value.code


def test_subjects_live_and_die(compreface):
    assert compreface("GET", SUBJECTS) == {"subjects": []}
    assert compreface("DELETE", SUBJECTS) == {"deleted": 0}
    for name in ("Ann", "김철수"):
        assert compreface("POST", SUBJECTS, status=201, json={"subject": name}) == {"subject": name}
    again = {"json": {"subject": "Ann"}}
    assert compreface.failure("POST", SUBJECTS, **again) == told(Failure.SUBJECT_EXISTS)
    assert compreface("GET", f"{SUBJECTS}/") == {"subjects": ["Ann", "김철수"]}
    body = {"subject": "Anna", "api_endpoint": "Ann"}  # as the SDK sends it
    assert compreface("PUT", f"{SUBJECTS}/Ann", json=body) == {"updated": True}
    assert compreface.failure("PUT", f"{SUBJECTS}/Ann", json=body) == told(
        Failure.SUBJECT_NOT_FOUND
    )
    assert compreface("DELETE", f"{SUBJECTS}/{quote('김철수')}") == {"subject": "김철수"}
    assert compreface("DELETE", SUBJECTS) == {"deleted": 1}


def test_renaming_to_a_taken_name_merges(compreface):
    one, two = compreface.enrol("Ann", ANN), compreface.enrol("Annie", ANN, side=80)
    assert compreface("PUT", f"{SUBJECTS}/Annie", json={"subject": "Ann"}) == {"updated": True}
    assert compreface("GET", SUBJECTS) == {"subjects": ["Ann"]}
    listed = compreface("GET", f"{FACES}?subject=Ann")["faces"]
    assert {face["image_id"] for face in listed} == {one, two}


def test_faces_live_and_die(compreface):
    assert compreface("GET", FACES)["total_elements"] == 0
    ids = [compreface.enrol("Ann", ANN, side=90 + i) for i in range(3)]
    bob = compreface.enrol("Bob", BOB)
    assert compreface("GET", SUBJECTS) == {"subjects": ["Ann", "Bob"]}
    whole = compreface("GET", FACES)
    assert whole["faces"][0] == {"image_id": ids[0], "subject": "Ann"}
    assert (whole["page_number"], whole["page_size"]) == (0, 20)
    page = compreface("GET", f"{FACES}?page=1&size=3")
    assert page == {
        "faces": [{"image_id": bob, "subject": "Bob"}],
        "page_number": 1,
        "page_size": 3,
        "total_pages": 2,
        "total_elements": 4,
    }
    for query, wanted in (
        ("page=-1&size=0", (0, 20)),
        ("page=x&size=x", (0, 20)),
        ("page=&size=2000", (0, 2000)),
        ("page=9&size=2001", (9, 2000)),
        (f"page={'9' * 30}&size=1", (0, 1)),
    ):
        page = compreface("GET", f"{FACES}?{query}")
        assert (page["page_number"], page["page_size"]) == wanted
    assert compreface("GET", f"{FACES}?subject=Ann")["total_elements"] == 3
    assert compreface("DELETE", f"{FACES}/{ids[0]}") == {"image_id": ids[0], "subject": "Ann"}
    gone = compreface("POST", f"{FACES}/delete", json=[ids[0], ids[1], "none"])
    assert gone == [{"image_id": ids[1], "subject": "Ann"}]
    assert compreface("DELETE", f"{FACES}?subject=Ann") == {"deleted": 1}
    assert compreface("DELETE", FACES) == {"deleted": 1}
    assert compreface("GET", SUBJECTS) == {"subjects": ["Ann", "Bob"]}


def test_faces_that_were_brought_over_keep_their_ids(compreface):
    ann = compreface.enrol("Ann", ANN)
    old, photo = str(uuid.uuid4()), compreface.house.photo(BOB)
    brought = EnrolmentPhoto("Bob", photo, "bob.jpg", old)  # as `mien gallery migrate` does
    assert all(compreface.house.engine.enroll_each(compreface.house.gallery, COLLECTION, [brought]))
    bob = {"image_id": old, "subject": "Bob"}
    assert compreface("GET", FACES)["faces"] == [{"image_id": ann, "subject": "Ann"}, bob]
    (same,) = compreface("POST", f"{FACES}/{old}/verify", **compreface.photo(BOB))["result"]
    assert same["similarity"] > 0.5
    again = compreface("POST", f"{FACES}?subject=Bob", status=201, files={"file": photo})
    assert again == bob
    assert compreface("DELETE", f"{FACES}/{old.upper()}") == bob
    assert compreface.failure("DELETE", f"{FACES}/{old}") == told(Failure.EMBEDDING_NOT_FOUND)


def test_a_photo_twice_is_one_face(compreface):
    assert compreface.enrol("Ann", ANN) == compreface.enrol("Ann", ANN)
    assert compreface.enrol("Bob", ANN) != compreface.enrol("Ann", ANN)


def test_recognize(compreface):
    query = "/recognition/recognize?&limit=2&prediction_count=2&status=True"
    (face,) = compreface("POST", "/recognition/recognize", **compreface.photo(ANN))["result"]
    assert face["subjects"] == []
    compreface.enrol("Ann", ANN)
    compreface.enrol("Bob", BOB)
    found = compreface("POST", query, **compreface.photo(BOB, ANN, EVE))
    assert len(found["result"]) == 2
    first, second = found["result"]
    assert [one["subject"] for one in first["subjects"]] == ["Bob", "Ann"]
    assert first["subjects"][0]["similarity"] > 0.5 > first["subjects"][1]["similarity"]
    assert second["subjects"][0]["subject"] == "Ann"
    assert set(first["execution_time"]) == {"detector", "calculator"}
    assert found["plugins_versions"] == {"detector": "mock", "calculator": "mock"}
    box = first["box"]
    assert set(box) == {"probability", "x_max", "y_max", "x_min", "y_min"}
    plain = compreface("POST", "/recognition/recognize", **compreface.photo(BOB))
    assert set(plain) == {"result"}
    assert len(plain["result"][0]["subjects"]) == 1


def test_plugins(compreface):
    asked = "/detection/detect?face_plugins=landmarks,calculator,mask,pose"
    (face,) = compreface("POST", asked, **compreface.photo(ANN))["result"]
    assert set(face) == {"box", "landmarks", "embedding", "mask", "pose"}
    assert len(face["landmarks"]) == 5
    assert math.hypot(*face["embedding"]) == pytest.approx(1, abs=1e-5)
    assert face["mask"] == {"probability": 0.98, "value": "without_mask"}
    assert face["pose"] == pytest.approx({"pitch": -3.25, "roll": 1.5, "yaw": 12.5}, abs=0.06)
    restricted = "/detection/detect?face_plugins=age,gender"
    assert compreface.failure("POST", restricted, **compreface.photo(ANN)) == (403, 0)
    compreface.house.gallery.allow_attributes("default", ["age", "gender"])
    (face,) = compreface("POST", restricted, **compreface.photo(ANN))["result"]
    assert face["age"] == {"probability": 0.8, "high": 38, "low": 25}
    assert face["gender"] == {"probability": 0.97, "value": "female"}


def test_options_hold(compreface):
    crowd = compreface.photo(ANN, BOB, EVE)
    for query, count in (("limit=0", 3), ("limit=1", 1), ("det_prob_threshold=0.99", 3)):
        assert len(compreface("POST", f"/detection/detect?{query}", **crowd)["result"]) == count
    none = "/detection/detect?det_prob_threshold=1.0"
    assert compreface.failure("POST", none, **crowd) == told(Failure.NO_FACE)


def test_verify_a_stored_face(compreface):
    ann = compreface.enrol("Ann", ANN)
    found = compreface("POST", f"{FACES}/{ann}/verify?", **compreface.photo(BOB, ANN))["result"]
    assert found[1]["similarity"] > 0.5 > found[0]["similarity"]


def test_verify_two_photos(compreface):
    asked = "/verification/verify?&status=True&face_plugins=landmarks"
    (found,) = compreface("POST", asked, **compreface.two(ANN, BOB, ANN))["result"]
    assert len(found["source_image_face"]["landmarks"]) == 5
    bob, ann = (one["similarity"] for one in found["face_matches"])  # the larger face first
    assert ann > 0.5 > bob
    assert found["plugins_versions"]["detector"] == "mock"
    two = compreface.two(ANN, BOB)
    two["files"]["source_image"] = compreface.house.photo(ANN, BOB)
    assert compreface.failure("POST", VERIFY, **two) == told(Failure.TOO_MANY_FACES)
    (one,) = compreface("POST", f"{VERIFY}?limit=1", **two)["result"]
    assert one["face_matches"][0]["similarity"] < 0.5


def test_embeddings_in_and_out(compreface):
    ann = compreface.enrol("Ann", ANN)
    compreface.enrol("Bob", BOB)
    asked = "/detection/detect?face_plugins=calculator"
    seen = compreface("POST", asked, **compreface.photo(BOB, ANN))["result"]
    bob_vector, ann_vector = (face["embedding"] for face in seen)
    stretched = [3 * value for value in ann_vector]
    both = {"embeddings": [stretched, bob_vector]}
    found = compreface("POST", "/recognition/embeddings/recognize?prediction_count=2", json=both)[
        "result"
    ]
    assert [[one["subject"] for one in each["similarities"]] for each in found] == [
        ["Ann", "Bob"],
        ["Bob", "Ann"],
    ]
    assert found[0]["similarities"][0]["similarity"] > 0.5
    address = f"/recognition/embeddings/faces/{ann}/verify"
    alike = [one["similarity"] for one in compreface("POST", address, json=both)["result"]]
    assert alike[0] > 0.5 > alike[1]
    huge = {"embeddings": [[1e308 * value for value in ann_vector]]}
    (again,) = compreface("POST", "/recognition/embeddings/recognize", json=huge)["result"]
    assert again["similarities"] == found[0]["similarities"][:1]
    body = {"source": ann_vector, "targets": [bob_vector, ann_vector]}
    compared = compreface("POST", "/verification/embeddings/verify", json=body)["result"]
    assert [one["similarity"] > 0.5 for one in compared] == [True, False]
    assert compared[0]["embedding"] == pytest.approx(ann_vector, abs=1e-6)


def test_photos_as_base64(compreface):
    def text(person: int) -> str:
        return base64.b64encode(compreface.house.photo(person)).decode()

    body = {"file": text(ANN)}
    made = compreface("POST", f"{FACES}?subject=Ann", status=201, json=body)
    assert str(uuid.UUID(made["image_id"])) == made["image_id"]
    found = compreface("POST", "/recognition/recognize", json=body)["result"]
    assert found[0]["subjects"][0]["subject"] == "Ann"
    both = {"source_image": text(ANN), "target_image": text(BOB)}
    assert len(compreface("POST", "/verification/verify", json=both)["result"]) == 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "ICO"])
def test_formats_of_photos(compreface, kind):
    out = io.BytesIO()
    Image.open(io.BytesIO(compreface.house.photo(ANN))).save(out, kind)
    answer = compreface.raw("POST", DETECT, files={"file": ("image.jpg", out.getvalue())})
    assert answer.status_code == (400 if kind == "ICO" else 200)
    assert (answer.json().get("code") == 21) is (kind == "ICO")


DETECT = "/detection/detect"
VERIFY = "/verification/verify"
NOBODY = str(uuid.UUID(int=7))
EMBEDDINGS = "/recognition/embeddings/recognize"
COMPARED = "/verification/embeddings/verify"
FAILURES = [
    ("POST", SUBJECTS, {"json": {}}, Failure.VALIDATION),
    ("POST", SUBJECTS, {"json": {"subject": " "}}, Failure.VALIDATION),
    ("POST", SUBJECTS, {"json": {"subject": 5}}, Failure.VALIDATION),
    ("POST", f"{FACES}?subject=%20", {"files": {"file": b"x"}}, Failure.VALIDATION),
    ("DELETE", f"{FACES}?subject=", {}, Failure.VALIDATION),
    ("POST", f"{FACES}?subject=a", {"json": {}}, Failure.EMPTY_FIELD),
    ("POST", SUBJECTS, {"json": {"subject": "x" * 256}}, Failure.VALIDATION),
    ("POST", SUBJECTS, {"content": b"{", "headers": {"content-type": "application/json"}},
     Failure.VALIDATION),
    ("DELETE", f"{SUBJECTS}/nobody", {}, Failure.SUBJECT_NOT_FOUND),
    ("PUT", f"{SUBJECTS}/nobody", {"json": {"subject": "a"}}, Failure.SUBJECT_NOT_FOUND),
    ("POST", FACES, {"files": {"file": b"x"}}, Failure.MISSING_PARAMETER),
    ("POST", f"{FACES}?subject=a", {"files": {"other": b"x"}}, Failure.MISSING_PART),
    ("POST", f"{FACES}?subject=a", {"files": {"file": b"x"}}, Failure.FILE_EXTENSION),
    ("POST", f"{FACES}?subject=a", {"json": {"file": "http://a.example/a.png"}},
     Failure.FILE_EXTENSION),
    ("POST", f"{FACES}?subject=a", {"json": {"file": "%%%"}}, Failure.FILE_EXTENSION),
    ("DELETE", f"{FACES}/{NOBODY}", {}, Failure.EMBEDDING_NOT_FOUND),
    ("DELETE", f"{FACES}/none", {}, Failure.EMBEDDING_NOT_FOUND),
    ("GET", f"{FACES}/{NOBODY}/img", {}, Failure.EMBEDDING_NOT_FOUND),
    ("POST", f"{FACES}/{NOBODY}/verify", {"files": {"file": b"x"}}, Failure.EMBEDDING_NOT_FOUND),
    ("POST", f"{FACES}/delete", {"json": {"a": 1}}, Failure.VALIDATION),
    ("POST", f"{FACES}/delete", {"json": [5]}, Failure.VALIDATION),
    ("POST", f"{DETECT}?limit=-1", {"files": {"file": b"x"}}, Failure.VALIDATION),
    ("POST", f"{DETECT}?det_prob_threshold=1.1", {"files": {"file": b"x"}}, Failure.VALIDATION),
    ("POST", f"{DETECT}?status=perhaps", {"files": {"file": b"x"}}, Failure.VALIDATION),
    ("POST", f"{DETECT}?face_plugins=landmarks2d106", {"files": {"file": b"x"}},
     Failure.VALIDATION),
    ("POST", f"{DETECT}?detect_faces=false", {"files": {"file": b"x"}}, Failure.VALIDATION),
    ("POST", DETECT, {}, Failure.MISSING_PART),
    ("POST", f"{VERIFY}?limit=1", {"files": {"source_image": b"x"}}, Failure.MISSING_PART),
    ("PATCH", SUBJECTS, {}, Failure.NO_ROUTE),
    ("POST", "/migrate", {}, Failure.NO_ROUTE),
    ("POST", f"{EMBEDDINGS}?prediction_count=0", {"json": {"embeddings": [[1.0] * 64]}},
     Failure.VALIDATION),
    ("POST", f"{EMBEDDINGS}?prediction_count=1001", {"json": {"embeddings": [[1.0] * 64]}},
     Failure.VALIDATION),
    ("POST", EMBEDDINGS, {"json": {}}, Failure.EMPTY_FIELD),
    ("POST", EMBEDDINGS, {"json": {"embeddings": []}}, Failure.EMPTY_FIELD),
    ("POST", EMBEDDINGS, {"json": {"embeddings": [[1.0]] * 1001}}, Failure.EMBEDDING_COUNT),
    ("POST", EMBEDDINGS, {"json": {"embeddings": [[0.0] * 64]}}, Failure.VALIDATION),
    ("POST", EMBEDDINGS, {"json": {"embeddings": [[1.0] * 63]}}, Failure.VALIDATION),
    ("POST", EMBEDDINGS, {"json": {"embeddings": [["a"] * 64]}}, Failure.VALIDATION),
    ("POST", EMBEDDINGS, {"json": {"embeddings": [[10**400] * 64]}}, Failure.VALIDATION),
    ("POST", COMPARED, {"json": {"targets": [[1.0] * 64]}}, Failure.EMPTY_FIELD),
    ("POST", COMPARED, {"json": {"source": [1.0] * 64}}, Failure.EMPTY_FIELD),
    ("POST", COMPARED, {"json": {"source": "x", "targets": [[1.0] * 64]}}, Failure.VALIDATION),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "options", "failure"), FAILURES, ids=[str(i) for i in range(len(FAILURES))]
)
def test_failures(compreface, method, path, options, failure):
    assert compreface.failure(method, path, **options) == told(failure)


def test_faces_that_cannot_be_added(compreface):
    address = f"{FACES}?subject=Ann"
    assert compreface.failure("POST", address, **compreface.photo()) == told(Failure.NO_FACE)
    two = compreface.photo(ANN, BOB)
    assert compreface.failure("POST", address, **two) == told(Failure.TOO_MANY_FACES)
    assert compreface("GET", SUBJECTS) == {"subjects": []}
    image = f"{FACES}/{compreface.enrol('Ann', ANN)}/img"
    assert compreface.failure("GET", image) == told(Failure.IMAGE_NOT_FOUND)
    person = compreface.house.gallery.person("compreface", "Ann")
    by_id = compreface.failure("DELETE", f"{SUBJECTS}/{person.id}")
    assert by_id == told(Failure.SUBJECT_NOT_FOUND)


def test_what_fails_inside_tells_nothing(compreface, monkeypatch):
    def fail(*_args, **_more):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("mien.engine.core.Engine.detect", fail)
    answer = compreface.raw("POST", DETECT, **compreface.photo(ANN))
    assert (answer.status_code, answer.json()["code"]) == told(Failure.CORE)
    assert "secret" not in answer.text


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_keys_open_what_they_may(compreface, operation):
    path = operation.path.format(subject="a", image_id=NOBODY)
    for key, wanted in (("", Failure.MISSING_HEADER), ("wrong", Failure.KEY_NOT_FOUND)):
        headers = {"x-api-key": key}
        assert compreface.failure(operation.method, path, headers=headers) == told(wanted)
    others = {"detect", "gallery:read", "gallery:write"} - {operation.scope.value}
    _, secret = compreface.house.gallery.create_key("default", others)
    headers = {"x-api-key": secret}
    assert compreface.failure(operation.method, path, headers=headers) == (403, 0)


def test_every_code_is_answered_by_some_test():
    tested = {one[3] for one in FAILURES} | {
        Failure.UNDEFINED, Failure.KEY_NOT_FOUND, Failure.IMAGE_NOT_FOUND, Failure.MISSING_HEADER,
        Failure.NO_FACE, Failure.TOO_MANY_FACES, Failure.CORE, Failure.SUBJECT_EXISTS,
    }  # fmt: skip
    assert tested == set(Failure)


def test_the_description_is_its_own_and_complete(compreface):
    described = compreface.house.client.get("/compreface/api/v1/openapi.json").json()
    paths = {(method, path) for path, some in described["paths"].items() for method in some}
    assert paths == {(o.method.lower(), f"/compreface/api/v1{o.path}") for o in OPERATIONS}


def test_images_that_the_collection_keeps(compreface):
    compreface("POST", SUBJECTS, status=201, json={"subject": "Ann"})
    compreface.house.gallery.set_group("compreface", settings={"images": "photos"})
    image = compreface.raw("GET", f"{FACES}/{compreface.enrol('Ann', ANN)}/img")
    assert image.status_code == 200
    assert image.headers["content-type"].startswith("image/")
    assert len(image.content) > 100


def test_the_collection_is_served_by_its_own_model(compreface):
    second = MockEmbedder(version=2).contract
    compreface.house.gallery.create_group("compreface", contract=second)
    ann = compreface.enrol("Ann", ANN)
    found = compreface("POST", "/recognition/recognize", **compreface.photo(ANN))["result"]
    assert found[0]["subjects"][0]["similarity"] > 0.5
    alike = compreface("POST", f"{FACES}/{ann}/verify", **compreface.photo(ANN))["result"]
    assert alike[0]["similarity"] > 0.5
    assert compreface.house.gallery.group("compreface").contract == second


def test_searches_are_in_the_audit_log_where_that_is_on(open_dialects):
    compreface = Compreface(open_dialects(audit_searches="on"))
    ann = compreface.enrol("Ann", ANN)
    person = compreface.house.gallery.person("compreface", "Ann").id
    compreface("POST", "/recognition/recognize", **compreface.photo(BOB))
    compreface("POST", f"{FACES}/{ann}/verify", **compreface.photo(BOB))
    log = compreface.house.gallery.privacy.audit(limit=1000)
    searches = [(e.action, e.subject) for e in log if e.action.startswith("search.")]
    assert searches[-2:] == [("search.identify", person), ("search.verify", person)]


def test_who_is_recognised_is_not_idle(open_dialects):
    compreface = Compreface(open_dialects())
    ann, bob = compreface.enrol("Ann", ANN), compreface.enrol("Bob", BOB)
    gallery, long_ago = compreface.house.gallery, datetime.now(UTC) - timedelta(hours=3)
    gallery.set_group("compreface", settings={"retain_idle_s": 3600})
    ids = [gallery.person("compreface", name).id for name in ("Ann", "Bob")]
    for paths in (["/recognition/recognize"], [f"{FACES}/{one}/verify" for one in (ann, bob)]):
        gallery.privacy.seen(ids, now=long_ago)
        for path in paths:
            compreface("POST", path, **compreface.photo(ANN))
        seen = [gallery.person("compreface", one).last_seen_at for one in ids]
        assert [one != long_ago for one in seen] == [True, False]


def test_the_collection_may_enforce_liveness(open_dialects):
    compreface = Compreface(open_dialects(spoof=True))
    compreface.enrol("Ann", ANN)
    compreface.house.gallery.set_group("compreface", settings={"liveness": "enforce"})
    answer = compreface.raw("POST", "/recognition/recognize", **compreface.photo(ANN, room=4))
    assert (answer.status_code, answer.headers["x-mien-error"]) == (422, "spoof_suspected")
    add = f"{FACES}?subject=Bob"
    answer = compreface.raw("POST", add, **compreface.photo(BOB, room=4))
    assert (answer.status_code, answer.headers["x-mien-error"]) == (422, "spoof_suspected")
