"""The description holds what it promises of every operation, and the service what it says."""

from __future__ import annotations

import re
import zipfile
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from fastapi._compat.v2 import ModelField

from mien.gallery import Gallery
from mien.service import create_app
from mien.service.described import Described, document
from mien.service.errors import STATUS
from mien.testing import mock_engine

DOCUMENT = document()
COMPONENTS = DOCUMENT["components"]
EVERY = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
V1 = {name: found for name, found in EVERY.items() if found[1].startswith("/v1/")}
DOCS = Path(__file__).resolve().parents[2] / "docs" / "reference" / "http-api.md"
ERROR = {"$ref": "#/components/schemas/ErrorAnswer"}


def named(operation):
    """The names of an operation's parameters."""
    found = operation.get("parameters", [])
    return [resolved(one)["name"] for one in found]


def resolved(node):
    if "$ref" not in node:
        return node
    found = DOCUMENT
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for one in node.values():
            yield from references(one)
    elif isinstance(node, list):
        for one in node:
            yield from references(one)


def test_every_reference_leads_somewhere_and_every_component_is_used():
    found = set(references(DOCUMENT))
    for one in found:
        resolved({"$ref": one})
    parts = {name: part for name, part in COMPONENTS.items() if name != "securitySchemes"}
    every = {f"#/components/{kind}/{name}" for kind, part in parts.items() for name in part}
    assert every == found
    for part in COMPONENTS.values():
        assert all(re.fullmatch(r"[\w.-]+", name) for name in part)


def test_it_is_the_same_for_every_app():
    assert Described(openapi_url=None).openapi() is document()
    assert len(EVERY) == sum(map(len, DOCUMENT["paths"].values()))


