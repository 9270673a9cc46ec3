"""What FastAPI cannot see: bodies in three forms, options in the query, the errors of a route."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from mien.service.errors import STATUS
from mien.service.schemas import ErrorAnswer, NoOptions

__all__ = ["DESCRIPTION", "NOT_MODIFIED", "errors", "json_body", "photo_body", "query"]

Json = dict[str, Any]

DESCRIPTION = """
Detect, compare and identify faces. Every answer has a `request_id`; every error has the shape
`{"error": {"code", "message", "details"}, "request_id"}`.

Photos come in three forms: `multipart/form-data`, the file itself (`image/*`), or base64 in JSON.
URLs and paths are not read. Box and landmark coordinates are pixels of the upright photo.

A `POST` that changes something takes the header `Idempotency-Key`: sent again with the same key it
is done once, and gets the same answer (`idempotency_conflict`, 409: the key has another request).
Groups, persons and faces have an `ETag`: `If-None-Match` on their `GET`, `If-Match` on `PATCH` and
`DELETE`. `?timings=true` on any route with an answer in JSON adds the header `Server-Timing`.
""".strip()

NOT_MODIFIED: dict[int | str, Json] = {
    304: {"description": "It is what the tag of the `If-None-Match` header says; no body."}
}

BINARY: Json = {"type": "string", "format": "binary"}
BASE64: Json = {
    "type": "string",
    "contentEncoding": "base64",
    "description": "base64, or a data: URI",
}


def errors(*codes: str) -> dict[int | str, Json]:
    """The error answers of a route, beside those that every route of ``/v1`` has."""
    common = ("unauthorized", "forbidden", "invalid_argument", "overloaded", "deadline_exceeded")
    by_status: dict[int, list[str]] = {}
    for code in (*common, *codes):
        by_status.setdefault(STATUS[code], []).append(code)
    described: dict[int | str, Json] = {
        status: {"model": ErrorAnswer, "description": ", ".join(f"`{code}`" for code in found)}
        for status, found in sorted(by_status.items())
    }
    described["default"] = {"model": ErrorAnswer, "description": "Any other error."}
    return described


def query(model: type[BaseModel]) -> Json:
    """``model``'s fields as query parameters."""
    schema = model.model_json_schema()
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
    schema = model.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def photo_body(
    *,
    fields: Sequence[str] = ("image",),
    several: bool = False,
    options: type[BaseModel] = NoOptions,
) -> Json:
    """A body of photos in three forms (two, where there are two photos), and its options."""
    given = options.model_json_schema().get("properties", {})
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
