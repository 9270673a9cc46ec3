"""Renaming, moving, merging, splitting and undoing over HTTP."""

from __future__ import annotations

import pytest

from mien.service import changes, schemas

GROUP = "/v1/groups/friends"
PERSONS = f"{GROUP}/persons"


def check(model, answer, status=200):
    assert answer.status_code == status, answer.text
    model.model_validate(answer.json())
    return answer.json()


def code(answer):
    schemas.ErrorAnswer.model_validate(answer.json())
    return answer.status_code, answer.json()["error"]["code"]


@pytest.fixture
def faces(client, photos):
    """Two groups; Ann and Bob with one face each in the first."""
    for group in ("friends", "club"):
        check(schemas.GroupAnswer, client.post("/v1/groups", json={"name": group}), 201)
    found = {}
    for name, photo in (("Ann", photos.ann), ("Bob", photos.bob)):
        check(schemas.PersonAnswer, client.post(PERSONS, json={"name": name}), 201)
        answer = client.post(f"{PERSONS}/{name}/faces", files={"image": photo})
        (found[name],) = check(schemas.EnrolmentAnswer, answer, 201)["face_ids"]
    return found


def names(client, group="friends"):
    listed = check(schemas.PersonPage, client.get(f"/v1/groups/{group}/persons"))["persons"]
    return [person["name"] for person in listed]


def test_a_group_is_changed_and_changed_back(client, faces):
    body = {"name": "crew", "settings": {"max_faces": 2}, "user_data": "x"}
    changed = check(schemas.GroupAnswer, client.patch(GROUP, json=body))
    assert (changed["name"], changed["user_data"]) == ("crew", "x")
    assert changed["settings"]["max_faces"] == 2
    more = {"settings": {"consent": "required"}, "user_data": None}
    changed = check(schemas.GroupAnswer, client.patch("/v1/groups/crew", json=more))
    assert (changed["settings"]["max_faces"], changed["settings"]["consent"]) == (2, "required")
    assert changed["user_data"] is None
    listed = check(changes.ChangePage, client.get("/v1/groups/crew/changes?limit=1"))
    assert listed["next"] == listed["changes"][0]["id"]
    wrong = client.post("/v1/groups/crew/undo", json={"change": "0" * 32})
    assert code(wrong) == (422, "invalid_argument") or code(wrong)[1] == "invalid_argument"
    meant = {"change": listed["next"]}
    check(changes.ChangeAnswer, client.post("/v1/groups/crew/undo", json=meant))
    undone = check(changes.ChangeAnswer, client.post("/v1/groups/crew/undo", json={}))
    assert undone["group"] == "friends"
    assert check(schemas.GroupAnswer, client.get(GROUP))["settings"]["max_faces"] is None
    assert code(client.post(f"{GROUP}/undo", json={})) == (404, "not_found")


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""}, {"name": None}, {"nosuch": 1}, {"settings": {"consent": "maybe"}},
        {"settings": {"nosuch": 1}}, {"settings": None}, {"user_data": "x" * 16385},
        {"user_data": 5}, {"settings": {"max_faces": -1}}, {"settings": {"max_faces": True}},
    ],
)  # fmt: skip
def test_changes_that_cannot_be(client, faces, body):
    assert code(client.patch(GROUP, json=body))[1] == "invalid_argument"
    assert check(changes.ChangePage, client.get(f"{GROUP}/changes"))["changes"] == []


def test_a_person_is_changed_and_found_by_the_callers_number(client, faces):
    body = {"name": "Anna", "external_id": "17", "user_data": "x"}
    changed = check(schemas.PersonAnswer, client.patch(f"{PERSONS}/Ann", json=body))
    assert (changed["name"], changed["external_id"], changed["user_data"]) == ("Anna", "17", "x")
    found = check(schemas.PersonPage, client.get(PERSONS, params={"external_id": "17"}))
    assert [person["id"] for person in found["persons"]] == [changed["id"]]
    none = check(schemas.PersonPage, client.get(PERSONS, params={"external_id": "18"}))
    assert none["persons"] == []
    other = client.get("/v1/groups/nosuch/persons", params={"external_id": "17"})
    assert code(other) == (404, "not_found")
    again = client.patch(f"{PERSONS}/Bob", json={"external_id": "17"})
    assert code(again) == (409, "already_exists")
    assert code(client.patch(f"{PERSONS}/Bob", json={"name": "Anna"})) == (409, "already_exists")
    check(schemas.PersonAnswer, client.patch(f"{PERSONS}/Anna", json={"external_id": None}))
    made = client.post(PERSONS, json={"name": "Eva", "external_id": "17", "user_data": "y"})
    assert check(schemas.PersonAnswer, made, 201)["user_data"] == "y"


