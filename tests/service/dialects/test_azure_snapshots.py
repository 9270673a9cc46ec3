"""Snapshots of Azure's Face API: copied, applied here and elsewhere, bounded, and forgotten."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa

from mien.gallery.records.schema import passing
from mien.service.dialects.azure import snapshots

KEY = "Ocp-Apim-Subscription-Key"
KINDS = {
    "PersonGroup": ("persongroups", "personGroupId"),
    "LargePersonGroup": ("largepersongroups", "largePersonGroupId"),
    "FaceList": ("facelists", "faceListId"),
    "LargeFaceList": ("largefacelists", "largeFaceListId"),
}
PEOPLE = pytest.mark.parametrize("what", ["PersonGroup", "LargePersonGroup"])
LISTS = pytest.mark.parametrize("what", ["FaceList", "LargeFaceList"])
MODEL = {"recognitionModel": "recognition_04"}
NOBODY = str(uuid.UUID(int=7))


@pytest.fixture
def source(azure):
    """Makes a container; its id."""

    def new(what, **body):
        one = uuid.uuid4().hex[:12]
        azure.ok("PUT", f"/{KINDS[what][0]}/{one}", json={"name": "N", **MODEL, **body})
        return one

    yield new
    for one in azure.ok("GET", "/snapshots"):
        azure.send("DELETE", f"/snapshots/{one['id']}")
    for path, key in KINDS.values():
        for one in azure.ok("GET", f"/{path}"):
            azure.ok("DELETE", f"/{path}/{one[key]}")


@pytest.fixture(scope="module")
def other(azure):
    """A client of another application, and the application's id."""
    azure.gallery.create_application("other")
    _, secret = azure.gallery.create_key("other")
    view = azure.gallery.for_application("other")
    with httpx.Client(base_url=azure.client.base_url, headers={KEY: secret}, timeout=60) as client:
        yield type(azure)(client, view), str(uuid.UUID(view.application_id))


def own(azure):
    return str(uuid.UUID(azure.gallery.application_id))


def made(azure, answer):
    """What an operation made, once it is asked after."""
    assert answer.status_code == 202, answer.text
    operation = uuid.UUID(answer.headers["Operation-Location"].split("/")[2])
    status = azure.ok("GET", f"/operations/{operation}")
    assert status["status"] == "succeeded"
    return status["resourceLocation"]


def take(azure, what, one, *scope, **body):
    body = {"type": what, "objectId": one, "applyScope": list(scope) or [own(azure)], **body}
    return made(azure, azure.send("POST", "/snapshots", json=body))


def apply(azure, snapshot, target):
    return made(azure, azure.send("POST", f"{snapshot}/apply", json={"objectId": target}))


def code(answer):
    return answer.status_code, answer.json()["error"]["code"]


def named(azure, group):
    return {one["name"]: one for one in azure.ok("GET", f"{group}/persons")}


@PEOPLE
def test_a_copy_of_a_person_group_answers_as_the_original_did(azure, source, what):
    one, (path, key) = source(what, userData="mine"), KINDS[what]
    for identity in (1, 2):
        azure.person(f"/{path}/{one}", identity, "Ann")  # a name that repeats
    azure.ok("POST", f"/{path}/{one}/train", status=202)
    azure.person(f"/{path}/{one}", 3, "late")  # not trained
    copy = apply(azure, take(azure, what, one), "copy")
    assert copy == f"/{path}/copy"
    shown = azure.ok("GET", copy, params={"returnRecognitionModel": "true"})
    assert shown == {key: "copy", "name": "N", "userData": "mine", **MODEL}
    persons = azure.ok("GET", f"{copy}/persons")
    assert sorted(person["name"] for person in persons) == ["Ann", "Ann", "late"]
    assert all(len(person["persistedFaceIds"]) == 1 for person in persons)
    ids = [azure.detect(identity) for identity in (2, 3)]
    known, late = azure.ok("POST", "/identify", json={"faceIds": ids, key: "copy"})
    (found,) = known["candidates"]
    assert found["personId"] in {person["personId"] for person in persons}
    assert late["candidates"] == []
    azure.ok("POST", f"{copy}/train", status=202)
    assert azure.ok("POST", "/identify", json={"faceIds": ids[1:], key: "copy"})[0]["candidates"]


@LISTS
def test_a_copy_of_a_list_finds_the_same_faces(azure, source, photo_of, what):
    one, (path, key) = source(what), KINDS[what]
    faces = f"/{path}/{one}/persistedfaces"
    azure.ok("POST", faces, params={"userData": "u"}, content=photo_of.one(1))
    if what == "LargeFaceList":
        azure.ok("POST", f"/{path}/{one}/train", status=202)
    snapshot = take(azure, what, one)
    azure.ok("DELETE", f"/{path}/{one}")
    apply(azure, snapshot, "copy")
    apply(azure, snapshot, "again")
    for target in ("copy", "again"):
        body = {"faceId": azure.detect(1), key: target}
        assert len(azure.ok("POST", "/findsimilars", json=body)) == 1


