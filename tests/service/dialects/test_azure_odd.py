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