@pytest.mark.parametrize("name", sorted(EVERY))
def test_an_operation_is_described_whole(name):
    _, path, operation = EVERY[name]
    assert re.fullmatch(r"[a-z_]+", name)
    assert len(operation["tags"]) == 1
    assert operation["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}
    assert operation["summary"]
    assert not operation["summary"].endswith(".")
    assert operation["description"].endswith(".")
    parameters = operation["parameters"]
    assert len(set(map(str, parameters))) == len(parameters)
    assert {one["name"] for one in map(resolved, parameters) if one["in"] == "path"} == set(
        re.findall(r"{(\w+)}", path)
    )
    for one in map(resolved, parameters):
        assert one["description"], one
        assert one["in"] != "path" or one["example"], one
    for status, answer in operation["responses"].items():
        assert "X-Request-ID" in answer["headers"], status
        assert answer["description"]
        assert ("Retry-After" in answer["headers"]) == (status in ("429", "503"))
        assert ("WWW-Authenticate" in answer["headers"]) == (status == "401")
    for content in operation.get("requestBody", {}).get("content", {}).values():
        assert content["schema"]


@pytest.mark.parametrize("name", sorted(V1))
def test_an_operation_of_v1_names_its_errors_and_shows_examples(name):
    _, path, operation = V1[name]
    answers = operation["responses"]
    wanted = {"400", "401", "403", "429", "500", "503", "504", "default"}
    wanted |= {"404"} if "{" in path else set()
    wanted |= {"413", "415"} if "requestBody" in operation and name != "import_archive" else set()
    assert wanted <= set(answers)
    for status, answer in answers.items():
        if status[0] in "45d":
            content = answer["content"]["application/json"]
            assert content["schema"] == ERROR
            codes = re.findall(r"`(\w+)`", answer["description"])
            assert status == "default" or set(codes) == set(content["examples"])
            assert all(str(STATUS[code]) == status for code in codes)
        elif "application/json" in answer.get("content", {}):
            assert answer["content"]["application/json"]["example"]
    json_body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    assert json_body is None or json_body["example"]


def test_the_reference_page_names_the_scope_of_every_route():
    rows = re.findall(r"^\| `([A-Z]+) (/v1\S*)` \| (.+?) \|", DOCS.read_text(), re.MULTILINE)
    table = {(method, path): set(re.findall(r"`([a-z:]+)`", scope)) for method, path, scope in rows}
    for method, path, operation in V1.values():
        scopes = {scope for one in operation["security"] for scope in one.get("ApiKey", ())}
        assert table[method, path] == scopes, path
    tokens = {n for n, (_, _, one) in V1.items() if {"SessionToken": []} in one["security"]}
    assert tokens == {"add_frames", "show_session", "delete_session"}


# ------------------------------------------------------------------ what it says is so


@pytest.fixture(scope="module")
def world(tmp_path_factory, app_transport, service_settings, photos):
    """A client, and what to put into the paths: everything in them exists."""
    folder = tmp_path_factory.mktemp("described")
    settings = service_settings(folder)
    engine = mock_engine(settings)
    gallery = Gallery.open(f"sqlite:///{folder / 'gallery.db'}")
    transport = app_transport(create_app(engine, gallery, settings))
    _, secret = gallery.create_key("default", ["detect", "gallery:read", "gallery:write", "admin"])
    with httpx.Client(
        transport=transport,
        base_url="http://mien.test",
        headers={"Authorization": f"Bearer {secret}"},
    ) as client:
        yield client, things(client, photos.ann), photos.ann
    engine.close()
    gallery.close()


def things(client, photo):
    client.post("/v1/groups", json={"name": "g", "settings": {"images": "crops"}})
    client.post("/v1/groups/g/persons", json={"name": "Ann"})
    person = "/v1/groups/g/persons/Ann"
    consent = {"purpose": "door", "text_version": "1", "language": "en"}
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("Bob/1.png", b"x")
    files = {"archive": ("a.zip", archive.getvalue())}
    session = client.post("/v1/liveness-sessions", json={"step_count": 1}).json()
    return {
        "group": "g",
        "person": "Ann",
        "face_id": client.post(f"{person}/faces", files={"image": photo}).json()["face_ids"][0],
        "consent_id": client.post(f"{person}/consents", json=consent).json()["id"],
        "job_id": client.post("/v1/groups/g/jobs/enroll", files=files).json()["id"],
        "session": session["id"],
    }


def ask(world, name, *, headers, query=None):
    """An operation on what is there, with a body of the right kind that says nothing."""
    client, known, photo = world
    method, path, operation = V1[name]
    kinds = operation.get("requestBody", {}).get("content", {})
    body = {}
    if "multipart/form-data" in kinds:
        fields = kinds["multipart/form-data"]["schema"]["required"]
        body = {"files": [(field, ("a.png", photo)) for field in fields if field != "times"]}
    elif "application/json" in kinds:
        body = {"json": {}}
    elif kinds:
        body = {"content": b"x"}
    return client.request(method, path.format(**known), headers=headers, params=query, **body)


@pytest.mark.parametrize("name", sorted(V1))
def test_a_header_does_what_the_description_says(world, name):
    method, _, operation = V1[name]
    takes = named(operation)
    if "X-Deadline-S" in takes:
        assert "X-Deadline-S" in ask(world, name, headers={"X-Deadline-S": "soon"}).text
    timed = ask(world, name, headers={"X-Request-ID": "mine.1"}, query={"timings": "often"})
    assert timed.headers["x-request-id"] == "mine.1"
    assert timed.json()["error"]["details"] == {"field": "timings"}
    if method == "POST":
        once = ask(world, name, headers={"Idempotency-Key": "a b", "X-Deadline-S": "20"})
        assert ("Idempotency-Key" in once.text) == ("Idempotency-Key" in takes), once.text
    if method in ("PATCH", "DELETE") and "If-Match" in takes:
        assert ask(world, name, headers={"If-Match": '"x"'}).status_code == 412
    if method == "GET" and "If-None-Match" in takes:
        assert ask(world, name, headers={"If-None-Match": "*"}).status_code == 304
    elif method == "GET" and name != "export_person":
        assert "etag" not in ask(world, name, headers={}).headers


def test_the_rest_takes_no_if_match():
    """What takes ``If-Match`` is what has an ETag and can be changed."""
    takes = {name for name, (_, _, one) in V1.items() if "If-Match" in named(one)}
    nouns = ("group", "person", "face")
    assert takes == {f"{verb}_{noun}" for verb in ("change", "delete") for noun in nouns}


def test_no_request_analyses_a_route(house, monkeypatch):
    """FastAPI's analysis changes the process's warning filters: it is over before threads begin."""
    analysed = []
    monkeypatch.setattr(ModelField, "__post_init__", lambda self: analysed.append(self.name))
    key = {"Ocp-Apim-Subscription-Key": house.secret}
    for path in (
        "/v1/status",
        "/v1/groups/none/persons",
        "/v1/groups/none/nothing",
        "/azure/face/v1.2/persongroups",
        "/face/v1.2/nothing",
        "/luxand/v2/person",
        "/static/nothing",
        "/nothing",
    ):
        assert house.client.get(path, headers=key).status_code < 500
        assert house.client.put(path, headers=key).status_code < 500
    assert analysed == []
