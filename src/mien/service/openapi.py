"""What FastAPI cannot see: bodies in three forms, options in the query, the errors of a route."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel

from mien.service.errors import STATUS
from mien.service.headers import header
from mien.service.schemas import ErrorAnswer, NoOptions

__all__ = [
    "BODY",
    "DESCRIPTION",
    "KEY_SCHEME",
    "NOT_MODIFIED",
    "SCHEMES",
    "TAGS",
    "TOKEN_SCHEME",
    "described_once",
    "errors",
    "json_body",
    "photo_body",
    "query",
    "with_header",
]

Json = dict[str, Any]

_describing = threading.Lock()

KEY_SCHEME = "ApiKey"
TOKEN_SCHEME = "SessionToken"  # noqa: S105 - a name
REF = "#/components/schemas/{model}"

DESCRIPTION = """
Detect, compare and identify faces. Every answer has a `request_id`; every error has the shape
`{"error": {"code", "message", "details"}, "request_id"}`, and a `code` that does not change.

Photos come in three forms: `multipart/form-data`, the file itself (`image/*`), or base64 in JSON.
URLs and paths are not read. Box and landmark coordinates are pixels of the upright photo.

A `POST` that changes something takes an `Idempotency-Key` and is done once. Groups, persons and
faces have an `ETag`, for `If-None-Match` and `If-Match`. Lists come in pages: send `next` as
`after`. 429 and 503 say in `Retry-After` when to ask again.
""".strip()

TAGS: list[dict[str, Any]] = [
    {"name": name, "description": description}
    for name, description in (
        ("photos", "Photos without a gallery: find faces, templates, compare."),
        ("liveness sessions", "Challenges for a device: is a live person in front of it?"),
        ("groups", "Groups of persons, and who of one is in a photo."),
        ("persons", "Persons of a group."),
        ("faces", "Enrolled faces of a person, and the images that are kept with them."),
        ("curation", "Putting groups, persons and faces in order, and taking that back."),
        ("jobs", "Work that outlives its request."),
        ("searches", "Searching with templates, stored faces and several photos."),
        ("privacy", "Consent, erasure, retention and the audit log."),
        ("archives", "An application's groups as one encrypted file."),
        ("system", "What is running, what it has, and what it counted."),
    )
]

SCHEMES: dict[str, Json] = {
    KEY_SCHEME: {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key; `mien keys create --app NAME` makes one. An operation's "
        "requirement names the scope that the key needs.",
    },
    TOKEN_SCHEME: {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of one liveness session, for its device.",
    },
}

NOT_MODIFIED: dict[int | str, Json] = {
    304: {"description": "It is what the tag of the `If-None-Match` header says; no body."}
}

COMMON = (
    "invalid_argument",
    "unauthorized",
    "forbidden",
    "rate_limited",
    "overloaded",
    "gallery_unavailable",
    "deadline_exceeded",
    "internal",
)
"""What every operation of ``/v1`` may answer."""

BODY = ("unsupported_media_type", "request_too_large")
"""What every operation with a body may answer."""

BINARY: Json = {"type": "string", "format": "binary"}
BASE64: Json = {
    "type": "string",
    "contentEncoding": "base64",
    "description": "base64, or a data: URI",
}


def described_once(make: Callable[[], Json]) -> Json:
    """What ``make`` gives, by one thread at a time: FastAPI's own work on it is not for two."""
    with _describing:
        return make()


def errors(*codes: str) -> dict[int | str, Json]:
    """The error answers of a route, beside those that every route of ``/v1`` has."""
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys((*COMMON, *codes)):
        by_status.setdefault(STATUS[code], []).append(code)
    described: dict[int | str, Json] = {
        status: {"model": ErrorAnswer, "description": ", ".join(f"`{code}`" for code in found)}
        for status, found in sorted(by_status.items())
    }
    described["default"] = {"model": ErrorAnswer, "description": "Any other error."}
    return described


def with_header(status: int, *names: str) -> dict[int | str, Json]:
    """Headers of the answer with this status, by their names."""
    return {status: {"headers": {name: header(name) for name in names}}}


def query(model: type[BaseModel]) -> Json:
    """``model``'s fields as query parameters."""
    schema = model.model_json_schema(ref_template=REF)
    parameters = [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "description": field.get("description", ""),
            "schema": {key: value for key, value in field.items() if key != "description"},
        }
        for name, field in schema.get("properties", {}).items()
    ]
    return {"parameters": parameters} if parameters else {}


def json_body(model: type[BaseModel]) -> Json:
    """A JSON body of ``model``."""
    schema = model.model_json_schema(ref_template=REF)
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def photo_body(
    *,
    fields: Sequence[str] = ("image",),
    several: bool = False,
    options: type[BaseModel] = NoOptions,
) -> Json:
    """A body of photos in three forms (two, where there are two photos), and its options."""
    given = options.model_json_schema(ref_template=REF).get("properties", {})
    many: Json = {"type": "array", "items": BINARY}
    files: Json = {name: many if several and name == "image" else BINARY for name in fields}
    texts: Json = dict.fromkeys(fields, BASE64)
    required: Json = {"required": list(fields)}
    if several:
        texts["images"] = {"type": "array", "items": BASE64}
        required = {"oneOf": [{"required": ["image"]}, {"required": ["images"]}]}
        if others := [name for name in fields if name != "image"]:
            required["required"] = others
    content: Json = {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {**files, **given},
                "required": list(fields),
            }
        },
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {**texts, **given},
                "additionalProperties": False,
                **required,
            }
        },
    }
    if len(fields) == 1:
        content["image/*"] = {"schema": BINARY}
        content["application/octet-stream"] = {"schema": BINARY}
    return {"requestBody": {"required": True, "content": content}, **query(options)}
