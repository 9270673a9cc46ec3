"""Every error code of Azure's Face API, one row each: status, code, and the API's own shape."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx
import pytest

from mien.errors import (
    AlreadyExists,
    ConsentMissing,
    DeadlineExceeded,
    GalleryUnavailable,
    LimitExceeded,
    MienError,
    ModelUnavailable,
    Overloaded,
)
from mien.service.dialects.azure import detect as detect_module
from mien.service.dialects.azure import errors, persons, router
from mien.service.dialects.azure.description import document

NOBODY = str(uuid.UUID(int=7))
BIG = 6 * 1024 * 1024
PERSONS, LARGE = "persongroups", "largepersongroups"
FACES, LARGE_FACES = "facelists", "largefacelists"
WHAT = {
    PERSONS: "PersonGroup",
    LARGE: "LargePersonGroup",
    FACES: "FaceList",
    LARGE_FACES: "LargeFaceList",
    "dynamicpersongroups": "DynamicPersonGroup",
}
KEY_OF = {kind: what[0].lower() + what[1:] + "Id" for kind, what in WHAT.items()}
MODEL = {"recognitionModel": "recognition_04"}


class Row(NamedTuple):
    """A request and what it is answered."""

    status: int
    code: str
    method: str
    path: str
    body: Any = None
    query: dict[str, str] | None = None
    says: str = ""
    version: str = "v1.2"


@dataclass
class World:
    """What the rows name in braces."""

    names: dict[str, Any] = field(default_factory=dict)

    def fill(self, value: Any) -> Any:
        """``value`` with every ``{name}`` in it replaced."""
        if isinstance(value, str):
            whole = re.fullmatch(r"\{(\w+)\}", value)
            if whole:
                return self.names[whole[1]]
            return re.sub(r"\{(\w+)\}", lambda found: str(self.names[found[1]]), value)
        if isinstance(value, list):
            return [self.fill(one) for one in value]
        if isinstance(value, dict):
            return {key: self.fill(one) for key, one in value.items()}
        return value


@pytest.fixture(scope="module")
def world(azure, photo_of):
    """One container of each kind, with a person where there are persons; ``empty`` ones beside."""
    names = {
        "nobody": NOBODY,
        "one": photo_of.one(1),
        "two": photo_of.several(1, 2),
        "none": photo_of.nobody(),
        "text": b"no photo " * 200,
        "short": photo_of.one(1)[:1023],
        "big": b"\0" * (BIG + 1),
        "broken": photo_of.one(1)[:5000],
        "face": azure.detect(1),
        "face2": azure.detect(2),
        "old": azure.detect(1, "recognition_03"),
        "ids11": [str(uuid.uuid4()) for _ in range(11)],
        "ids1001": [str(uuid.uuid4()) for _ in range(1001)],
        "name129": "n" * 129,
        "data16k": "d" * (16 * 1024 + 1),
        "data1k": "d" * 1025,
        "start65": "s" * 65,
        "id65": "i" * 65,
    }
    for kind in (PERSONS, LARGE, FACES, LARGE_FACES):
        for one in ("here", "empty", "untrained"):
            azure.ok("PUT", f"/{kind}/{one}", json={"name": "N", **MODEL})
    for kind in (PERSONS, LARGE):
        names[f"person_{kind}"] = azure.person(f"/{kind}/here", 1)
        made = azure.ok("POST", f"/{kind}/here/persons", json={"name": "faceless"})
        names[f"faceless_{kind}"] = made["personId"]
        azure.ok("POST", f"/{kind}/here/train", status=202)
    for kind in (FACES, LARGE_FACES):
        faces = f"/{kind}/here/persistedfaces"
        made = azure.ok("POST", faces, content=photo_of.one(1))
        names[f"listed_{kind}"] = made["persistedFaceId"]
    azure.ok("POST", f"/{LARGE_FACES}/here/train", status=202)
    azure.ok("POST", f"/{LARGE_FACES}/empty/train", status=202)
    azure.ok("PUT", "/dynamicpersongroups/here", json={"name": "N"})
    made = azure.ok("POST", "/persons", status=202, json={"name": "D"})
    names["directed"] = made["personId"]
    return World(names)


def detect_rows():
    def row(status, code, body="{one}", says="", **query):
        return Row(status, code, "POST", "/detect", body, query, says)

    bad = (400, "BadArgument")
    yield row(*bad, {"url": 7}, says="Request body is invalid.")
    yield row(*bad, {}, says="Request body is invalid.")
    yield row(*bad, "raw:{", says="JSON parsing error.")
    yield row(*bad, "raw:[]", says="Request body is invalid.")
    yield row(*bad, recognitionModel="recognition_05", says="'recognitionModel' is invalid.")
    yield row(*bad, detectionModel="detection_00", says="'detectionModel' is invalid.")
    yield row(*bad, returnFaceId="perhaps")
    yield row(*bad, returnFaceAttributes="beauty")
    yield row(*bad, faceIdTimeToLive="59")
    yield row(*bad, faceIdTimeToLive="86401")
    yield row(*bad, faceIdTimeToLive="soon")
    yield row(*bad, returnFaceLandmarks="true", detectionModel="detection_02")
    yield row(*bad, returnFaceAttributes="blur", detectionModel="detection_02")
    yield row(*bad, returnFaceAttributes="mask")
    yield row(
        *bad,
        returnFaceAttributes="noise",
        detectionModel="detection_03",
        says="Only face attributes 'blur,exposure,",
    )
    yield row(*bad, returnFaceAttributes="qualityForRecognition", recognitionModel="recognition_02")
    yield row(400, "InvalidURL", {"url": "not a url"})
    yield row(400, "InvalidURL", {"url": "file:///etc/hostname"})
    yield row(400, "InvalidURL", {"url": "http://127.0.0.1:9/photo.jpg"})
    yield row(400, "InvalidURL", {"url": "http://10.255.0.1/photo.jpg"})
    yield row(400, "InvalidImage", "{text}", "Decoding error, image format unsupported.")
    yield row(400, "InvalidImage", "{broken}")
    yield row(404, "SessionImageNotFound", {"sessionImageId": "{nobody}"})
    yield row(400, "InvalidImageSize", "{short}", "Image size is too small.")
    yield row(400, "InvalidImageSize", "{big}", "Image size is too big.")
    for name in ("hair", "facialHair", "makeup", "age", "gender", "emotion"):
        yield row(403, "UnsupportedFeature", returnFaceAttributes=name)


def verify_rows():
    def row(status, code, says="", **body):
        return Row(status, code, "POST", "/verify", body, says=says)

    yield row(400, "BadArgument", faceId1="x", faceId2="{face}")
    yield row(400, "BadArgument", faceId1="{face}")
    yield row(400, "BadArgument")
    yield row(400, "BadArgument", faceId="{face}", personId="x")
    incompatible = "'recognitionModel' is incompatible."
    yield row(400, "BadArgument", faceId1="{face}", faceId2="{old}", says=incompatible)
    yield row(404, "FaceNotFound", faceId1="{face}", faceId2="{nobody}")
    yield row(404, "FaceNotFound", faceId="{nobody}", personId="{nobody}")
    yield row(404, "PersonNotFound", faceId="{face}", personId="{nobody}")
    for kind in (PERSONS, LARGE):
        scope = {"faceId": "{face}", KEY_OF[kind]: "here"}
        yield row(404, "PersonNotFound", **scope, personId="{nobody}")
        yield row(404, "PersistedFaceNotFound", **scope, personId=f"{{faceless_{kind}}}")
        person = f"{{person_{kind}}}"
        missing = {**scope, KEY_OF[kind]: "gone"}
        yield row(400, f"{WHAT[kind]}NotFound", **missing, personId=person)
        yield row(400, "BadArgument", **{**scope, "faceId": "{old}"}, personId=person)
    both = {"personGroupId": "here", "largePersonGroupId": "here"}
    yield row(400, "BadArgument", faceId="{face}", personId="{nobody}", **both)


def identify_rows():
    def row(status, code, says="", **body):
        return Row(status, code, "POST", "/identify", {"faceIds": ["{face}"], **body}, says=says)

    here = {"personGroupId": "here"}
    yield row(400, "FaceNotFound", faceIds=["{nobody}"], **here)
    yield row(400, "FaceNotFound", faceIds=["{nobody}"], personIds=["*"])
    length = "The length of faceIds is not in a valid range."
    yield row(400, "BadArgument", faceIds=[], **here, says=length)
    yield row(400, "BadArgument", faceIds="{ids11}", **here, says=length)
    yield row(400, "BadArgument", faceIds="{face}", **here)
    yield row(400, "BadArgument", faceIds=[7], **here)
    yield row(400, "BadArgument", maxNumOfCandidatesReturned=0, **here)
    yield row(400, "BadArgument", maxNumOfCandidatesReturned=101, **here)
    yield row(400, "BadArgument", confidenceThreshold=1.01, **here)
    yield row(400, "BadArgument", confidenceThreshold="high", **here)
    yield row(400, "BadArgument", personGroupId="NOT an id")
    for kind in (PERSONS, LARGE):
        yield row(400, f"{WHAT[kind]}NotFound", **{KEY_OF[kind]: "gone"})
        yield row(400, f"{WHAT[kind]}NotTrained", **{KEY_OF[kind]: "untrained"})
        incompatible = "'recognitionModel' is incompatible."
        old = {"faceIds": ["{old}"], KEY_OF[kind]: "here"}
        yield row(400, "BadArgument", **old, says=incompatible)
    yield row(400, "DynamicPersonGroupNotFound", dynamicPersonGroupId="gone")
    yield row(400, "MissingIdentificationScopeParameters")
    neither = Row(400, "PersonGroupIdAndLargePersonGroupIdBothNull", "POST", "/identify")
    yield neither._replace(body={"faceIds": ["{face}"]}, version="v1.0")
    both = {"personGroupId": "here", "largePersonGroupId": "here"}
    yield row(400, "PersonGroupIdAndLargePersonGroupIdBothNotNull", **both)
    combined = "IncompatibleIdentificationScopeParametersCombination"
    yield row(400, combined, personIds=["*"], **here)
    yield row(400, combined, dynamicPersonGroupId="here", **here)
    yield row(400, "BadArgument", personIds=[])
    yield row(400, "BadArgument", faceIds=["{face}", "{old}"], personIds=["*"])


def similar_rows():
    def row(status, code, says="", **body):
        return Row(status, code, "POST", "/findsimilars", {"faceId": "{face}", **body}, says=says)

    yield row(400, "BadArgument", faceId="x", faceListId="here")
    yield row(400, "BadArgument")
    yield row(400, "BadArgument", faceIds=["{face}"], faceListId="here")
    yield row(400, "BadArgument", faceListId="here", mode="matchAnimal")
    yield row(400, "BadArgument", faceListId="here", maxNumOfCandidatesReturned=1001)
    yield row(400, "BadArgument", faceIds="{ids1001}")
    yield row(400, "BadArgument", faceId="{old}", faceListId="here")
    yield row(400, "FaceNotFound", faceId="{nobody}", faceListId="here")
    yield row(400, "FaceNotFound", faceIds=["{nobody}"])
    yield row(400, "FaceListNotFound", faceListId="gone")
    yield row(400, "FaceListNotReady", faceListId="empty")
    yield row(400, "LargeFaceListNotFound", largeFaceListId="gone")
    yield row(400, "LargeFaceListNotTrained", largeFaceListId="untrained")


def group_rows():
    def row(**body):
        return Row(400, "BadArgument", "POST", "/group", body)

    yield row()
    yield row(faceIds=["{face}"])
    yield row(faceIds="{ids1001}")
    yield row(faceIds=["{face}", "{nobody}"])
    yield row(faceIds=["{face}", "{old}"])


def container_rows():
    for kind in (PERSONS, LARGE, FACES, LARGE_FACES):
        what = WHAT[kind]
        path = f"/{kind}/new"
        bad = (400, "BadArgument", "PUT")
        yield Row(*bad, f"/{kind}/{{id65}}", {"name": "N"})
        yield Row(*bad, path, {}, says="'name' is empty.")
        yield Row(*bad, path, {"name": ""}, says="'name' is empty.")
        yield Row(*bad, path, {"name": "{name129}"}, says="'name' is too long.")
        yield Row(*bad, path, {"name": 7})
        data = {"name": "N", "userData": "{data16k}"}
        yield Row(*bad, path, data, says="'userData' is too long.")
        model = {"name": "N", "recognitionModel": "r"}
        yield Row(*bad, path, model, says="'recognitionModel' is invalid.")
        yield Row(*bad, path, "raw:nonsense", says="JSON parsing error.")
        yield Row(409, f"{what}Exists", "PUT", f"/{kind}/here", {"name": "N"})
        long = {"name": "{name129}"}
        yield Row(400, "BadArgument", "PATCH", f"/{kind}/here", long, says="'name' is too long.")
        if kind != FACES:
            query = {"start": "{start65}"}
            yield Row(400, "BadArgument", "GET", f"/{kind}", None, query, "'start' is too long.")
            for top in ("0", "1001", "many"):
                query = {"top": top}
                yield Row(400, "BadArgument", "GET", f"/{kind}", None, query, "'top' is invalid.")
            yield Row(404, f"{what}NotTrained", "GET", f"/{kind}/untrained/training")
        if kind in (LARGE, LARGE_FACES):
            yield Row(400, "BadArgument", "PATCH", f"/{kind}/here", {})


def person_rows():
    for kind in (PERSONS, LARGE):
        here, person = f"/{kind}/here/persons", f"{{person_{kind}}}"
        yield Row(400, "BadArgument", "POST", here, {}, says="'name' is empty.")
        yield Row(400, "BadArgument", "POST", here, {"name": "{name129}"})
        yield Row(400, "BadArgument", "POST", here, {"name": "N", "userData": "{data16k}"})
        yield Row(400, "BadArgument", "GET", here, None, {"top": "0"})
        for method, body in (("GET", None), ("PATCH", {"name": "N"}), ("DELETE", None)):
            yield Row(400, "BadArgument", method, f"{here}/x", body)
        faces = f"{here}/{person}/persistedfaces"
        yield from _face_rows(faces)
        for method, body in (("GET", None), ("PATCH", {"userData": "u"}), ("DELETE", None)):
            yield Row(404, "PersistedFaceNotFound", method, f"{faces}/{{nobody}}", body)
            yield Row(400, "BadArgument", method, f"{faces}/x", body)
        other = faces.replace(f"person_{kind}", f"faceless_{kind}")
        yield Row(404, "PersistedFaceNotFound", "GET", f"{other}/{{nobody}}")


def list_rows():
    for kind in (FACES, LARGE_FACES):
        faces, listed = f"/{kind}/here/persistedfaces", f"{{listed_{kind}}}"
        yield Row(404, "PersistedFaceNotFound", "DELETE", f"{faces}/{{nobody}}")
        yield from _face_rows(faces)
    yield Row(404, "PersistedFaceNotFound", "GET", f"{faces}/{{nobody}}")
    yield Row(404, "PersistedFaceNotFound", "PATCH", f"{faces}/{{nobody}}", {"userData": "u"})
    yield Row(400, "BadArgument", "PATCH", f"{faces}/{listed}", {"userData": "{data1k}"})
    yield Row(400, "BadArgument", "GET", faces, None, {"start": "not a face"})
    yield Row(400, "BadArgument", "GET", faces, None, {"top": "1001"})


def _face_rows(path):
    bad, image = (400, "BadArgument", "POST"), (400, "InvalidImage", "POST")
    yield Row(*bad, path, "{one}", {"userData": "{data1k}"}, "'userData' is too long.")
    yield Row(*bad, path, "{one}", {"detectionModel": "d"}, "'detectionModel' is invalid.")
    yield Row(*bad, path, "{one}", {"targetFace": "1,2,3"}, "Invalid argument targetFace.")
    yield Row(*bad, path, "{one}", {"targetFace": "a,b,c,d"}, "Invalid argument targetFace.")
    out = "Argument targetFace out of range."
    yield Row(*bad, path, "{one}", {"targetFace": "-1,0,9,9"}, out)
    yield Row(*bad, path, "{one}", {"targetFace": "0,0,321,9"}, out)
    yield Row(*image, path, "{none}", says="No face detected in the image.")
    yield Row(*image, path, "{two}", says="There is more than 1 face in the image.")
    yield Row(*image, path, "{one}", {"targetFace": "0,0,9,9"}, "No face detected in the image.")
    yield Row(*image, path, "{text}")
    yield Row(400, "InvalidImageSize", "POST", path, "{short}")
    yield Row(400, "InvalidURL", "POST", path, {"url": "http://127.0.0.1:9/"})


def directory_rows():
    one = "/persons/{directed}"
    faces = f"{one}/recognitionModels/recognition_04/persistedfaces"
    yield Row(400, "BadArgument", "POST", "/persons", {})
    yield Row(400, "BadArgument", "GET", "/persons", None, {"top": "0"})
    yield Row(400, "BadArgument", "PATCH", one, {})
    for method, body in (("GET", None), ("PATCH", {"name": "N"}), ("DELETE", None)):
        yield Row(404, "PersistedFaceNotFound", method, f"{faces}/{{nobody}}", body)
    for method, path, body in OF_PERSON:
        yield Row(404, "PersonNotFound", method, path.format("{nobody}"), body)
        yield Row(400, "BadArgument", method, path.format("x"), body)
    yield Row(400, "BadArgument", "GET", faces.replace("n_04", "n_05"))
    yield from _face_rows(faces)
    yield Row(404, "OperationNotFound", "GET", "/operations/{nobody}")
    path = "/dynamicpersongroups"
    yield Row(409, "DynamicPersonGroupExists", "PUT", f"{path}/here", {"name": "N"})
    yield Row(400, "BadArgument", "PUT", f"{path}/new", {"name": ""})
    unknown = {"name": "N", "addPersonIds": ["{nobody}"]}
    yield Row(400, "BadArgument", "PUT", f"{path}/new", unknown)
    yield Row(400, "BadArgument", "PATCH", f"{path}/here", {})
    yield Row(400, "BadArgument", "PATCH", f"{path}/here", {"addPersonIds": "x"})
    yield Row(400, "BadArgument", "GET", path, None, {"top": "0"})


FACES_OF_PERSON = "/recognitionModels/recognition_04/persistedfaces"
ONE = (("GET", None), ("PATCH", {"name": "N", "userData": "u"}), ("DELETE", None))
OF_PERSON = (
    *((method, "/persons/{}", body) for method, body in ONE),
    ("GET", "/persons/{}/dynamicPersonGroupReferences", None),
    ("GET", "/persons/{}" + FACES_OF_PERSON, None),
    ("POST", "/persons/{}" + FACES_OF_PERSON, "{one}"),
    *((method, "/persons/{}" + FACES_OF_PERSON + "/{{nobody}}", body) for method, body in ONE),
)
"""Every operation of a person of the directory."""


def below(kind):
    """Every operation of a container but to create it: method, what follows its id, body."""
    yield from ((method, "", body) for method, body in ONE)
    if kind != FACES:
        yield from (("POST", "/train", None), ("GET", "/training", None))
    if kind in (PERSONS, LARGE):
        yield from (("POST", "/persons", {"name": "N"}), ("GET", "/persons", None))
        yield from ((method, "/persons/{nobody}", body) for method, body in ONE)
    faces = "/persons/{nobody}/persistedfaces" if kind in (PERSONS, LARGE) else "/persistedfaces"
    yield "POST", faces, "{one}"
    if kind == LARGE_FACES:
        yield "GET", faces, None
    ones = ONE if kind != FACES else ONE[2:]
    yield from ((method, faces + "/{nobody}", body) for method, body in ones)


def below_rows():
    """A container that is not there, an id that cannot be, a person who is not there."""
    dynamic = "dynamicpersongroups"
    operations = {kind: [*below(kind)] for kind in (PERSONS, LARGE, FACES, LARGE_FACES)}
    operations[dynamic] = [*((method, "", body) for method, body in ONE), ("GET", "/persons", None)]
    for kind, found in operations.items():
        for method, rest, body in found:
            yield Row(404, f"{WHAT[kind]}NotFound", method, f"/{kind}/gone{rest}", body)
            yield Row(400, "BadArgument", method, f"/{kind}/Upper{rest}", body)
            if "/persons/" in rest:
                yield Row(404, "PersonNotFound", method, f"/{kind}/here{rest}", body)
        yield Row(400, "BadArgument", "PUT", f"/{kind}/Upper", {"name": "N"})
        if kind != dynamic:
            query = {"returnRecognitionModel": "perhaps"}
            yield Row(400, "BadArgument", "GET", f"/{kind}", None, query)


def other_rows():
    yield Row(404, "ResourceNotFound", "GET", "/nothing")
    yield Row(404, "ResourceNotFound", "DELETE", "/detect")


ROWS = [
    row
    for rows in (
        detect_rows,
        verify_rows,
        identify_rows,
        similar_rows,
        group_rows,
        container_rows,
        person_rows,
        list_rows,
        directory_rows,
        below_rows,
        other_rows,
    )
    for row in rows()
]


def send(azure, world, row):
    body = world.fill(row.body)
    options = {"params": world.fill(row.query or {})}
    if isinstance(body, bytes):
        options["content"] = body
    elif isinstance(body, str):
        options |= {"content": body.removeprefix("raw:").encode()}
        options["headers"] = {"Content-Type": "application/json"}
    elif body is not None:
        options["json"] = body
    base = str(azure.client.base_url).replace("v1.2", row.version).rstrip("/")
    return azure.send(row.method, base + world.fill(row.path), **options)


def refused(answer):
    """The code of an error, whose shape is checked."""
    body = answer.json()
    assert set(body) == {"error"}, body
    assert set(body["error"]) == {"code", "message"}, body
    assert body["error"]["message"]
    assert answer.headers["x-ms-error-code"] == body["error"]["code"]
    assert uuid.UUID(answer.headers["apim-request-id"])
    return answer.status_code, body["error"]["code"]


@pytest.mark.parametrize(
    "row", ROWS, ids=[f"{i}-{row.method}-{row.path}-{row.code}" for i, row in enumerate(ROWS)]
)
def test_a_request_that_cannot_be_is_answered_with_its_code(azure, world, row):
    answer = send(azure, world, row)
    assert refused(answer) == (row.status, row.code), answer.text
    assert answer.json()["error"]["message"].startswith(row.says)


RECOGNITION = {
    "/detect": {
        "BadArgument",
        "InvalidImage",
        "InvalidImageSize",
        "InvalidURL",
        "UnsupportedFeature",
    },
    "/verify": {
        "BadArgument",
        "FaceNotFound",
        "LargePersonGroupNotFound",
        "PersistedFaceNotFound",
        "PersonGroupNotFound",
        "PersonNotFound",
    },
    "/identify": {
        "BadArgument",
        "DynamicPersonGroupNotFound",
        "FaceNotFound",
        "IncompatibleIdentificationScopeParametersCombination",
        "LargePersonGroupNotFound",
        "LargePersonGroupNotTrained",
        "MissingIdentificationScopeParameters",
        "PersonGroupIdAndLargePersonGroupIdBothNotNull",
        "PersonGroupIdAndLargePersonGroupIdBothNull",
        "PersonGroupNotFound",
        "PersonGroupNotTrained",
    },
    "/findsimilars": {
        "BadArgument",
        "FaceListNotFound",
        "FaceListNotReady",
        "FaceNotFound",
        "LargeFaceListNotFound",
        "LargeFaceListNotTrained",
    },
    "/group": {"BadArgument"},
}
"""The API's catalogue, without what cannot happen here (docs/reference/azure.md)."""
ELSEWHERE = ("/snapshots", "/detectLiveness", "/session")
"""Tested in test_azure_snapshots.py and test_azure_liveness.py."""


