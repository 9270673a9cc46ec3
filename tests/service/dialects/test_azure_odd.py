"""Odd requests to every operation: never a 5xx, and always the API's own shape."""

from __future__ import annotations

import json
import threading
import uuid

import pytest

from mien.service.dialects.azure import router
from mien.service.dialects.azure.description import document

OPERATIONS = [
    (method, path.removeprefix("/azure/face/{version}"), operation)
    for path, methods in document(router().routes)["paths"].items()
    for method, operation in methods.items()
]
VALUES = [
    None,
    True,
    -1,
    2**70,
    1e308,
    "",
    "x" * 70_000,
    "\x00",
    "\ud800",
    [],
    [None],
    [[]],
    ["*", "*"],
    {},
    {"": {}},
    str(uuid.UUID(int=1)),
]
BODIES = [b"", b"null", b"[]", b'"x"', b"{" * 300, b"\xff\xfe", b'{"name": NaN}', b'{"name"']
PARTS = ["x", "..", "%00", "%2e%2e%2f", "ä", "' or 1=1 --", "0" * 32, "a" * 3000]


def fine(answer):
    """No 5xx; an error has the API's shape."""
    assert answer.status_code < 500, (answer.request.url, answer.text)
    if answer.status_code >= 400:
        assert set(answer.json()) == {"error"}, answer.text
        assert set(answer.json()["error"]) == {"code", "message"}


def at(path, value="here"):
    for name in ("container", "person", "face", "operation", "session", "image", "model"):
        path = path.replace("{" + name + "}", value)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "path", "operation"), OPERATIONS, ids=[f"{m}-{p}" for m, p, _ in OPERATIONS]
)
def test_odd_requests_are_refused_and_nothing_breaks(azure, method, path, operation):
    url = at(path, str(uuid.UUID(int=1))) if "{person}" in path else at(path)
    for part in PARTS:
        if "{" in path:
            fine(azure.send(method, at(path, part)))
    for parameter in operation["parameters"]:
        if parameter["in"] == "query":
            for value in ("", "x" * 100, "-1", "ä", "1,2,3,99999999999"):
                fine(azure.send(method, url, params={parameter["name"]: value}))
    content = operation.get("requestBody", {}).get("content", {})
    for kind in (*content, "multipart/form-data; boundary=x"):
        for body in BODIES:
            fine(azure.send(method, url, content=body, headers={"Content-Type": kind}))
    members = content.get("application/json", {}).get("schema", {}).get("properties", {})
    for name in members:
        for value in VALUES:
            body = json.dumps({"name": "N", name: value}).encode()
            headers = {"Content-Type": "application/json"}
            fine(azure.send(method, url, content=body, headers=headers))


# ---------------------------------------------------------------------- other spellings


@pytest.fixture(scope="module")
def root(azure):
    """The server's address."""
    return str(azure.client.base_url).partition("/azure")[0]


@pytest.mark.parametrize(
    "path",
    [
        "/azure/face/v1.0/Detect",
        "/azure/Face/v1.0/detect/",
        "/azure//face/v1.2-preview.1//detect",
        "/face/V1.0/DETECT//",
    ],
)
def test_a_path_may_be_spelled_otherwise(azure, root, photo_of, path):
    query = {"RECOGNITIONMODEL": "Recognition_04", "returnrecognitionmodel": "True"}
    (found,) = azure.ok("POST", root + path, params=query, content=photo_of.one(1))
    assert found["recognitionModel"] == "recognition_04"


