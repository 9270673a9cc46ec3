"""The dialect's routes, its failure body, and its own description."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from mien.errors import MienError
from mien.gallery import Scope
from mien.service.dialects.endpoints import Endpoint, add_description, guarded, headers_of
from mien.service.dialects.luxand import persons, photos
from mien.service.dialects.luxand.requests import PHOTO_FIELDS, PREFIX, LuxandCall, caller
from mien.service.errors import Answer, status_of

__all__ = ["OPERATIONS", "PREFIX", "Operation", "failed", "router"]

DESCRIPTION = """
Luxand.cloud's API as Mien answers it. `token` is an API key of an application. Photo fields hold a
file, a URL or base64. A failure is `{"status": "failure", "message"}`.
""".strip()

Run = Callable[[LuxandCall], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation.

    Attributes:
        name: for the description.
        scope: what the token must allow.
        run: does it.
        routes: method and path, in every version that has it.
        fields: of the form.
    """

    name: str
    scope: Scope
    run: Run
    routes: tuple[tuple[str, str], ...]
    fields: tuple[str, ...] = ()


def _persons(method: str, rest: str = "") -> tuple[tuple[str, str], ...]:
    return tuple((method, f"{start}{rest}") for start in ("/v2/person", "/person", "/subject"))


def _collections(method: str, rest: str = "") -> tuple[tuple[str, str], ...]:
    return tuple((method, f"{start}{rest}") for start in ("/v2/collection", "/collection"))


_PERSON = "/{person}"
_MEMBER = "/{collection}/person/{person}"
_READ, _WRITE, _LOOK = Scope.GALLERY_READ, Scope.GALLERY_WRITE, Scope.DETECT
_NEW = ("name", "photos", "photo", "store", "collections", "unique")

OPERATIONS = (
    Operation("create-person", _WRITE, persons.create, _persons("POST"), _NEW),
    Operation("list-persons", _READ, persons.listing, _persons("GET")),
    Operation("delete-persons", _WRITE, persons.delete_all, _persons("DELETE")),
    Operation("show-person", _READ, persons.show, _persons("GET", _PERSON)),
    Operation(
        "update-person",
        _WRITE,
        persons.update,
        (*_persons("PUT", _PERSON), *_persons("PATCH", _PERSON)),
        ("name", "collections"),
    ),
    Operation(
        "add-face",
        _WRITE,
        persons.add_face,
        _persons("POST", _PERSON),
        ("photos", "photo", "store"),
    ),
    Operation("face-image", _READ, persons.face_image, (("GET", "/face/{face}/image"),)),
    Operation("delete-person", _WRITE, persons.delete, _persons("DELETE", _PERSON)),
    Operation("list-collections", _READ, persons.collections, _collections("GET")),
    Operation(
        "create-collection", _WRITE, persons.create_collection, _collections("POST"), ("name",)
    ),
    Operation(
        "delete-collection",
        _WRITE,
        persons.delete_collection,
        _collections("DELETE", "/{collection}"),
    ),
    Operation(
        "add-to-collection", _WRITE, persons.add_to_collection, _collections("POST", _MEMBER)
    ),
    Operation(
        "remove-from-collection",
        _WRITE,
        persons.remove_from_collection,
        _collections("DELETE", _MEMBER),
    ),
    Operation(
        "search",
        _READ,
        photos.search,
        (("POST", "/photo/search/v2"), ("POST", "/photo/search")),
        ("photo", "collections"),
    ),
    Operation("verify", _READ, photos.verify, (("POST", "/photo/verify/{person}"),), ("photo",)),
    Operation(
        "similarity",
        _LOOK,
        photos.similarity,
        (("POST", "/photo/similarity"),),
        ("face1", "face2", "threshold"),
    ),
    Operation("detect", _LOOK, photos.detect, (("POST", "/photo/detect"),), ("photo",)),
    Operation("emotions", _LOOK, photos.emotions, (("POST", "/photo/emotions"),), ("photo",)),
    Operation("landmarks", _LOOK, photos.landmarks, (("POST", "/photo/landmarks"),), ("photo",)),
    Operation(
        "liveness",
        _LOOK,
        photos.liveness,
        (("POST", "/photo/liveness"), ("POST", "/photo/liveness/v2")),
        ("photo",),
    ),
)


def router() -> APIRouter:
    """All routes of the dialect, and ``/luxand/openapi.json``, which describes them."""
    made = APIRouter(prefix=PREFIX)
    for operation in OPERATIONS:
        for method, path in operation.routes:
            made.add_api_route(
                path,
                guarded(_endpoint(operation, path), failed),
                methods=[method],
                name=operation.name,
                operation_id=f"{operation.name} {method} {path}",
                description=operation.run.__doc__,
                response_class=Response,
                responses={"default": {"description": "A failure.", "content": _FAILURE}},
                openapi_extra=_described(operation, path),
            )
    add_description(made, "/openapi.json", title="Mien: Luxand dialect", description=DESCRIPTION)
    return made


def failed(error: MienError) -> Response:
    """``{"status": "failure", "message"}`` with the error's own status."""
    body = {"status": "failure", "message": error.message}
    return Answer(body, status_code=status_of(error.code), headers=headers_of(error))


def _endpoint(operation: Operation, path: str) -> Endpoint:
    version = 2 if "/v2" in path else 1

    async def endpoint(request: Request) -> Response:
        call = await caller(request, operation.scope)
        given = {name: str(value) for name, value in request.path_params.items()}
        answer = await operation.run(LuxandCall(call, given, version))
        return answer if isinstance(answer, Response) else Answer(answer)

    return endpoint


_TEXT = {"type": "string"}
_FAILURE: dict[str, Any] = {
    "application/json": {
        "schema": {
            "type": "object",
            "properties": {"status": _TEXT, "message": _TEXT},
            "required": ["status", "message"],
        }
    }
}


def _described(operation: Operation, path: str) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _TEXT}
        for name in ("person", "collection", "face")
        if f"{{{name}}}" in path
    ]
    parameters.append({"name": "token", "in": "header", "required": True, "schema": _TEXT})
    if not operation.fields:
        return {"parameters": parameters}
    binary = {"type": "string", "format": "binary"}
    files = {name: binary if name in PHOTO_FIELDS else _TEXT for name in operation.fields}
    content = {
        "multipart/form-data": {"schema": {"type": "object", "properties": files}},
        "application/x-www-form-urlencoded": {
            "schema": {"type": "object", "properties": dict.fromkeys(operation.fields, _TEXT)}
        },
    }
    return {"parameters": parameters, "requestBody": {"content": content}}