def expected(method, path):
    """Codes that the API's catalogue has for an operation."""
    if path in RECOGNITION:
        return RECOGNITION[path]
    if path == "/operations/{operation}":
        return {"OperationNotFound"}
    codes, what = {"BadArgument"}, WHAT.get(path.split("/")[1])
    if "{container}" in path:
        codes.add(f"{what}Exists" if method == "PUT" else f"{what}NotFound")
    if "{person}" in path:
        codes.add("PersonNotFound")
    if "{face}" in path:
        codes.add("PersistedFaceNotFound")
    if method == "POST" and path.endswith("/persistedfaces"):
        codes |= {"InvalidImage", "InvalidImageSize", "InvalidURL"}
    if path.endswith("/training"):
        codes.add(f"{what}NotTrained")
    return codes


def test_every_operation_has_a_row_for_each_of_its_codes():
    missing = {}
    for path, methods in document(router().routes)["paths"].items():
        end = path.removeprefix("/azure/face/{version}")
        if end.startswith(ELSEWHERE):
            continue
        template = re.compile("[^/]+".join(map(re.escape, re.split(r"\{\w+\}", end))))
        for method in map(str.upper, methods):
            rows = [one for one in ROWS if one.method == method and template.fullmatch(one.path)]
            missing[method, end] = expected(method, end) - {one.code for one in rows}
    assert len(missing) == 74
    assert {one: codes for one, codes in missing.items() if codes} == {}


