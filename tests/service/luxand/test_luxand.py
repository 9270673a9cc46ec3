"""Every operation of the Luxand dialect, and its failures."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from mien.errors import NotFound
from mien.service.dialects.luxand.roster import Roster
from mien.service.dialects.luxand.routes import OPERATIONS
from mien.testing import MockEmbedder

ANN, BOB, EVE = 1, 2, 3
PERSONS = ["/v2/person", "/person", "/subject"]
ROUTES = [(o.name, m, p) for o in OPERATIONS for m, p in o.routes]


@dataclass
class Luxand:
    """A client of the dialect."""

    house: Any

    def raw(self, method: str, path: str, **options) -> httpx.Response:
        headers = {"token": self.house.secret} | options.pop("headers", {})
        return self.house.client.request(method, f"/luxand{path}", headers=headers, **options)

    def __call__(self, method: str, path: str, **options):
        answer = self.raw(method, path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def failure(self, method: str, path: str, **options) -> tuple[int, str]:
        answer = self.raw(method, path, **options)
        body = answer.json()
        assert set(body) == {"status", "message"}
        assert body["status"] == "failure"
        assert body["message"]
        return answer.status_code, answer.headers["x-mien-error"]

    def photo(self, *people: int, **options) -> dict:
        return {"files": {"photo": ("photo.png", self.house.photo(*people, **options))}}

    def enrol(self, name: str, *people: int, path: str = "/v2/person", **fields) -> dict:
        files = [
            ("photos", ("p.png", self.house.photo(one, side=90 + i)))
            for i, one in enumerate(people)
        ]
        return self("POST", path, data={"name": name, **fields}, files=files or {"x": b""})


@pytest.fixture
def luxand(open_dialects) -> Luxand:
    return Luxand(open_dialects())


@pytest.mark.parametrize("path", PERSONS)
def test_persons_live_and_die(luxand, path):
    made = luxand.enrol("Ann", ANN, path=path)
    assert made["status"] == "success"
    assert made["name"] == "Ann"
    assert isinstance(made["id"], int)
    assert len(made["faces"]) == 1
    shown = luxand("GET", f"{path}/{made['uuid']}")
    assert shown == luxand("GET", f"{path}/{made['id']}")
    assert shown == {key: made[key] for key in ("id", "uuid", "name", "faces", "collections")}
    added = luxand("POST", f"{path}/{made['uuid']}", **luxand.photo(ANN, side=80))
    assert added["id"] == made["id"]
    (listed,) = luxand("GET", path)
    assert [face["uuid"] for face in listed["faces"]] == [
        made["faces"][0]["uuid"],
        added["uuid"],
    ]
    assert luxand("PUT", f"{path}/{made['uuid']}", data={"name": "Anna"})["name"] == "Anna"
    assert luxand("DELETE", f"{path}/{made['uuid']}") == {"status": "success"}
    assert luxand("GET", path) == []
    assert luxand.failure("GET", f"{path}/{made['uuid']}") == (404, "not_found")


def test_two_persons_of_one_name(luxand):
    one, two = luxand.enrol("Ann", ANN), luxand.enrol("Ann", BOB)
    assert one["uuid"] != two["uuid"]
    assert one["id"] != two["id"]
    assert [person["name"] for person in luxand("GET", "/v2/person")] == ["Ann", "Ann"]
    assert luxand("PUT", f"/v2/person/{two['uuid']}", data={"name": "Ann"})["name"] == "Ann"
    (found,) = luxand("POST", "/photo/search/v2", **luxand.photo(BOB))
    assert (found["uuid"], found["name"]) == (two["uuid"], "Ann")


def test_lists_have_a_limit_and_an_offset(luxand):
    for name in ("c", "a", "b"):
        luxand.enrol(name)
    names = [one["name"] for one in luxand("GET", "/v2/person", params={"limit": 2})]
    names += [one["name"] for one in luxand("GET", "/v2/person", params={"limit": 2, "offset": 2})]
    assert names == ["a", "b", "c"]
    assert luxand.failure("GET", "/v2/person", params={"limit": "x"})[0] == 400
    assert luxand("DELETE", "/person") == {"status": "success", "deleted": 3}
    assert luxand("DELETE", "/v2/person") == {"status": "success", "deleted": 0}


def test_several_photos_are_enrolled_all_or_none(luxand):
    assert len(luxand.enrol("Ann", ANN, ANN, ANN)["faces"]) == 3
    files = [("photos", ("a.png", luxand.house.photo(BOB))), ("photos", ("b", b"no photo"))]
    bad = {"data": {"name": "Bob"}, "files": files}
    assert luxand.failure("POST", "/v2/person", **bad) == (400, "image_decode")
    assert [one["name"] for one in luxand("GET", "/v2/person")] == ["Ann"]
    ann = luxand("GET", "/v2/person")[0]
    nobody = {"files": {"photo": luxand.house.photo()}}
    assert luxand.failure("POST", f"/v2/person/{ann['uuid']}", **nobody) == (422, "no_face")
    files = [("photos", luxand.house.photo(ANN, side=70)), ("photos", luxand.house.photo())]
    assert luxand.failure("POST", f"/v2/person/{ann['uuid']}", files=files) == (422, "no_face")
    assert len(luxand("GET", f"/v2/person/{ann['uuid']}")["faces"]) == 3


def test_unique_refuses_whoever_is_there(luxand):
    luxand.enrol("Ann", ANN)
    assert luxand.enrol("Bob", BOB, unique="1")["status"] == "success"
    again = {"data": {"name": "Ann", "unique": "1"}, **luxand.photo(ANN, side=80)}
    assert luxand.failure("POST", "/v2/person", **again) == (409, "already_exists")
    again["data"]["unique"] = "0"
    assert luxand("POST", "/v2/person", **again)["status"] == "success"


def test_collections(luxand):
    ann = luxand.enrol("Ann", ANN, collections="Team A, 팀 B")
    bob = luxand.enrol("Bob", BOB)
    listed = {one["name"]: one["uuid"] for one in luxand("GET", "/collection")}
    assert set(listed) == {"Team A", "팀 B"}
    assert sorted(one["name"] for one in ann["collections"]) == ["Team A", "팀 B"]
    created = luxand("POST", "/collection", data={"name": "Night"})
    member = f"/collection/{created['uuid']}/person/{bob['uuid']}"
    assert luxand("POST", member) == luxand("POST", member) == {"status": "success"}

    def found(photo: int, collections: str) -> list[str]:
        options = luxand.photo(photo) | {"data": {"collections": collections}}
        return [one["name"] for one in luxand("POST", "/photo/search/v2", **options)]

    assert found(ANN, "Team A") == found(ANN, "Night,팀 B") == ["Ann"]
    assert found(ANN, "Night") == found(BOB, "Team A") == found(ANN, "none such") == []
    assert found(BOB, "Night") == found(BOB, "") == found(BOB, created["uuid"]) == ["Bob"]
    changed = luxand("PUT", f"/v2/person/{ann['uuid']}", data={"collections": "Night"})
    assert [one["name"] for one in changed["collections"]] == ["Night"]
    both = f"Night,{created['uuid']},{listed['Team A']}"
    changed = luxand("PUT", f"/v2/person/{ann['uuid']}", data={"collections": both})
    assert sorted(one["name"] for one in changed["collections"]) == ["Night", "Team A"]
    assert len(luxand("GET", "/collection")) == 3
    luxand("PUT", f"/v2/person/{ann['uuid']}", data={"collections": "Night"})
    assert luxand("DELETE", member) == {"status": "success"}
    assert luxand.failure("DELETE", member) == (404, "not_found")
    assert luxand("DELETE", f"/collection/{created['uuid']}") == {"status": "success"}
    assert len(luxand("GET", "/v2/person")) == 2
    assert luxand("GET", f"/v2/person/{ann['uuid']}")["collections"] == []
    assert luxand.failure("DELETE", f"/collection/{created['uuid']}") == (404, "not_found")


@pytest.mark.parametrize("path", ["/photo/search/v2", "/photo/search"])
def test_search_finds_every_face_and_no_stranger(luxand, path):
    assert luxand("POST", path, **luxand.photo(ANN)) == []
    ann, bob = luxand.enrol("Ann", ANN), luxand.enrol("Bob", BOB)
    found = luxand("POST", path, **luxand.photo(BOB, EVE, ANN))
    assert [(one["uuid"], one["id"]) for one in found] == [
        (bob["uuid"], bob["id"]),
        (ann["uuid"], ann["id"]),
    ]
    for one in found:
        assert 0.5 < one["probability"] <= 1
        box = one["rectangle"]
        assert set(box) == {"left", "top", "right", "bottom"}
        assert all(isinstance(value, int) for value in box.values())
    assert luxand("POST", path, **luxand.photo(EVE)) == []
    assert luxand("POST", path, **luxand.photo()) == []


def test_whoever_goes_during_a_search_is_left_out(luxand, monkeypatch):
    luxand.enrol("Ann", ANN)
    bob = luxand.enrol("Bob", BOB)
    find = Roster.find

    def find_or_gone(roster, person):
        if person != bob["uuid"]:
            raise NotFound("There is no such person.")
        return find(roster, person)

    monkeypatch.setattr(Roster, "find", find_or_gone)
    found = luxand("POST", "/photo/search/v2", **luxand.photo(ANN, BOB))
    assert [one["name"] for one in found] == ["Bob"]


def test_verify(luxand):
    ann = luxand.enrol("Ann", ANN)
    for key in ("uuid", "id"):
        same = luxand("POST", f"/photo/verify/{ann[key]}", **luxand.photo(ANN, side=80))
        assert (same["status"], same["message"]) == ("success", "verified")
        other = luxand("POST", f"/photo/verify/{ann[key]}", **luxand.photo(BOB))
        assert (other["status"], other["message"]) == ("failure", "Not verified")
        assert same["probability"] > 0.5 > other["probability"]


def test_similarity(luxand):
    def compare(a: int, b: int, **data):
        files = {"face1": luxand.house.photo(a), "face2": luxand.house.photo(b, side=80)}
        return luxand("POST", "/photo/similarity", files=files, data=data)

    same, other = compare(ANN, ANN), compare(ANN, BOB)
    assert (same["similar"], other["similar"]) == (True, False)
    assert 1 >= same["score"] > 0.5 > other["score"] >= 0
    assert compare(ANN, BOB, threshold="0")["similar"] is True
    for bad in ("1.5", "x", "nan", "-1"):
        files = {"face1": luxand.house.photo(ANN), "face2": luxand.house.photo(ANN)}
        wrong = {"files": files, "data": {"threshold": bad}}
        assert luxand.failure("POST", "/photo/similarity", **wrong) == (400, "invalid_argument")


def test_age_and_gender_only_where_they_are_allowed(luxand):
    (plain,) = luxand("POST", "/photo/detect", **luxand.photo(ANN))
    assert set(plain) == {"rectangle"}
    assert luxand.failure("POST", "/photo/emotions", **luxand.photo(ANN)) == (
        403,
        "attribute_not_allowed",
    )
    luxand.house.gallery.allow_attributes("default", ["age", "gender", "emotion"])
    (full,) = luxand("POST", "/photo/detect", **luxand.photo(ANN))
    assert full["age"] == 31
    assert full["gender"] == {"value": "Female", "probability": 0.97}
    felt = luxand("POST", "/photo/emotions", **luxand.photo(ANN))
    assert felt["status"] == "success"
    assert felt["faces"][0]["dominant_emotion"] == "happiness"
    assert set(felt["faces"][0]["emotions"]) == {
        "neutral", "happiness", "sadness", "anger", "fear", "disgust", "surprise",
    }  # fmt: skip


@pytest.mark.parametrize("spoof", [False, True])
def test_liveness(open_dialects, spoof):
    luxand = Luxand(open_dialects(spoof=spoof))
    for path in ("/photo/liveness", "/photo/liveness/v2"):
        told = luxand("POST", path, **luxand.photo(ANN, room=4))
        assert (told["status"], told["result"]) == ("success", "fake" if spoof else "real")
        assert 0 <= told["score"] <= 1
        assert luxand.failure("POST", path, **luxand.photo()) == (422, "no_face")
    close = luxand.photo(ANN, side=500)
    assert luxand("POST", "/photo/liveness", **close)["result"] == "fake"
    told = luxand("POST", "/photo/liveness/v2", **close)
    assert (told["status"], set(told)) == ("failure", {"status", "message"})


def test_photos_as_base64_and_in_urlencoded_forms(luxand):
    data = luxand.house.photo(ANN)
    text = base64.b64encode(data).decode()
    made = luxand("POST", "/subject", data={"name": "Ann", "photo": text})
    assert len(made["faces"]) == 1
    for photo in (text, f"data:image/png;base64,{text}"):
        assert len(luxand("POST", "/photo/search", data={"photo": photo})) == 1
        assert len(luxand("POST", "/photo/search", files={"photo": (None, photo)})) == 1
        assert len(luxand("POST", "/photo/search", json={"photo": photo})) == 1
    private = {"photo": "http://127.0.0.1/a.png"}
    assert luxand.failure("POST", "/photo/search", data=private) == (400, "image_url")


@pytest.mark.parametrize(("name", "method", "path"), ROUTES)
def test_tokens_open_what_they_may(luxand, name, method, path):
    address = path.format(person=uuid.uuid4(), collection=uuid.uuid4(), face=uuid.uuid4())
    for token in ("", "wrong"):
        answer = luxand.raw(method, address, headers={"token": token})
        assert answer.status_code == 401
        assert answer.json()["status"] == "failure"
    (scope,) = [one.scope for one in OPERATIONS if one.name == name]
    others = {"detect", "gallery:read", "gallery:write"} - {scope.value}
    _, secret = luxand.house.gallery.create_key("default", others)
    assert luxand.failure(method, address, headers={"token": secret}) == (403, "forbidden")


FAILURES = [
    ("POST", "/v2/person", {}, "invalid_argument"),
    ("POST", "/v2/person", {"data": {"name": ""}}, "invalid_argument"),
    ("POST", "/v2/person", {"data": {"name": "x" * 256}}, "invalid_argument"),
    ("POST", "/v2/person", {"content": b"x", "headers": {"content-type": "text/plain"}},
     "unsupported_media_type"),
    ("POST", "/v2/person", {"content": b"\xff=", "headers": {
        "content-type": "application/x-www-form-urlencoded"}}, "invalid_argument"),
    ("POST", "/photo/detect", {}, "invalid_argument"),
    ("POST", "/photo/detect", {"data": {"photo": ""}}, "image_decode"),
    ("POST", "/photo/detect", {"data": {"photo": "/etc/passwd"}}, "image_decode"),
    ("POST", "/photo/detect", {"data": {"photo": ["AAAA", "AAAA"]}}, "invalid_argument"),
    ("POST", "/photo/detect", {"data": {"photo": ["AAAA"] * 17}}, "invalid_argument"),
    ("POST", "/photo/detect", {"data": {"a": ["1", "2"]}}, "invalid_argument"),
    ("POST", "/photo/detect", {"files": {"photo": b"\x89PNG\r\n\x1a\n"}}, "image_decode"),
    ("POST", "/photo/search", {"files": {"photo": b"no photo"}}, "image_decode"),
    ("POST", "/photo/verify/17", {"files": {"photo": b"x"}}, "not_found"),
    ("POST", "/photo/verify/none", {"files": {"photo": b"x"}}, "not_found"),
    ("GET", "/person/99999999999999999999", {}, "not_found"),
    ("DELETE", "/subject/0", {}, "not_found"),
    ("POST", "/collection", {"data": {}}, "invalid_argument"),
    ("DELETE", "/collection/none", {}, "not_found"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "options", "code"), FAILURES, ids=[str(i) for i in range(len(FAILURES))]
)
def test_failures(luxand, method, path, options, code):
    assert luxand.failure(method, path, **options)[1] == code


def test_what_fails_inside_tells_nothing(luxand, monkeypatch):
    def fail(*_args, **_more):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("mien.engine.core.Engine.detect", fail)
    answer = luxand.raw("POST", "/photo/detect", **luxand.photo(ANN))
    assert answer.status_code == 500
    assert "secret" not in answer.text


def test_the_description_is_its_own_and_complete(luxand):
    described = luxand.house.client.get("/luxand/openapi.json").json()
    paths = {(method, path) for path, some in described["paths"].items() for method in some}
    assert paths == {(method.lower(), f"/luxand{path}") for _, method, path in ROUTES}


def test_a_face_has_a_url_where_its_image_is_kept(luxand):
    plain = luxand.enrol("Ann", ANN)
    assert set(plain["faces"][0]) == {"uuid"}
    luxand.house.gallery.set_group("luxand", settings={"images": "crops"})
    kept = luxand("POST", f"/v2/person/{plain['uuid']}", **luxand.photo(ANN, side=80))
    prefix = "http://mien.test/luxand"
    assert kept["url"] == f"{prefix}/face/{kept['uuid']}/image"
    listed = luxand("GET", "/v2/person")[0]["faces"]
    assert [set(face) for face in listed] == [{"uuid"}, {"uuid", "url"}]
    made = luxand.enrol("Bob", BOB)
    assert made["url"] == made["faces"][0]["url"]
    image = luxand.raw("GET", kept["url"].removeprefix(prefix))
    assert image.headers["content-type"] == "image/jpeg"
    assert image.content.startswith(b"\xff\xd8\xff")
    assert image.headers["cache-control"] == "private, no-store"
    none = luxand.failure("GET", f"/face/{plain['faces'][0]['uuid']}/image")
    assert none == (404, "not_found")


def test_everybody_is_served_by_the_model_that_the_group_is_pinned_to(luxand):
    second = MockEmbedder(version=2).contract
    luxand.house.gallery.create_group("luxand", contract=second)
    ann = luxand.enrol("Ann", ANN, collections="Team")
    assert luxand("GET", f"/v2/person/{ann['uuid']}")["collections"] == ann["collections"]
    assert {one.contract for one in luxand.house.gallery.groups()} == {second}