def test_a_group_that_was_never_trained_is_copied_so(azure, source):
    copy = apply(azure, take(azure, "PersonGroup", source("PersonGroup")), "copy")
    assert code(azure.send("GET", f"{copy}/training")) == (404, "PersonGroupNotTrained")


def test_another_application_of_the_scope_applies_it(azure, other, source):
    client, account = other
    one = source("PersonGroup")
    azure.person(f"/persongroups/{one}", 1)
    snapshot = take(azure, "PersonGroup", one, account, userData="mine")
    for asker in (azure, client):
        shown = asker.ok("GET", snapshot)
        assert shown == asker.ok("GET", "/snapshots")[0]
        assert (shown["account"], shown["applyScope"]) == (own(azure), [account])
        assert (shown["type"], shown["userData"]) == ("PersonGroup", "mine")
    assert code(azure.send("POST", f"{snapshot}/apply", json={"objectId": "x"})) == (403, "403")
    copy = apply(client, snapshot, "copy")
    assert list(named(client, copy)) == ["Ann"]
    for method in ("PATCH", "DELETE"):
        refused = client.send(
            method, snapshot, **({"json": {"userData": "no"}} if method == "PATCH" else {})
        )
        assert code(refused) == (404, "SnapshotNotFound")
    azure.ok("PATCH", snapshot, json={"applyScope": [own(azure)]})
    assert client.ok("GET", "/snapshots") == []
    assert code(client.send("GET", snapshot)) == (404, "SnapshotNotFound")
    refused = client.send("POST", f"{snapshot}/apply", json={"objectId": "y"})
    assert code(refused) == (404, "SnapshotNotFound")
    client.ok("DELETE", copy)


def test_a_stranger_sees_nothing(azure, other, source):
    snapshot = take(azure, "PersonGroup", source("PersonGroup"), NOBODY)
    assert other[0].ok("GET", "/snapshots") == []
    assert code(other[0].send("GET", snapshot)) == (404, "SnapshotNotFound")


def test_who_was_erased_since_does_not_come_back_anywhere(azure, other, source):
    one = source("PersonGroup")
    group = f"/persongroups/{one}"
    erased = azure.person(group, 1, "Ann")
    azure.person(group, 2, "Bea")
    snapshot = take(azure, "PersonGroup", one, own(azure), other[1])
    azure.gallery.privacy.erase(f"azure.persongroup.{one}", uuid.UUID(erased).hex)
    for client in (azure, other[0]):
        copy = apply(client, snapshot, "copy")
        assert list(named(client, copy)) == ["Bea"]
    other[0].ok("DELETE", "/persongroups/copy")


def test_update_list_and_delete(azure, source):
    first = take(azure, "PersonGroup", source("PersonGroup"), NOBODY)
    second = take(azure, "FaceList", source("FaceList"))
    ids = [path.split("/")[2] for path in (first, second)]
    before = azure.ok("GET", first)
    azure.ok("PATCH", first, json={"userData": "new"})
    after = azure.ok("GET", first)
    assert (after["userData"], after["applyScope"]) == ("new", [NOBODY])
    assert after["lastUpdateTime"] > before["lastUpdateTime"] == before["createdTime"]

    def listed(**query):
        return [one["id"] for one in azure.ok("GET", "/snapshots", params=query)]

    assert listed() == ids
    assert listed(type="FaceList") == ids[1:]
    assert listed(applyScope=NOBODY) == ids[:1]
    assert listed(applyScope=f"{NOBODY},{own(azure)}") == ids
    azure.ok("DELETE", first)
    assert listed() == ids[1:]
    assert code(azure.send("GET", first)) == (404, "SnapshotNotFound")
    assert code(azure.send("DELETE", first)) == (404, "SnapshotNotFound")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"type": None}, (400, "BadArgument")),
        ({"type": "Person"}, (400, "BadArgument")),
        ({"type": ["FaceList"]}, (400, "BadArgument")),
        ({"objectId": None}, (400, "BadArgument")),
        ({"objectId": "Not/One"}, (400, "BadArgument")),
        ({"objectId": "nothing"}, (404, "PersonGroupNotFound")),
        ({"applyScope": None}, (400, "BadArgument")),
        ({"applyScope": []}, (400, "BadArgument")),
        ({"applyScope": ["x"]}, (400, "BadArgument")),
        ({"applyScope": [NOBODY] * 65}, (400, "BadArgument")),
        ({"userData": "x" * (16 * 1024 + 1)}, (400, "BadArgument")),
        ({"userData": 1}, (400, "BadArgument")),
    ],
)
def test_what_cannot_be_taken(azure, source, change, expected):
    body = {"type": "PersonGroup", "objectId": source("PersonGroup"), "applyScope": [NOBODY]}
    assert code(azure.send("POST", "/snapshots", json={**body, **change})) == expected
    assert azure.ok("GET", "/snapshots") == []