def test_a_patch_of_nothing_is_fine_where_the_api_takes_it(azure, world):
    assert azure.send("PATCH", f"/{PERSONS}/here", json={}).status_code == 200
    assert azure.send("PATCH", f"/{FACES}/here", json={}).status_code == 200


# ---------------------------------------------------------------------- keys, quotas, load


def test_without_a_valid_key_it_is_401(azure):
    for headers in ({}, {"Ocp-Apim-Subscription-Key": "wrong"}, {"Authorization": "Basic x"}):
        answer = httpx.get(f"{azure.client.base_url}persongroups", headers=headers)
        assert refused(answer) == (401, "401")


def test_a_key_is_taken_as_a_bearer_token_too(azure):
    _, secret = azure.gallery.create_key("default")
    headers = {"Authorization": f"Bearer {secret}"}
    assert httpx.get(f"{azure.client.base_url}persongroups", headers=headers).status_code == 200


def test_a_key_without_the_scope_is_403(azure):
    _, secret = azure.gallery.create_key("default", ["detect"])
    headers = {"Ocp-Apim-Subscription-Key": secret}
    answer = httpx.get(f"{azure.client.base_url}persongroups", headers=headers)
    assert refused(answer) == (403, "403")


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", ""])
def test_a_body_of_another_kind_is_415(azure, kind):
    answer = azure.send("POST", "/detect", content=b"x" * 2000, headers={"Content-Type": kind})
    assert refused(answer) == (415, "BadArgument")
    assert answer.json()["error"]["message"] == "Invalid Media Type."