def test_persons_are_merged_and_split(client, faces):
    merged = client.post(f"{PERSONS}/Ann/merge", json={"person": "Bob"})
    assert check(schemas.PersonAnswer, merged)["faces"] == 2
    assert names(client) == ["Ann"]
    split = client.post(f"{PERSONS}/Ann/split", json={"name": "Eva", "faces": [faces["Bob"]]})
    assert check(schemas.PersonAnswer, split, 201)["faces"] == 1
    assert names(client) == ["Ann", "Eva"]
    for _ in range(2):
        check(changes.ChangeAnswer, client.post(f"{GROUP}/undo", json={}))
    assert names(client) == ["Ann", "Bob"]
    for body in ({"name": "Eva", "faces": []}, {"name": "Eva"}, {"name": "Eva", "faces": "x"}):
        refused = client.post(f"{PERSONS}/Ann/split", json=body)
        assert code(refused)[1] == "invalid_argument"
    myself = client.post(f"{PERSONS}/Ann/merge", json={"person": "Ann"})
    assert code(myself)[1] == "invalid_argument"


def test_persons_and_faces_move(client, faces):
    moved = client.post(f"{PERSONS}/Ann/move", json={"group": "club", "name": "Annie"})
    assert check(schemas.PersonAnswer, moved)["name"] == "Annie"
    assert (names(client), names(client, "club")) == (["Bob"], ["Annie"])
    body = {"group": "club", "person": "Annie"}
    joined = client.post(f"{GROUP}/members", json=body)
    assert check(schemas.PersonAnswer, joined, 201)["faces"] == 1
    assert code(client.post(f"{GROUP}/members", json=body)) == (409, "already_exists")
    assert client.delete(f"{GROUP}/members/Annie").status_code == 204
    refused = client.delete("/v1/groups/club/members/Annie")
    assert code(refused)[1] == "invalid_argument"
    move = f"{GROUP}/faces/{faces['Bob']}/move"
    given = client.post(move, json={"person": "Annie", "group": "club"})
    assert check(schemas.FaceAnswer, given)["person"] == "Annie"
    assert code(client.post(move, json={"person": "Bob"})) == (404, "not_found")


def test_a_face_keeps_what_the_caller_wants(client, faces):
    address = f"{GROUP}/faces/{faces['Ann']}"
    body = {"external_image_id": "img-1", "user_data": "x"}
    changed = check(schemas.FaceAnswer, client.patch(address, json=body))
    assert (changed["external_image_id"], changed["user_data"]) == ("img-1", "x")
    for number, count in (("img-1", 1), ("img-2", 0)):
        found = client.get(f"{PERSONS}/Ann/faces", params={"external_image_id": number})
        assert len(check(schemas.FacePage, found)["faces"]) == count


def test_anonymous_persons_are_listed_only_on_demand(client, house, faces):
    gallery = house.gallery
    contract = gallery.group("friends").contract
    (face,) = gallery.faces("friends", "Ann")
    template = gallery.embeddings("friends", "Ann")[1]
    (unknown,) = gallery.add_faces("friends", None, template, contract=contract)
    assert names(client) == ["Ann", "Bob"]
    found = check(schemas.PersonPage, client.get(PERSONS, params={"anonymous": "true"}))
    assert [person["id"] for person in found["persons"]] == [unknown.person_id]
    assert found["persons"][0]["anonymous"]
    named = client.patch(f"{PERSONS}/{unknown.person_id}", json={"name": "Eva"})
    assert not check(schemas.PersonAnswer, named)["anonymous"]
    assert names(client) == ["Ann", "Bob", "Eva"]
    assert face.person == "Ann"