def test_what_cannot_be_applied_or_changed(azure, source):
    one = source("PersonGroup")
    snapshot = take(azure, "PersonGroup", one)
    for body, expected in (
        ({"objectId": one}, (409, "PersonGroupExists")),
        ({"objectId": "A B"}, (400, "BadArgument")),
        ({}, (400, "BadArgument")),
        ({"objectId": "x", "mode": "Overwrite"}, (400, "BadArgument")),
    ):
        assert code(azure.send("POST", f"{snapshot}/apply", json=body)) == expected
    gone = f"/snapshots/{NOBODY}/apply"
    assert code(azure.send("POST", gone, json={"objectId": "x"})) == (404, "SnapshotNotFound")
    assert code(azure.send("PATCH", snapshot, json={})) == (400, "BadArgument")
    assert code(azure.send("GET", "/snapshots/x")) == (400, "BadArgument")
    assert code(azure.send("GET", "/snapshots", params={"type": "x"})) == (400, "BadArgument")
    assert [each["personGroupId"] for each in azure.ok("GET", "/persongroups")] == [one]


def test_after_its_time_a_snapshot_is_gone(azure, source, monkeypatch):
    one = source("PersonGroup")
    monkeypatch.setattr(snapshots, "KEPT", timedelta(seconds=-1))
    snapshot = take(azure, "PersonGroup", one)
    assert code(azure.send("GET", snapshot)) == (404, "SnapshotNotFound")
    assert azure.gallery.annex.notes(snapshots.SPACE)
    assert azure.ok("GET", "/snapshots") == []
    assert azure.gallery.annex.notes(snapshots.SPACE) == []


def test_it_is_kept_for_48_hours(azure, source):
    take(azure, "PersonGroup", source("PersonGroup"))
    (note,) = azure.gallery.annex.notes(snapshots.SPACE)
    facts = json.loads(note.document)
    times = [snapshots.datetime.fromisoformat(facts[name]) for name in ("created", "expires")]
    assert times[1] - times[0] == timedelta(hours=48)


def test_how_many_and_how_large(start_service, tmp_path):
    with start_service(tmp_path, azure_snapshots=2, azure_snapshot_bytes=4096) as (azure, _, _):
        for one in ("small", "large"):
            azure.ok("PUT", f"/persongroups/{one}", json={"name": "N", **MODEL})
        azure.ok("POST", "/persongroups/large/persons", json={"name": "P", "userData": "x" * 8192})
        body = {"type": "PersonGroup", "objectId": "large", "applyScope": [NOBODY]}
        assert code(azure.send("POST", "/snapshots", json=body)) == (403, "QuotaExceeded")
        first = take(azure, "PersonGroup", "small")
        take(azure, "PersonGroup", "small")
        body["objectId"] = "small"
        assert code(azure.send("POST", "/snapshots", json=body)) == (403, "QuotaExceeded")
        azure.ok("DELETE", first)
        take(azure, "PersonGroup", "small")


def test_what_is_stored_is_sealed(azure):
    azure.ok("PUT", "/persongroups/sealed", json={"name": "N", **MODEL})
    for _ in range(2):  # the second one's name is kept beside the group
        azure.ok("POST", "/persongroups/sealed/persons", json={"name": "Repeated"})
    path = take(azure, "PersonGroup", "sealed")
    one = path.rpartition("/")[2].replace("-", "")
    with azure.gallery._database.reading() as connection:
        query = sa.select(passing.c.sealed).where(passing.c.id == one)
        stored = bytes(connection.execute(query).scalar_one())
    azure.ok("DELETE", path)
    assert len(stored) > 300
    for inside in (b"Repeated", b"azure.persongroup", b"manifest"):
        assert inside not in stored


def test_the_calls_of_azure_cognitiveservices_vision_face(azure, source):
    face = pytest.importorskip("azure.cognitiveservices.vision.face")
    from msrest.authentication import CognitiveServicesCredentials

    one = source("PersonGroup")
    azure.person(f"/persongroups/{one}", 1)
    address = str(azure.client.base_url).partition("/face/")[0]
    credentials = CognitiveServicesCredentials(azure.client.headers[KEY])
    with face.FaceClient(address, credentials) as client:
        taken = client.snapshot.take("PersonGroup", one, [own(azure)], user_data="u", raw=True)
        operation = taken.headers["Operation-Location"].removeprefix("/operations/")
        status = client.snapshot.get_operation_status(operation)
        snapshot = status.resource_location.removeprefix("/snapshots/")
        assert client.snapshot.get(snapshot).user_data == "u"
        client.snapshot.update(snapshot, user_data="v")
        (listed,) = client.snapshot.list(type="PersonGroup", apply_scope=[own(azure)])
        assert (listed.id, listed.user_data) == (snapshot, "v")
        applied = client.snapshot.apply(snapshot, "copy", raw=True)
        operation = applied.headers["Operation-Location"].removeprefix("/operations/")
        status = client.snapshot.get_operation_status(operation)
        assert status.status == "succeeded"
        assert status.resource_location == "/persongroups/copy"
        assert [person.name for person in client.person_group_person.list("copy")] == ["Ann"]
        client.snapshot.delete(snapshot)
        with pytest.raises(face.models.APIErrorException):
            client.snapshot.get(snapshot)