def test_a_json_body_beyond_its_limit_is_refused(azure):
    body = b'{"name": "' + b"x" * (256 * 1024) + b'"}'
    headers = {"Content-Type": "application/json"}
    answer = azure.send("PUT", f"/{PERSONS}/new", content=body, headers=headers)
    assert refused(answer) == (400, "BadArgument")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (AlreadyExists("twice"), (409, "ConcurrentOperationConflict")),
        (Overloaded("full"), (429, "429")),
        (LimitExceeded("full"), (403, "QuotaExceeded")),
        (ConsentMissing("none"), (403, "ConsentMissing")),
        (DeadlineExceeded("late"), (408, "OperationTimeOut")),
        (GalleryUnavailable("locked"), (503, "ServiceUnavailable")),
        (ModelUnavailable("none"), (503, "ServiceUnavailable")),
        (MienError("odd"), (500, "InternalServerError")),
        (RuntimeError("a secret in /home/x"), (500, "InternalServerError")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_goes_wrong_inside_is_told_in_the_same_shape(
    azure, photo_of, monkeypatch, error, expected
):
    def fail(*_):
        raise error

    monkeypatch.setattr(detect_module, "_detected", fail)
    answer = azure.send("POST", "/detect", content=photo_of.one(1))
    assert refused(answer) == expected
    assert ("retry-after" in answer.headers) == (expected[0] in (429, 503))
    assert "secret" not in answer.text


def test_every_error_of_miens_has_a_row_or_is_500():
    from mien.service.errors import STATUS

    without = {code for code in STATUS if code not in errors.TABLE}
    assert without == {
        "archive_unusable",
        "idempotency_conflict",
        "precondition_failed",
        "unknown_metric",
        "method_not_allowed",
        "image",
        "image_not_found",
        "gallery",
        "configuration",
        "error",
        "internal",
    }


def test_a_list_has_a_thousand_faces_and_a_person_248(azure, world, photo_of, monkeypatch):
    monkeypatch.setattr(persons, "MAX_FACES", 2)
    for path, status in (
        (f"/{PERSONS}/here/persons/{{person_{PERSONS}}}/persistedfaces", 200),
        ("/persons/{directed}/recognitionModels/recognition_04/persistedfaces", 202),
    ):
        answers = [azure.send("POST", world.fill(path), content=photo_of.one(1)) for _ in range(3)]
        assert answers[0].status_code == status
        assert refused(answers[2]) == (403, "QuotaExceeded")


def test_a_full_container_is_a_quota(azure, photo_of):
    azure.gallery.set_group("azure.facelist.untrained", settings={"max_faces": 1})
    azure.gallery.set_group("azure.persongroup.untrained", settings={"max_persons": 1})
    faces, people = f"/{FACES}/untrained/persistedfaces", f"/{PERSONS}/untrained/persons"
    assert azure.send("POST", faces, content=photo_of.one(1)).status_code == 200
    assert refused(azure.send("POST", faces, content=photo_of.one(2))) == (403, "QuotaExceeded")
    assert azure.send("POST", people, json={"name": "a"}).status_code == 200
    assert refused(azure.send("POST", people, json={"name": "b"})) == (403, "QuotaExceeded")


def test_an_application_has_64_face_lists(azure):
    annex, space = azure.gallery.annex, "azure.facelist"
    before = len(azure.ok("GET", f"/{FACES}"))
    names = [f"many-{i}" for i in range(63 - before)]
    for one in names:
        annex.add_note(space, one, "{}")
    azure.ok("PUT", f"/{FACES}/last", json={"name": "N"})
    answer = azure.send("PUT", f"/{FACES}/one-more", json={"name": "N"})
    assert refused(answer) == (403, "QuotaExceeded")
    for one in names:
        annex.delete_note(space, one)
    azure.ok("DELETE", f"/{FACES}/last")
