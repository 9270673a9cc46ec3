"""Groups, persons and faces: every route, its status and its shape."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from mien.service import schemas
from mien.types import EmbeddingContract

GROUP = "/v1/groups/friends"
PERSONS = f"{GROUP}/persons"


def check(model, answer, status=200):
    assert answer.status_code == status, answer.text
    model.model_validate(answer.json())
    return answer.json()


def error(answer):
    content = answer.json()
    schemas.ErrorAnswer.model_validate(content)
    assert content["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, content["error"]["code"]


@pytest.fixture
def friends(client, photos):
    """A group with Ann, who has one face; the face's id."""
    check(schemas.GroupAnswer, client.post("/v1/groups", json={"name": "friends"}), 201)
    check(schemas.PersonAnswer, client.post(PERSONS, json={"name": "Ann"}), 201)
    answer = client.post(f"{PERSONS}/Ann/faces", files={"image": ("ann.png", photos.ann)})
    (face_id,) = check(schemas.EnrolmentAnswer, answer, 201)["face_ids"]
    return face_id


def test_groups_live_and_die(client, friends):
    shown = check(schemas.GroupAnswer, client.get(GROUP))
    assert (shown["persons"], shown["faces"], shown["scoring"]) == (1, 1, "max")
    assert error(client.post("/v1/groups", json={"name": "friends"})) == (409, "already_exists")
    deleted = client.delete(GROUP)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert error(client.get(GROUP)) == (404, "not_found")
    assert error(client.delete(GROUP)) == (404, "not_found")


def test_persons_live_and_die(client, friends):
    shown = check(schemas.PersonAnswer, client.get(f"{PERSONS}/Ann"))
    assert shown["faces"] == 1
    assert check(schemas.PersonAnswer, client.get(f"{PERSONS}/{shown['id']}"))["name"] == "Ann"
    assert error(client.post(PERSONS, json={"name": "Ann"})) == (409, "already_exists")
    assert client.delete(f"{PERSONS}/Ann").status_code == 204
    assert error(client.get(f"{PERSONS}/Ann")) == (404, "not_found")
    assert error(client.get(f"{GROUP}/faces/{friends}")) == (404, "not_found")


def test_faces_live_and_die(client, friends):
    shown = check(schemas.FaceAnswer, client.get(f"{GROUP}/faces/{friends}"))
    listed = check(schemas.FacePage, client.get(f"{PERSONS}/Ann/faces"))
    assert [face["id"] for face in listed["faces"]] == [friends] == [shown["id"]]
    assert client.delete(f"{GROUP}/faces/{friends}").status_code == 204
    assert error(client.delete(f"{GROUP}/faces/{friends}")) == (404, "not_found")


def test_an_answer_never_holds_a_stored_template(client, friends, house, photos):
    vector = house.engine.represent(photos.ann).embeddings.vector[0]
    for address in (GROUP, PERSONS, f"{PERSONS}/Ann/faces", f"{GROUP}/faces/{friends}"):
        text = client.get(address).text
        assert str(float(vector[0])) not in text
        assert "embedding" not in text


def test_korean_and_odd_names(client, friends, photos):
    for name in ("김철수", "a b?c#d%e&f", "O'Neil; DROP TABLE persons"):
        created = check(schemas.PersonAnswer, client.post(PERSONS, json={"name": name}), 201)
        assert created["name"] == name
        shown = client.get(f"{PERSONS}/{quote(name, safe='')}")
        assert check(schemas.PersonAnswer, shown)["id"] == created["id"]


@pytest.mark.parametrize("name", ["a/b", "..", ".", "/", "Ann/faces", "a/../b", "%2F"])
def test_a_name_that_no_address_can_hold_is_reached_by_id(client, friends, photos, name):
    made = check(schemas.PersonAnswer, client.post(PERSONS, json={"name": name}), 201)
    address = f"{PERSONS}/{made['id']}"
    again = client.post(PERSONS, json={"name": name})
    assert error(again) == (409, "already_exists")
    assert again.json()["error"]["details"] == {"person_id": made["id"]}
    listed = client.get(PERSONS).json()["persons"]
    assert {one["name"]: one["id"] for one in listed}[name] == made["id"]
    assert client.post(f"{address}/faces", files={"image": photos.bob}).status_code == 201
    assert check(schemas.PersonAnswer, client.get(address))["faces"] == 1
    assert len(client.get(f"{address}/faces").json()["faces"]) == 1
    verified = client.post(f"{address}/verify", files={"image": photos.bob})
    assert check(schemas.VerificationAnswer, verified)["person"] == name
    assert client.delete(address).status_code == 204
    assert [one["name"] for one in client.get(PERSONS).json()["persons"]] == ["Ann"]


