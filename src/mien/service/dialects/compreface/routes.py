"""The dialect's routes, its error body, and its own description."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from mien.gallery import Scope
from mien.service.dialects.compreface import recognition, subjects
from mien.service.dialects.compreface.failures import failed
from mien.service.dialects.compreface.requests import (
    CompreCall,
    LookOptions,
    PageOptions,
    caller,
)
from mien.service.dialects.endpoints import Endpoint, add_description, guarded
from mien.service.errors import Answer
from mien.service.openapi import query

__all__ = ["OPERATIONS", "PREFIX", "Operation", "router"]

PREFIX = "/compreface/api/v1"

DESCRIPTION = """
CompreFace's API as Mien answers it. `x-api-key` is an API key of an application; it opens all three
services. An error is `{"message", "code"}`.
""".strip()


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation.

    Attributes:
        name: for the description.
        scope: what the key must allow.
        run: does it.
        method, path: where it is; a slash at the end is taken too.
        options: in the query.
        files: photos in the body; fields: of a JSON body.
        status: of the answer.
    """

    name: str
    scope: Scope
    run: Callable[[CompreCall], Awaitable[Any]]
    method: str
    path: str
    options: type[BaseModel] | None = None
    files: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    status: int = 200


_READ, _WRITE, _LOOK = Scope.GALLERY_READ, Scope.GALLERY_WRITE, Scope.DETECT
_SUBJECTS = "/recognition/subjects"
_SUBJECT = f"{_SUBJECTS}/{{subject}}"
_FACES = "/recognition/faces"
_FACE = f"{_FACES}/{{image_id}}"
_EMBEDDINGS = "/recognition/embeddings"

OPERATIONS = (
    Operation(
        "create-subject", _WRITE, subjects.create, "POST", _SUBJECTS, None, (), ("subject",), 201
    ),
    Operation("list-subjects", _READ, subjects.listing, "GET", _SUBJECTS),
    Operation("delete-subjects", _WRITE, subjects.delete_all, "DELETE", _SUBJECTS),
    Operation("rename-subject", _WRITE, subjects.rename, "PUT", _SUBJECT, None, (), ("subject",)),
    Operation("delete-subject", _WRITE, subjects.delete, "DELETE", _SUBJECT),
    Operation(
        "add-face", _WRITE, subjects.add_face, "POST", _FACES, LookOptions, ("file",), (), 201
    ),
    Operation("list-faces", _READ, subjects.faces, "GET", _FACES, PageOptions),
    Operation("delete-faces", _WRITE, subjects.delete_faces, "DELETE", _FACES),
    Operation("delete-listed-faces", _WRITE, subjects.delete_listed, "POST", f"{_FACES}/delete"),
    Operation("delete-face", _WRITE, subjects.delete_face, "DELETE", _FACE),
    Operation("face-image", _READ, subjects.image, "GET", f"{_FACE}/img"),
    Operation(
        "verify-face",
        _READ,
        recognition.verify_face,
        "POST",
        f"{_FACE}/verify",
        LookOptions,
        ("file",),
    ),
    Operation(
        "recognize",
        _READ,
        recognition.recognize,
        "POST",
        "/recognition/recognize",
        LookOptions,
        ("file",),
    ),
    Operation(
        "recognize-embeddings",
        _READ,
        recognition.recognise_embeddings,
        "POST",
        f"{_EMBEDDINGS}/recognize",
        LookOptions,
        (),
        ("embeddings",),
    ),
    Operation(
        "verify-embeddings",
        _READ,
        recognition.verify_embeddings,
        "POST",
        f"{_EMBEDDINGS}/faces/{{image_id}}/verify",
        None,
        (),
        ("embeddings",),
    ),
    Operation(
        "detect", _LOOK, recognition.detect, "POST", "/detection/detect", LookOptions, ("file",)
    ),
    Operation(
        "verify",
        _LOOK,
        recognition.verify,
        "POST",
        "/verification/verify",
        LookOptions,
        ("source_image", "target_image"),
    ),
    Operation(
        "compare-embeddings",
        _LOOK,
        recognition.compare_embeddings,
        "POST",
        "/verification/embeddings/verify",
        None,
        (),
        ("source", "targets"),
    ),
)


def router() -> APIRouter:
    """All routes of the dialect, and ``openapi.json`` beside them, which describes them."""
    made = APIRouter(prefix=PREFIX)
    for operation in OPERATIONS:
        for path in (operation.path, f"{operation.path}/"):
            made.add_api_route(
                path,
                guarded(_endpoint(operation), failed),
                methods=[operation.method],
                name=operation.name,
                operation_id=operation.name,
                description=operation.run.__doc__,
                response_class=Response,
                status_code=operation.status,
                responses={"default": {"description": "An error.", "content": _ERROR}},
                openapi_extra=_described(operation),
                include_in_schema=path == operation.path,
            )
    add_description(
        made, "/openapi.json", title="Mien: CompreFace dialect", description=DESCRIPTION
    )
    return made


def _endpoint(operation: Operation) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        call = await caller(request, operation.scope)
        path = {name: str(value) for name, value in request.path_params.items()}
        answer = await operation.run(CompreCall(call, path))
        if isinstance(answer, Response):
            return answer
        return Answer(answer, status_code=operation.status)

    return endpoint


_TEXT = {"type": "string"}
_ERROR: dict[str, Any] = {
    "application/json": {
        "schema": {
            "type": "object",
            "properties": {"message": _TEXT, "code": {"type": "integer"}},
            "required": ["message", "code"],
        }
    }
}


def _described(operation: Operation) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _TEXT}
        for name in ("subject", "image_id")
        if f"{{{name}}}" in operation.path
    ]
    parameters.append({"name": "x-api-key", "in": "header", "required": True, "schema": _TEXT})
    if operation.name in ("add-face", "delete-faces"):
        required = operation.name == "add-face"
        parameters.append({"name": "subject", "in": "query", "required": required, "schema": _TEXT})
    if operation.options is not None:
        parameters += query(operation.options)["parameters"]
    described: dict[str, Any] = {"parameters": parameters}
    content: dict[str, Any] = {}
    if operation.files:
        binary = {"type": "string", "format": "binary"}
        content["multipart/form-data"] = _object(dict.fromkeys(operation.files, binary))
        base64 = {"type": "string", "contentEncoding": "base64"}
        content["application/json"] = _object(dict.fromkeys(operation.files, base64))
    elif operation.fields:
        content["application/json"] = _object({name: _FIELDS[name] for name in operation.fields})
    elif operation.name == "delete-listed-faces":
        content["application/json"] = {"schema": {"type": "array", "items": _TEXT}}
    if content:
        described["requestBody"] = {"required": True, "content": content}
    return described


_NUMBERS = {"type": "array", "items": {"type": "number"}}
_FIELDS: dict[str, Any] = {
    "subject": _TEXT,
    "source": _NUMBERS,
    "targets": {"type": "array", "items": _NUMBERS},
    "embeddings": {"type": "array", "items": _NUMBERS},
}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    required = list(properties)
    return {"schema": {"type": "object", "properties": properties, "required": required}}