def test_a_person_under_other_spellings(azure, photo_of):
    body = {"Name": "N", "USERDATA": "u", "recognitionmodel": "RECOGNITION_03"}
    azure.ok("PUT", "/PersonGroups/other", json=body)
    query = {"ReturnRecognitionModel": "true"}
    shown = azure.ok("GET", "/personGroups/other/", params=query)
    assert shown == {
        "personGroupId": "other",
        "name": "N",
        "userData": "u",
        "recognitionModel": "recognition_03",
    }
    one = azure.ok("POST", "/persongroups/other/Persons/", json={"name": "A"})["personId"]
    faces = f"/persongroups/other/persons/{one.upper()}/persistedFaces"
    face = azure.ok("POST", faces, content=photo_of.one(1))["persistedFaceId"]
    assert azure.ok("GET", f"{faces}/{face}") == {"persistedFaceId": face}
    answer = azure.send("POST", "/personGroups/other/Train")
    where = answer.headers["operation-location"]
    assert where == f"{azure.client.base_url}persongroups/other/training"
    assert azure.ok("GET", where)["status"] == "succeeded"
    assert code(azure.send("GET", "/persongroups/OTHER")) == (400, "BadArgument")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/detect"),
        ("OPTIONS", "/detect"),
        ("TRACE", "/detect"),
        ("DELETE", "/Detect/"),
        ("GET", "/persongroups/a/b/c"),
        ("GET", "/azure/openapi"),
    ],
)
def test_what_is_not_there_is_told_in_the_apis_shape(azure, method, path):
    answer = azure.send(method, path)
    assert code(answer) == (404, "ResourceNotFound")
    assert uuid.UUID(answer.headers["apim-request-id"])
    assert azure.send("HEAD", path).status_code == 404


def test_options_may_come_several_times(azure, photo_of):
    query = [("returnFaceAttributes", "blur"), ("returnFaceAttributes", "noise,exposure")]
    (found,) = azure.ok("POST", "/detect", params=query, content=photo_of.one(1))
    assert set(found["faceAttributes"]) == {"blur", "noise", "exposure"}
    answer = azure.send("GET", "/persongroups", params=[("top", "1"), ("top", "2")])
    assert code(answer) == (400, "BadArgument")


def test_user_data_may_be_json(azure):
    data = json.dumps([{"id": [i]} for i in range(200)])
    azure.ok("PUT", "/facelists/json", json={"name": "N", "userData": data})
    assert azure.ok("GET", "/facelists/json")["userData"] == data


def test_the_clients_own_id_of_a_request_comes_back(azure):
    name = "x-ms-client-request-id"
    for path in ("/persongroups", "/nothing"):
        answer = azure.send("GET", path, headers={name: "call-7"})
        assert answer.headers[name] == "call-7"
        assert name not in azure.send("GET", path, headers={name: "a b"}).headers
        assert name not in azure.send("GET", path).headers


def test_a_photo_is_decoded_and_embedded_once(azure, root, photo_of):
    def stages():
        lines = azure.send("GET", f"{root}/metrics").text.splitlines()
        counts = [one for one in lines if one.startswith("mien_stage_seconds_count")]
        return {one.split('"')[1]: float(one.split()[-1]) for one in counts}

    azure.ok("PUT", "/persongroups/once", json={"name": "N"})
    person = azure.person("/persongroups/once", 1)
    azure.ok("POST", "/persongroups/once/train", status=202)
    before = stages()
    query = {"returnFaceAttributes": "blur,exposure,noise"}
    face = azure.ok("POST", "/detect", params=query, content=photo_of.one(1))[0]["faceId"]
    scope = {"personGroupId": "once"}
    azure.ok("POST", "/identify", json={"faceIds": [face], **scope})
    azure.ok("POST", "/verify", json={"faceId": face, "personId": person, **scope})
    after = stages()
    for name in ("decode", "detect", "embed"):
        assert after[name] == before[name] + 1, name


def code(answer):
    return answer.status_code, answer.json()["error"]["code"]


# ---------------------------------------------------------------------- many at once


def test_many_clients_at_once_lose_nothing(azure, photo_of):
    """Eight threads fill one group; everybody is there, and everybody is found."""
    azure.ok("PUT", "/largepersongroups/busy", json={"name": "N"})
    persons, failures = {}, []

    def work(identity):
        try:
            persons[identity] = azure.person("/largepersongroups/busy", identity, "Ann")
        except AssertionError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(identity,)) for identity in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    azure.ok("POST", "/largepersongroups/busy/train", status=202)
    listed = azure.ok("GET", "/largepersongroups/busy/persons")
    assert {one["personId"] for one in listed} == set(persons.values())
    assert [one["name"] for one in listed] == ["Ann"] * 8
    ids = [azure.detect(identity, "recognition_01") for identity in persons]
    found = azure.ok("POST", "/identify", json={"faceIds": ids, "largePersonGroupId": "busy"})
    assert [one["candidates"][0]["personId"] for one in found] == list(persons.values())