def test_identify_and_verify(client, friends, photos):
    found = check(
        schemas.IdentificationAnswer,
        client.post(f"{GROUP}/identify", files={"image": photos.ann}, data={"threshold": "0.5"}),
    )
    assert [one["person"] for one in found["faces"][0]["candidates"]] == ["Ann"]
    stranger = check(
        schemas.IdentificationAnswer,
        client.post(f"{GROUP}/identify", files={"image": photos.bob}, data={"threshold": "0.9"}),
    )
    assert stranger["faces"][0]["candidates"] == []
    for data, match in ((photos.ann, True), (photos.bob, False)):
        answer = client.post(
            f"{PERSONS}/Ann/verify", content=data, headers={"Content-Type": "image/png"}
        )
        content = check(schemas.VerificationAnswer, answer)
        assert (content["match"], content["person"]) == (match, "Ann")


def test_several_photos_at_once_and_why_some_are_refused(client, friends, photos):
    answer = client.post(
        f"{PERSONS}/Ann/faces",
        files=[
            ("image", ("again.png", photos.ann)),
            ("image", ("other.png", photos.bob)),
            ("image", ("none.png", photos.blank)),
            ("image", ("../../x.txt", b"text")),
        ],
    )
    content = check(schemas.EnrolmentAnswer, answer, 201)
    assert content["enrolled"] == 1
    assert {one["image"]: one["reasons"] for one in content["rejected"]} == {
        "again.png": ["duplicate"],
        "none.png": ["no_face"],
        "x.txt": ["image_decode"],
    }


def test_json_takes_a_list_of_photos(client, friends, photos):
    images = [base64.b64encode(data).decode() for data in (photos.bob, photos.blank)]
    answer = client.post(f"{PERSONS}/Ann/faces", json={"images": images})
    assert check(schemas.EnrolmentAnswer, answer, 201)["rejected"][0]["image"] == "images[1]"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("blank", (422, "no_face")), ("ann", (409, "already_exists"))],
)
def test_nothing_enrolled_is_an_error(client, friends, photos, name, expected):
    answer = client.post(f"{PERSONS}/Ann/faces", files={"image": ("p.png", getattr(photos, name))})
    assert error(answer) == expected
    assert "p.png" in answer.json()["error"]["details"]["rejected"]


def test_enrolling_never_makes_a_group_or_a_person_by_a_typing_error(client, friends, photos):
    for address in ("/v1/groups/freinds/persons/Ann/faces", f"{PERSONS}/Anne/faces"):
        assert error(client.post(address, files={"image": photos.bob})) == (404, "not_found")
    assert [group["name"] for group in client.get("/v1/groups").json()["groups"]] == ["friends"]


def test_a_group_of_another_model_is_a_conflict(client, house, photos):
    house.gallery.create_group("old", contract=EmbeddingContract("old", "0" * 64, 1, 64))
    answer = client.post("/v1/groups/old/identify", files={"image": photos.ann})
    assert error(answer) == (409, "embedding_mismatch")


@pytest.mark.parametrize("what", ["groups", "persons"])
def test_pages_give_every_entry_once(client, friends, what):
    address = {"groups": "/v1/groups", "persons": PERSONS}[what]
    for i in range(7):
        assert client.post(address, json={"name": f"n{i}"}).status_code == 201
    names, after, pages = [], None, 0
    while True:
        params = {"limit": 4} | ({"after": after} if after else {})
        page = client.get(address, params=params).json()
        names += [one["name"] for one in page[what]]
        after, pages = page["next"], pages + 1
        if after is None:
            break
    assert pages == 2
    assert len(names) == len(set(names)) == 8
    assert names == sorted(names)


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "limit=1&limit=2", "page=2"])
def test_pages_that_cannot_be(client, query):
    assert error(client.get(f"/v1/groups?{query}")) == (400, "invalid_argument")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"name": 1}',
        b'{"name": ""}',
        b'{"name": "a", "x": 1}',
        b'{"name": "a b"}',
        b'{"name": "../x"}',
        b'{"name": "\\ud800"}',
        b'{"name": NaN}',
        b'{"name": "a", "scoring": "min"}',
        b"\xff\xfe",
        b"[" * 5000,
        b'{"a":' * 5000,
        b"9" * 6000,
    ],
)
def test_groups_that_cannot_be(client, body):
    answer = client.post("/v1/groups", content=body, headers={"Content-Type": "application/json"})
    assert error(answer) == (400, "invalid_argument")


def test_a_form_is_not_json(client):
    assert error(client.post("/v1/groups", data={"name": "x"})) == (415, "unsupported_media_type")
    huge = client.post("/v1/groups", json={"name": "x" * 70_000})
    assert error(huge) == (413, "request_too_large")
