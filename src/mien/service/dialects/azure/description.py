"""The dialect's own OpenAPI document, apart from that of ``/v1``: what Mien takes and answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

import mien
from mien.service.dialects.azure.containers import KINDS
from mien.service.dialects.azure.fields import CONTAINER_DATA, FACE_DATA, MAX_TOP
from mien.service.dialects.azure.models import DETECTION, RECOGNITION

__all__ = ["document"]

Json = dict[str, Any]

UUID: Json = {"type": "string", "format": "uuid"}
CONTAINER: Json = {"type": "string", "pattern": "^[a-z0-9_-]{1,64}$"}
UUIDS: Json = {"type": "array", "items": UUID}
SCOPE: Json = {**UUIDS, "minItems": 1, "maxItems": 64}
NAME: Json = {"type": "string", "minLength": 1, "maxLength": 128}
DATA: Json = {"type": "string", "maxLength": CONTAINER_DATA}
FACE_TEXT: Json = {"type": "string", "maxLength": FACE_DATA}
MODEL: Json = {"type": "string", "enum": [*RECOGNITION]}
DETECTOR: Json = {"type": "string", "enum": [*DETECTION]}
YES_NO: Json = {"type": "boolean", "default": False}
FRACTION: Json = {"type": "number", "minimum": 0, "maximum": 1}

NEW_CONTAINER = {"name": NAME, "userData": DATA, "recognitionModel": MODEL}
NAMED = {"name": NAME, "userData": DATA}
SCOPES = {"personGroupId": CONTAINER, "largePersonGroupId": CONTAINER}
SESSION: Json = {
    "livenessOperationMode": {"type": "string", "enum": ["Passive", "PassiveActive"]},
    "deviceCorrelationId": {"type": "string", "maxLength": 64},
    "deviceCorrelationIdSetInClient": YES_NO,
    "sendResultsToClient": YES_NO,
    "authTokenTimeToLiveInSeconds": {"type": "integer", "minimum": 60, "maximum": 86400},
}
SESSIONS = ("/detectLiveness/singleModal/sessions", "/detectLiveness-sessions")
VERIFY_SESSIONS = {
    "/detectLivenessWithVerify/singleModal/sessions": "VerifyImage",
    "/detectLivenessWithVerify-sessions": "verifyImage",
}
PHOTO: Json = {
    "required": True,
    "content": {
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {"url": {"type": "string"}},
                "required": ["url"],
            }
        },
    },
}
BODIES: dict[tuple[str, str], tuple[Json, list[str]]] = {
    ("post", "/verify"): (
        {"faceId1": UUID, "faceId2": UUID, "faceId": UUID, "personId": UUID, **SCOPES},
        [],
    ),
    ("post", "/identify"): (
        {
            "faceIds": {**UUIDS, "minItems": 1, "maxItems": 10},
            **SCOPES,
            "dynamicPersonGroupId": CONTAINER,
            "personIds": {"type": "array", "items": {"type": "string"}},
            "maxNumOfCandidatesReturned": {"type": "integer", "minimum": 1, "maximum": 100},
            "confidenceThreshold": FRACTION,
        },
        ["faceIds"],
    ),
    ("post", "/findsimilars"): (
        {
            "faceId": UUID,
            "faceIds": {**UUIDS, "maxItems": 1000},
            "faceListId": CONTAINER,
            "largeFaceListId": CONTAINER,
            "maxNumOfCandidatesReturned": {"type": "integer", "minimum": 1, "maximum": 1000},
            "mode": {"type": "string", "enum": ["matchPerson", "matchFace"]},
        },
        ["faceId"],
    ),
    ("post", "/group"): ({"faceIds": {**UUIDS, "minItems": 2, "maxItems": 1000}}, ["faceIds"]),
    **{("post", path): (SESSION, ["livenessOperationMode"]) for path in SESSIONS},
    ("post", "/persons"): (NAMED, ["name"]),
    ("patch", "/persons/{person}"): (NAMED, []),
    ("patch", "/persistedfaces/{face}"): ({"userData": FACE_TEXT}, []),
    ("put", "/dynamicpersongroups/{container}"): ({**NAMED, "addPersonIds": UUIDS}, ["name"]),
    ("patch", "/dynamicpersongroups/{container}"): (
        {**NAMED, "addPersonIds": UUIDS, "removePersonIds": UUIDS},
        [],
    ),
    ("post", "/snapshots"): (
        {
            "type": {"type": "string", "enum": [one.what for one in KINDS]},
            "objectId": CONTAINER,
            "applyScope": SCOPE,
            "userData": DATA,
        },
        ["type", "objectId", "applyScope"],
    ),
    ("patch", "/snapshots/{snapshot}"): ({"applyScope": SCOPE, "userData": DATA}, []),
    ("post", "/snapshots/{snapshot}/apply"): (
        {"objectId": CONTAINER, "mode": {"type": "string", "enum": ["CreateNew"]}},
        ["objectId"],
    ),
    ("put", "/{container}"): (NEW_CONTAINER, ["name"]),
    ("patch", "/{container}"): (NAMED, []),
}
"""Method and end of the path -> members of the body, and which of them are needed."""

PAGE = {
    "start": {"type": "string", "maxLength": 64},
    "top": {"type": "integer", "minimum": 1, "maximum": MAX_TOP, "default": MAX_TOP},
}
QUERIES: dict[tuple[str, str], Json] = {
    ("post", "/detect"): {
        "detectionModel": DETECTOR,
        "recognitionModel": MODEL,
        "returnFaceId": {"type": "boolean", "default": True},
        "returnFaceAttributes": {"type": "string"},
        "returnFaceLandmarks": YES_NO,
        "returnRecognitionModel": YES_NO,
        "faceIdTimeToLive": {"type": "integer", "minimum": 60, "maximum": 86400},
    },
    ("post", "/persistedfaces"): {
        "targetFace": {"type": "string", "description": "left,top,width,height"},
        "detectionModel": DETECTOR,
        "userData": FACE_TEXT,
    },
    ("get", "/{container}"): {"returnRecognitionModel": YES_NO},
    ("get", "groups"): {**PAGE, "returnRecognitionModel": YES_NO},
    ("get", "/largefacelists"): {**PAGE, "returnRecognitionModel": YES_NO},
    ("get", "/facelists"): {"returnRecognitionModel": YES_NO},
    ("get", "/persons"): PAGE,
    ("get", "/snapshots"): {
        "type": {"type": "string", "enum": [one.what for one in KINDS]},
        "applyScope": {"type": "string", "description": "UUIDs with commas between them"},
    },
    ("get", "/persistedfaces"): PAGE,
    ("get", "/singleModal/sessions"): PAGE,
    ("get", "/audit"): PAGE,
    ("get", "/dynamicPersonGroupReferences"): PAGE,
}
PATHS = {
    "version": {"type": "string", "examples": ["v1.0", "v1.2"]},
    "container": CONTAINER,
    "person": UUID,
    "face": UUID,
    "operation": UUID,
    "snapshot": UUID,
    "session": UUID,
    "image": {"type": "string"},
    "model": MODEL,
}
ERROR: Json = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
            "required": ["code", "message"],
        }
    },
    "required": ["error"],
}


def document(routes: Sequence[BaseRoute]) -> Json:
    """OpenAPI 3.1 of the dialect's routes."""
    made = get_openapi(
        title="Mien: the dialect of Azure's Face API",
        version=mien.__version__,
        routes=routes,
        description='Errors are `{"error": {"code", "message"}}`; see docs/reference/azure.md.',
    )
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            _describe(path, method, operation)
    made.get("components", {}).pop("schemas", None)
    return made


