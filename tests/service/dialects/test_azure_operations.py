"""Every operation of Azure's Face API: its status, its answer, and what it did."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace

import numpy as np
import pytest

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
GROUPS = {"persongroups": "personGroupId", "largepersongroups": "largePersonGroupId"}
LISTS = {"facelists": "faceListId", "largefacelists": "largeFaceListId"}
TRAINED = {**GROUPS, "largefacelists": "largeFaceListId"}
ALL = {**GROUPS, **LISTS}
CONTAINERS = pytest.mark.parametrize("kind", ALL)
PERSON_GROUPS = pytest.mark.parametrize("kind", GROUPS)
FACE_LISTS = pytest.mark.parametrize("kind", LISTS)
TRAINABLE = pytest.mark.parametrize("kind", TRAINED)
VERSIONS = ("v1.0", "v1.1-preview.1", "v1.2-preview.1", "v1.2", "v1.3-preview.1")
MODEL = {"recognitionModel": "recognition_04"}


@pytest.fixture
def make(azure):
    """Makes a container with an id of its own; its path."""
    made = []

    def new(kind, **body):
        made.append(f"/{kind}/{uuid.uuid4().hex[:12]}")
        azure.ok("PUT", made[-1], json={"name": "N", **MODEL, **body})
        return made[-1]

    yield new
    for path in made:
        azure.send("DELETE", path)


# ---------------------------------------------------------------------- detect


def test_detect_answers_faces_largest_first(azure, photo_of):
    query = {"returnRecognitionModel": "true", **MODEL}
    found = azure.ok("POST", "/detect", params=query, content=photo_of.several(1, 2))
    assert len(found) == 2
    assert UUID.fullmatch(found[0]["faceId"])
    assert found[0]["recognitionModel"] == "recognition_04"
    assert found[0]["faceRectangle"] == {"top": 30, "left": 20, "width": 140, "height": 140}
    assert found[1]["faceRectangle"] == {"top": 30, "left": 190, "width": 130, "height": 130}


def test_detect_without_a_face_answers_an_empty_list(azure, photo_of):
    assert azure.ok("POST", "/detect", content=photo_of.nobody()) == []


def test_detect_without_face_ids_keeps_nothing(azure, photo_of):
    (found,) = azure.ok(
        "POST", "/detect", params={"returnFaceId": "false"}, content=photo_of.one(1)
    )
    assert set(found) == {"faceRectangle"}


def test_the_recognition_model_is_told_with_a_face_id_only(azure, photo_of):
    query = {"returnFaceId": "false", "returnRecognitionModel": "true"}
    (found,) = azure.ok("POST", "/detect", params=query, content=photo_of.one(1))
    assert set(found) == {"faceRectangle"}


@pytest.mark.parametrize("version", VERSIONS)
def test_detect_under_every_version(azure, photo_of, version):
    base = str(azure.client.base_url).replace("/v1.2/", f"/{version}/")
    headers = {"Content-Type": "application/octet-stream"}
    answer = azure.client.post(f"{base}detect", content=photo_of.one(1), headers=headers)
    assert (answer.status_code, len(answer.json())) == (200, 1)


def test_detect_at_the_root_for_clients_that_drop_the_path(azure, photo_of):
    root = str(azure.client.base_url).replace("/azure/", "/")
    headers = {"Content-Type": "application/octet-stream"}
    answer = azure.client.post(f"{root}detect", content=photo_of.one(1), headers=headers)
    assert (answer.status_code, len(answer.json())) == (200, 1)
    assert answer.headers["apim-request-id"]


def test_detect_takes_a_body_in_chunks(azure, photo_of):
    photo = photo_of.one(1)
    parts = (photo[i : i + 1000] for i in range(0, len(photo), 1000))
    headers = {"Content-Type": "application/octet-stream"}
    answer = azure.client.post("/detect", content=parts, headers=headers)
    assert answer.request.headers["Transfer-Encoding"] == "chunked"
    assert len(answer.json()) == 1


def test_detect_by_url(azure, photo_of, photo_server):
    assert len(azure.ok("POST", "/detect", json={"url": photo_server(photo_of.one(1))})) == 1


def test_detect_answers_the_attributes_that_are_asked_for(azure, photo_of):
    query = {
        "detectionModel": "detection_01",
        "returnFaceAttributes": "Blur,exposure,noise,qualityForRecognition",
        **MODEL,
    }
    (found,) = azure.ok("POST", "/detect", params=query, content=photo_of.one(1))
    told = found["faceAttributes"]
    assert set(told["blur"]) == {"blurLevel", "value"}
    assert told["blur"]["blurLevel"] in ("low", "medium", "high")
    assert told["exposure"]["exposureLevel"] in ("underExposure", "goodExposure", "overExposure")
    assert told["noise"]["noiseLevel"] in ("low", "medium", "high")
    assert told["qualityForRecognition"] in ("low", "medium", "high")
    assert 0 <= told["noise"]["value"] <= 1


# ---------------------------------------------------------------------- recognition


def test_verify_two_faces(azure):
    one, again, other = azure.detect(1), azure.detect(1), azure.detect(2)
    same = azure.ok("POST", "/verify", json={"faceId1": one, "faceId2": again})
    assert same["isIdentical"] is True
    assert same["confidence"] > 0.9
    different = azure.ok("POST", "/verify", json={"faceId1": one, "faceId2": other})
    assert different["isIdentical"] is False
    assert different["confidence"] < 0.5


@PERSON_GROUPS
def test_verify_a_face_and_a_person(azure, make, kind):
    path = make(kind)
    person = azure.person(path, 1)
    for identity, same in ((1, True), (2, False)):
        body = {
            "faceId": azure.detect(identity),
            "personId": person,
            GROUPS[kind]: path.split("/")[2],
        }
        assert azure.ok("POST", "/verify", json=body)["isIdentical"] is same


@PERSON_GROUPS
def test_identify_ranks_candidates_and_gives_a_stranger_none(azure, make, kind):
    path = make(kind)
    persons = [azure.person(path, one, f"person {one}") for one in (1, 2, 3)]
    azure.ok("POST", f"{path}/train", status=202)
    ids = [azure.detect(one) for one in (2, 9)]
    body = {"faceIds": ids, GROUPS[kind]: path.split("/")[2]}
    known, stranger = azure.ok("POST", "/identify", json=body)
    assert known["faceId"] == ids[0]
    assert [one["personId"] for one in known["candidates"]] == [persons[1]]
    assert known["candidates"][0]["confidence"] > 0.9
    assert stranger == {"faceId": ids[1], "candidates": []}
    everybody = {**body, "confidenceThreshold": 0, "maxNumOfCandidatesReturned": 2}
    ranked = azure.ok("POST", "/identify", json=everybody)[0]["candidates"]
    assert len(ranked) == 2
    assert ranked[0]["confidence"] >= ranked[1]["confidence"]


def test_identify_answers_each_face_id_that_is_asked(azure, make):
    path = make("persongroups")
    azure.person(path, 1)
    azure.ok("POST", f"{path}/train", status=202)
    one, other = azure.detect(1), azure.detect(2)
    body = {"faceIds": [one, other, one], "personGroupId": path.split("/")[2]}
    found = azure.ok("POST", "/identify", json=body)
    assert [each["faceId"] for each in found] == [one, other, one]
    assert found[0] == found[2]


def test_find_similar_among_faces(azure):
    one, same, other = azure.detect(1), azure.detect(1), azure.detect(2)
    body = {"faceId": one, "faceIds": [other, same]}
    found = azure.ok("POST", "/findsimilars", json=body)
    assert [each["faceId"] for each in found] == [same]
    found = azure.ok("POST", "/findsimilars", json={**body, "mode": "matchFace"})
    assert [each["faceId"] for each in found] == [same, other]
    assert found[0]["confidence"] > found[1]["confidence"]


@FACE_LISTS
def test_find_similar_in_a_list(azure, make, photo_of, kind):
    path = make(kind)
    ids = [
        azure.ok("POST", f"{path}/persistedfaces", content=photo_of.one(one))["persistedFaceId"]
        for one in (1, 2)
    ]
    if kind in TRAINED:
        azure.ok("POST", f"{path}/train", status=202)
    body = {"faceId": azure.detect(2), LISTS[kind]: path.split("/")[2]}
    (found,) = azure.ok("POST", "/findsimilars", json=body)
    assert found["persistedFaceId"] == ids[1]
    assert found["confidence"] > 0.9
    loose = {**body, "mode": "matchFace", "maxNumOfCandidatesReturned": 1}
    assert len(azure.ok("POST", "/findsimilars", json=loose)) == 1


def test_group_sorts_faces_by_person(azure):
    first, second = ([azure.detect(one) for _ in range(count)] for one, count in ((1, 3), (2, 2)))
    third = azure.detect(3)
    found = azure.ok("POST", "/group", json={"faceIds": [third, *second, *first]})
    assert [set(one) for one in found["groups"]] == [set(first), set(second)]
    assert found["messyGroup"] == [third]


# ---------------------------------------------------------------------- containers


@CONTAINERS
def test_a_container_from_making_to_deleting(azure, kind):
    path = f"/{kind}/c-{kind}_1"
    answer = azure.send("PUT", path, json={"name": "Gym", "userData": "x", **MODEL})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == "0"
    shown = azure.ok("GET", path)
    assert shown.pop("persistedFaces", None) == ([] if kind == "facelists" else None)
    assert shown == {ALL[kind]: f"c-{kind}_1", "name": "Gym", "userData": "x"}
    told = azure.ok("GET", path, params={"returnRecognitionModel": "true"})
    assert told["recognitionModel"] == "recognition_04"
    answer = azure.send("PATCH", path, json={"name": "Club"})
    assert (answer.status_code, answer.content) == (200, b"")
    changed = azure.ok("GET", path)
    assert (changed["name"], changed["userData"]) == ("Club", "x")
    assert any(one[ALL[kind]] == f"c-{kind}_1" for one in azure.ok("GET", f"/{kind}"))
    answer = azure.send("DELETE", path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert azure.send("GET", path).status_code == 404


@CONTAINERS
def test_the_default_recognition_model_is_the_first(azure, kind):
    path = f"/{kind}/default"
    azure.ok("PUT", path, json={"name": "N"})
    told = azure.ok("GET", path, params={"returnRecognitionModel": "TRUE"})
    assert told["recognitionModel"] == "recognition_01"
    azure.ok("DELETE", path)


@pytest.mark.parametrize("kind", [one for one in ALL if one != "facelists"])
def test_lists_are_paged_by_id(azure, kind):
    ids = [f"page-{i}" for i in range(5)]
    for one in reversed(ids):
        azure.ok("PUT", f"/{kind}/{one}", json={"name": "N", **MODEL})
    first = azure.ok("GET", f"/{kind}", params={"start": "page-", "top": 2})
    assert [one[ALL[kind]] for one in first] == ids[:2]
    rest = azure.ok("GET", f"/{kind}", params={"start": ids[1], "returnRecognitionModel": "true"})
    assert [one[ALL[kind]] for one in rest] == ids[2:]
    assert rest[0]["recognitionModel"] == "recognition_04"
    for one in ids:
        azure.ok("DELETE", f"/{kind}/{one}")


@TRAINABLE
def test_training_is_polled_at_an_absolute_address(azure, make, kind):
    path = make(kind)
    answer = azure.send("POST", f"{path}/train")
    assert (answer.status_code, answer.content) == (202, b"")
    assert answer.headers["retry-after"] == "1"
    where = answer.headers["operation-location"]
    assert where == f"{azure.client.base_url}{path[1:]}/training"
    polled = azure.client.get(where)
    assert polled.headers["retry-after"] == "1"
    told = polled.json()
    assert told["status"] == "succeeded"
    for name in ("createdDateTime", "lastActionDateTime", "lastSuccessfulTrainingDateTime"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", told[name])


# ---------------------------------------------------------------------- persons


@PERSON_GROUPS
def test_a_person_from_making_to_deleting(azure, make, kind):
    path = make(kind)
    one = azure.ok("POST", f"{path}/persons", json={"name": "Ann", "userData": "u"})["personId"]
    assert UUID.fullmatch(one)
    person = {"personId": one, "name": "Ann", "userData": "u", "persistedFaceIds": []}
    assert azure.ok("GET", f"{path}/persons/{one}") == person
    azure.ok("PATCH", f"{path}/persons/{one}", json={"userData": "v"})
    assert azure.ok("GET", f"{path}/persons/{one}")["userData"] == "v"
    azure.ok("PATCH", f"{path}/persons/{one}", json={"name": "Anna"})
    assert azure.ok("GET", f"{path}/persons/{one}")["name"] == "Anna"
    assert azure.send("DELETE", f"{path}/persons/{one}").content == b""
    assert azure.send("GET", f"{path}/persons/{one}").status_code == 404


@PERSON_GROUPS
def test_persons_are_paged_by_id(azure, make, kind):
    path = make(kind)
    ids = sorted(
        azure.ok("POST", f"{path}/persons", json={"name": f"p{i}"})["personId"] for i in range(5)
    )
    first = azure.ok("GET", f"{path}/persons", params={"top": 3})
    assert [one["personId"] for one in first] == ids[:3]
    rest = azure.ok("GET", f"{path}/persons", params={"start": ids[2]})
    assert [one["personId"] for one in rest] == ids[3:]


@PERSON_GROUPS
def test_names_may_repeat_and_hold_anything(azure, make, kind):
    path = make(kind)
    names = ["Ann", "Ann", "김민준", " two\nlines ", "f" * 32, "x" * 128, "ö" * 128]
    ids = [azure.ok("POST", f"{path}/persons", json={"name": one})["personId"] for one in names]
    assert [azure.ok("GET", f"{path}/persons/{one}")["name"] for one in ids] == names
    azure.ok("PATCH", f"{path}/persons/{ids[2]}", json={"name": "Ann"})
    azure.ok("PATCH", f"{path}/persons/{ids[1]}", json={"name": "Bea"})
    shown = [azure.ok("GET", f"{path}/persons/{one}")["name"] for one in ids[:3]]
    assert shown == ["Ann", "Bea", "Ann"]
    group = f"azure.{kind[:-1]}.{path.split('/')[2]}"
    assert {one.name for one in azure.gallery.persons(group)} >= {"Ann", "Bea"}


@PERSON_GROUPS
def test_a_face_of_a_person_from_adding_to_deleting(azure, make, photo_of, kind):
    path = make(kind)
    person = azure.person(path, 1)
    persons = f"{path}/persons/{person}"
    query = {"userData": "left", "detectionModel": "detection_03", "targetFace": "190,30,130,130"}
    one = azure.ok(
        "POST", f"{persons}/persistedfaces", params=query, content=photo_of.several(1, 2)
    )["persistedFaceId"]
    face = {"persistedFaceId": one, "userData": "left"}
    assert azure.ok("GET", f"{persons}/persistedfaces/{one}") == face
    assert azure.ok("GET", persons)["persistedFaceIds"][1] == one
    azure.ok("PATCH", f"{persons}/persistedfaces/{one}", json={"userData": "right"})
    assert azure.ok("GET", f"{persons}/persistedfaces/{one}")["userData"] == "right"
    assert azure.send("DELETE", f"{persons}/persistedfaces/{one}").content == b""
    assert azure.send("GET", f"{persons}/persistedfaces/{one}").status_code == 404
    assert len(azure.ok("GET", persons)["persistedFaceIds"]) == 1


def test_the_target_face_is_the_one_that_is_kept(azure, make, photo_of):
    path = make("persongroups")
    person = azure.ok("POST", f"{path}/persons", json={"name": "Bob"})["personId"]
    query = {"targetFace": "190,30,130,130"}
    faces = f"{path}/persons/{person}/persistedfaces"
    azure.ok("POST", faces, params=query, content=photo_of.several(1, 2))
    body = {"personId": person, "personGroupId": path.split("/")[2]}
    verified = [
        azure.ok("POST", "/verify", json={"faceId": azure.detect(one), **body})["isIdentical"]
        for one in (1, 2)
    ]
    assert verified == [False, True]


def test_the_same_photo_may_be_added_twice(azure, make, photo_of):
    path = make("persongroups")
    person = azure.person(path, 1)
    faces = f"{path}/persons/{person}/persistedfaces"
    again = azure.ok("POST", faces, content=photo_of.one(1))["persistedFaceId"]
    shown = azure.ok("GET", f"{path}/persons/{person}")["persistedFaceIds"]
    assert len(shown) == 2
    assert again in shown


# ---------------------------------------------------------------------- face lists


@FACE_LISTS
def test_a_face_of_a_list_from_adding_to_deleting(azure, make, photo_of, kind):
    path = make(kind)
    faces = f"{path}/persistedfaces"
    one = azure.ok("POST", faces, params={"userData": "u"}, content=photo_of.one(1))
    assert set(one) == {"persistedFaceId"}
    face_id = one["persistedFaceId"]
    if kind == "facelists":
        shown = azure.ok("GET", path)["persistedFaces"]
    else:
        shown = azure.ok("GET", faces)
        azure.ok("PATCH", f"{faces}/{face_id}", json={"userData": "v"})
        assert azure.ok("GET", f"{faces}/{face_id}")["userData"] == "v"
    assert shown == [{"persistedFaceId": face_id, "userData": "u"}]
    assert azure.send("DELETE", f"{faces}/{face_id}").content == b""
    assert azure.send("DELETE", f"{faces}/{face_id}").status_code == 404
    assert azure.gallery.group(f"azure.{kind[:-1]}.{path.split('/')[2]}").persons == 0


def test_faces_of_a_large_list_are_paged_by_id(azure, make, photo_of):
    faces = f"{make('largefacelists')}/persistedfaces"
    ids = [
        azure.ok("POST", faces, content=photo_of.one(one))["persistedFaceId"] for one in (1, 2, 3)
    ]
    assert ids == sorted(ids)
    assert [one["persistedFaceId"] for one in azure.ok("GET", faces, params={"top": 2})] == ids[:2]
    rest = azure.ok("GET", faces, params={"start": ids[0]})
    assert [one["persistedFaceId"] for one in rest] == ids[1:]


# ---------------------------------------------------------------------- training decides


@TRAINABLE
def test_what_was_added_after_training_is_found_after_the_next(azure, make, photo_of, kind):
    path = make(kind)

    def add(identity):
        if kind in GROUPS:
            azure.person(path, identity, f"p{identity}")
        else:
            azure.ok("POST", f"{path}/persistedfaces", content=photo_of.one(identity))

    def finds(identity):
        one, face = path.split("/")[2], azure.detect(identity)
        if kind in GROUPS:
            body = {"faceIds": [face], TRAINED[kind]: one}
            return bool(azure.ok("POST", "/identify", json=body)[0]["candidates"])
        return bool(azure.ok("POST", "/findsimilars", json={"faceId": face, TRAINED[kind]: one}))

    add(1)
    azure.ok("POST", f"{path}/train", status=202)
    add(2)
    assert (finds(1), finds(2)) == (True, False)
    azure.ok("POST", f"{path}/train", status=202)
    assert (finds(1), finds(2)) == (True, True)


def test_those_who_came_after_training_hide_nobody(azure, make, photo_of):
    """More of them than are fetched at first, and all of them more alike."""
    path = make("largefacelists")
    faces, group = f"{path}/persistedfaces", f"azure.largefacelist.{path.split('/')[2]}"
    exact = azure.ok("POST", faces, content=photo_of.one(1))["persistedFaceId"].replace("-", "")
    person = azure.gallery.face(group, exact).person_id
    _, alike = azure.gallery.embeddings(group, person)
    azure.ok("DELETE", f"{faces}/{exact}")
    less = alike.vector + 0.02 * np.random.default_rng(7).normal(size=alike.vector.shape)
    less = (less / np.linalg.norm(less)).astype(np.float32)
    contract = azure.gallery.group(group).contract
    (old,) = azure.gallery.add_faces(group, None, replace(alike, vector=less), contract=contract)
    azure.ok("POST", f"{path}/train", status=202)
    azure.gallery.add_faces(group, None, alike.take([0] * 50), contract=contract)
    body = {"faceId": azure.detect(1), "largeFaceListId": path.split("/")[2]}
    for mode in ("matchPerson", "matchFace"):
        asked = {**body, "mode": mode, "maxNumOfCandidatesReturned": 2}
        found = azure.ok("POST", "/findsimilars", json=asked)
        assert [one["persistedFaceId"].replace("-", "") for one in found] == [old.id]


def test_a_deleted_person_is_not_found_from_that_moment(azure, make):
    path = make("persongroups")
    person = azure.person(path, 1)
    azure.ok("POST", f"{path}/train", status=202)
    body = {"faceIds": [azure.detect(1)], "personGroupId": path.split("/")[2]}
    assert azure.ok("POST", "/identify", json=body)[0]["candidates"]
    azure.ok("DELETE", f"{path}/persons/{person}")
    assert azure.ok("POST", "/identify", json=body)[0]["candidates"] == []


# ---------------------------------------------------------------------- directory


@pytest.fixture
def directory(azure, photo_of):
    """Persons of the directory by identity; they are deleted at the end."""
    made = {}

    def add(identity):
        one = azure.ok("POST", "/persons", status=202, json={"name": f"d{identity}"})["personId"]
        faces = f"/persons/{one}/recognitionModels/recognition_04/persistedfaces"
        azure.ok("POST", faces, status=202, content=photo_of.one(identity))
        made[identity] = one
        return one

    yield add
    for one in made.values():
        azure.send("DELETE", f"/persons/{one}")


def operation(azure, answer):
    assert answer.status_code == 202, answer.text
    told = azure.client.get(answer.headers["operation-location"])
    assert told.status_code == 200, told.text
    return told.json()


def test_a_person_of_the_directory(azure):
    answer = azure.send("POST", "/persons", json={"name": "Dee", "userData": "u"})
    one = answer.json()["personId"]
    told = operation(azure, answer)
    assert told["status"] == "succeeded"
    assert UUID.fullmatch(told["operationId"])
    assert {"createdTime", "lastActionTime", "finishedTime"} <= set(told)
    person = {"personId": one, "name": "Dee", "userData": "u"}
    assert azure.client.get(answer.headers["location"]).json() == person
    azure.ok("PATCH", f"/persons/{one}", json={"name": "Dea"})
    assert azure.ok("GET", f"/persons/{one}")["name"] == "Dea"
    assert one in [each["personId"] for each in azure.ok("GET", "/persons")]
    assert operation(azure, azure.send("DELETE", f"/persons/{one}"))["status"] == "succeeded"
    assert azure.send("GET", f"/persons/{one}").status_code == 404


def test_persons_of_the_directory_are_paged_by_id(azure, directory):
    ids = sorted(directory(one) for one in (1, 2, 3))
    shown = [one["personId"] for one in azure.ok("GET", "/persons", params={"top": 2})]
    assert shown == ids[:2]
    rest = azure.ok("GET", "/persons", params={"start": ids[1]})
    assert [one["personId"] for one in rest] == ids[2:]


def test_a_face_of_the_directory_belongs_to_its_recognition_model(azure, directory, photo_of):
    one = directory(1)
    other = f"/persons/{one}/recognitionModels/recognition_03/persistedfaces"
    assert azure.ok("GET", other) == {"personId": one, "persistedFaceIds": []}
    faces = f"/persons/{one}/recognitionModels/recognition_04/persistedfaces"
    (first,) = azure.ok("GET", faces)["persistedFaceIds"]
    answer = azure.send("POST", faces, params={"userData": "u"}, content=photo_of.one(1))
    second = answer.json()["persistedFaceId"]
    assert operation(azure, answer)["status"] == "succeeded"
    shown = {"persistedFaceId": second, "userData": "u"}
    assert azure.client.get(answer.headers["location"]).json() == shown
    azure.ok("PATCH", f"{faces}/{second}", json={"userData": "v"})
    assert azure.ok("GET", f"{faces}/{second}")["userData"] == "v"
    assert azure.send("GET", f"{other}/{second}").status_code == 404
    assert operation(azure, azure.send("DELETE", f"{faces}/{second}"))["status"] == "succeeded"
    assert azure.ok("GET", faces)["persistedFaceIds"] == [first]


def test_identify_in_the_directory(azure, directory):
    one, two = directory(1), directory(2)
    face = azure.detect(2)

    def found(scope):
        body = {"faceIds": [face], "personIds": scope}
        answer = azure.ok("POST", "/identify", json=body)
        return [each["personId"] for each in answer[0]["candidates"]]

    assert found(["*"]) == [two]
    assert found([one, two]) == [two]
    assert found([one]) == []


def test_verify_with_the_directory(azure, directory):
    one = directory(1)
    for identity, same in ((1, True), (2, False)):
        body = {"faceId": azure.detect(identity), "personId": one}
        assert azure.ok("POST", "/verify", json=body)["isIdentical"] is same


def test_a_dynamic_person_group(azure, directory):
    one, two = directory(1), directory(2)
    path = "/dynamicpersongroups/team"
    answer = azure.send("PUT", path, json={"name": "Team", "addPersonIds": [one]})
    assert operation(azure, answer)["status"] == "succeeded"
    assert azure.ok("GET", path) == {"dynamicPersonGroupId": "team", "name": "Team"}
    assert azure.ok("GET", f"{path}/persons") == {"personIds": [one]}
    assert azure.send("PATCH", path, json={"userData": "u"}).status_code == 200
    change = {"addPersonIds": [two], "removePersonIds": [one]}
    assert operation(azure, azure.send("PATCH", path, json=change))["status"] == "succeeded"
    assert azure.ok("GET", f"{path}/persons") == {"personIds": [two]}
    shown = azure.ok("GET", "/dynamicpersongroups")
    assert shown == [{"dynamicPersonGroupId": "team", "name": "Team", "userData": "u"}]
    references = f"/persons/{two}/dynamicPersonGroupReferences"
    assert azure.ok("GET", references) == {"dynamicPersonGroupIds": ["team"]}
    body = {"dynamicPersonGroupId": "team"}
    faces = [azure.detect(1), azure.detect(2)]
    found = azure.ok("POST", "/identify", json={**body, "faceIds": faces})
    assert [[each["personId"] for each in face["candidates"]] for face in found] == [[], [two]]
    assert operation(azure, azure.send("DELETE", path))["status"] == "succeeded"
    assert azure.send("GET", path).status_code == 404
    assert azure.ok("GET", f"/persons/{two}")["name"] == "d2"


def test_a_dynamic_person_group_without_persons_answers_200(azure):
    assert azure.send("PUT", "/dynamicpersongroups/empty", json={"name": "E"}).status_code == 200
    assert azure.send("DELETE", "/dynamicpersongroups/empty").status_code == 202
