"""The description of the API: what FastAPI makes of the routes, and what it cannot see of them."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Protocol, runtime_checkable

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

import mien
from mien.service import pages
from mien.service.api import routers
from mien.service.call import Allowed
from mien.service.examples import complete_examples
from mien.service.headers import HEADERS, PARAMETERS, PATHS, header, parameter
from mien.service.openapi import DESCRIPTION, SCHEMES, TAGS, described_once

__all__ = ["Described", "described_routes", "document"]

Json = dict[str, Any]


@runtime_checkable
class Guard(Protocol):
    """A dependency that lets some in and refuses others."""

    @property
    def security(self) -> Iterable[Json]:
        """Whom, in the terms of OpenAPI."""


class Described(FastAPI):
    """An app that describes ``/v1`` and the pages beside it; dialects describe themselves."""

    def openapi(self) -> Json:
        """The description, OpenAPI 3.1."""
        return document()


def described_routes() -> list[APIRoute]:
    """The routes that the description lists, and the pages, which it leaves out."""
    every = [route for router in (*routers(), pages.router) for route in router.routes]
    return [route for route in every if isinstance(route, APIRoute)]


def document() -> Json:
    """The description, made once in a process: it is the same for every app."""
    return described_once(_made)


@cache
def _made() -> Json:
    made = get_openapi(
        title="Mien",
        version=mien.__version__,
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        tags=TAGS,
        routes=described_routes(),
    )
    components = made["components"]
    components["parameters"] = PARAMETERS
    components["headers"] = HEADERS
    components["securitySchemes"] = SCHEMES
    for route, operation in _operations(made):
        _complete(route, operation)
        _move_models(operation, components["schemas"])
    complete_examples(made)
    return made


def _operations(made: Json) -> Iterator[tuple[APIRoute, Json]]:
    for route in described_routes():
        for method in route.methods or ():
            if route.include_in_schema:
                yield route, made["paths"][route.path_format][method.lower()]


def _complete(route: APIRoute, operation: Json) -> None:
    """Everything of an operation that follows from what the route does anyway."""
    operation["operationId"] = route.name
    operation["summary"] = route.description.partition("\n\n")[0].replace("\n", " ").rstrip(".")
    guard = _guard(route)
    taken = ["RequestId"]
    if guard is not None:
        operation["security"] = list(guard.security)
        if not (isinstance(guard, Allowed) and guard.streams):
            taken.append("Deadline")
        if _answers_json(operation):
            taken.append("Timings")
        if isinstance(guard, Allowed) and any(map(guard.does_once, route.methods or ())):
            taken.append("IdempotencyKey")
            _add_conflict(operation["responses"])
    if "304" in operation["responses"]:
        taken.append("IfNoneMatch")
    if "412" in operation["responses"]:
        taken.append("IfMatch")
    own = operation.get("parameters", [])
    for one in own:
        if one["in"] == "path":
            one["description"], one["example"] = PATHS[one["name"]]
    operation["parameters"] = [*own, *map(parameter, taken)]
    for status, answer in operation["responses"].items():
        _add_headers(status, answer, taken)


def _guard(route: APIRoute) -> Guard | None:
    """Whom the route lets in; None: everybody."""
    calls: list[object] = [one.call for one in route.dependant.dependencies]
    return next((call for call in calls if isinstance(call, Guard)), None)


def _answers_json(operation: Json) -> bool:
    return any(
        "application/json" in answer.get("content", {})
        for status, answer in operation["responses"].items()
        if status.startswith("2")
    )


def _add_conflict(answers: Json) -> None:
    """The error of an ``Idempotency-Key`` that has another request."""
    code, here = "`idempotency_conflict`", answers.get("409")
    if here is None:
        answers["409"] = {**copy.deepcopy(answers["400"]), "description": code}
    else:
        here["description"] += f", {code}"


def _add_headers(status: str, answer: Json, taken: list[str]) -> None:
    names = ["X-Request-ID"]
    if status == "401":
        names.append("WWW-Authenticate")
    if status in ("429", "503"):
        names.append("Retry-After")
    if status == "304":
        names.append("ETag")
    if status.startswith("2"):
        names += ["ETag"] if "IfNoneMatch" in taken else []
        names += ["Idempotency-Replayed"] if "IdempotencyKey" in taken else []
    if status == "304" or status.startswith("2"):
        names += ["Server-Timing"] if "Timings" in taken else []
    answer["headers"] = {**answer.get("headers", {}), **{name: header(name) for name in names}}


def _move_models(operation: Json, schemas: Json) -> None:
    """Models of JSON bodies get a name that others can refer to, as answers have."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = content["schema"]
        schemas.update(schema.pop("$defs", {}))
        if "title" in schema:
            schemas[schema["title"]] = schema
            content["schema"] = {"$ref": f"#/components/schemas/{schema['title']}"}