def _describe(path: str, method: str, operation: Json) -> None:
    names = re.findall(r"\{(\w+)\}", path)
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": PATHS[name]} for name in names
    ]
    parameters += [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in (_ending(QUERIES, method, path) or {}).items()
    ]
    operation["parameters"] = parameters
    body = _ending(BODIES, method, path)
    if method == "post" and path.endswith(("/detect", "/persistedfaces")):
        operation["requestBody"] = PHOTO
    elif method == "post" and path.endswith(tuple(VERIFY_SESSIONS)):
        (field,) = (one for end, one in VERIFY_SESSIONS.items() if path.endswith(end))
        operation["requestBody"] = _with_reference(field)
    elif body is not None:
        members, needed = body
        schema: Json = {"type": "object", "properties": members, "required": needed}
        content = {"application/json": {"schema": schema}}
        operation["requestBody"] = {"required": True, "content": content}
    operation["responses"].pop("422", None)
    for answer in operation["responses"].values():
        answer.pop("content", None)  # many have no body, and one is a photo
    if body is not None and "addPersonIds" in body[0]:
        operation["responses"]["202"] = {"description": "Persons were added or removed."}
    error = {"content": {"application/json": {"schema": ERROR}}}
    operation["responses"]["default"] = {"description": "Any error.", **error}


def _with_reference(field: str) -> Json:
    """The multipart body of a session with verification."""
    members = {
        **SESSION,
        "verifyConfidenceThreshold": FRACTION,
        "returnVerifyImageHash": YES_NO,
        field: {"type": "string", "format": "binary"},
    }
    schema = {"type": "object", "properties": members, "required": [field]}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


def _ending(table: dict[tuple[str, str], Any], method: str, path: str) -> Any:  # noqa: ANN401
    """The entry of the longest end that the path has."""
    found = [end for verb, end in table if verb == method and path.endswith(end)]
    return table[method, max(found, key=len)] if found else None
