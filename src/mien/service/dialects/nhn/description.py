"""What FastAPI cannot see of the dialect: its parameters, bodies and answers, for OpenAPI."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, create_model

from mien.service.dialects.nhn.answers import Envelope
from mien.service.dialects.nhn.operations import Operation, Route

__all__ = ["answers_of", "request_of"]

Json = dict[str, Any]

_DESCRIBED = {
    "appKey": "Id of the application.",
    "groupId": "Name of the group.",
    "faceId": "Id of a registered face.",
}


def answers_of(operation: Operation, route: Route) -> dict[int | str, Json]:
    """Every answer: status 200, with the data or with an error."""
    data = operation.answer
    if route.version == "v1.0" and operation.answer_v1 is not None:
        data = operation.answer_v1
    if data is None:
        return {200: {"model": Envelope}}
    fields: Json = {"data": (data | None, None)}
    whole = create_model(f"{data.__name__}Envelope", __base__=Envelope, **fields)
    return {200: {"model": whole, "description": "The data; an error has a header alone."}}


def request_of(operation: Operation, route: Route) -> Json:
    """Parameters of the path, the query and the header, and the body."""
    v1 = route.version == "v1.0"
    query, body = operation.query, operation.body
    if v1:
        query, body = operation.query_v1 or query, operation.body_v1 or body
    described: Json = {"parameters": [*_path(route), *_secret(route), *_query(query)]}
    if body is not None:
        described["requestBody"] = {"required": True, "content": _body(operation, body, v1)}
    return described


def _path(route: Route) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "description": text, "schema": _TEXT}
        for name, text in _DESCRIBED.items()
        if f"{{{name}}}" in route.path
    ]


def _secret(route: Route) -> list[Json]:
    name, text = "Authorization", "An API key of the application, as it is."
    if route.version == "v2.1":
        name, text = "x-nhn-authorization", "Bearer, and an API key of the application."
    one = {"name": name, "in": "header", "description": text, "schema": _TEXT}
    return [{**one, "required": route.version != "v1.0"}]


def _query(model: type[BaseModel] | None) -> list[Json]:
    if model is None:
        return []
    schema = model.model_json_schema(by_alias=True)
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "description": field.get("description", ""),
            "schema": {key: value for key, value in field.items() if key != "description"},
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _body(operation: Operation, model: type[BaseModel], v1: bool) -> Json:
    schema = model.model_json_schema(by_alias=True)
    fields, required = schema.get("properties", {}), list(schema.get("required", ()))
    photos = {part.name: _IMAGE for part in operation.parts}
    whole = {**photos, **fields}
    content = {"application/json": _schema(whole, [*photos, *required])}
    if operation.parts and not v1:
        files = {part.file: _BINARY for part in operation.parts}
        urls = {part.url: _TEXT for part in operation.parts}
        content["multipart/form-data"] = _schema({**files, **urls, **fields}, required)
    return content


def _schema(properties: Json, required: list[str]) -> Json:
    return {"schema": {"type": "object", "properties": properties, "required": required}}


_TEXT: Json = {"type": "string"}
_BINARY: Json = {"type": "string", "format": "binary"}
_IMAGE: Json = {
    "type": "object",
    "properties": {
        "url": {"type": "string", "description": "http or https."},
        "bytes": {"type": "string", "contentEncoding": "base64"},
    },
    "description": "One of url and bytes: PNG or JPEG, 3,000,000 bytes, 80 x 80 pixels at least.",
}
