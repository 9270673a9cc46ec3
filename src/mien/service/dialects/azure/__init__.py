"""Azure's Face API under ``/azure/face/VERSION``, whatever version a client names.

``/face/VERSION`` is the same: the older JavaScript client drops the path of its endpoint, so it
can only be pointed at a host. docs/reference/azure.md says what works and what differs. Each file
translates one resource; what a face, a person or a group is, the gallery and the engine know.
"""

from __future__ import annotations

from asyncio import to_thread
from functools import cache
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import Route

from mien.service.dialects.azure import (
    detect,
    directory,
    dynamic_groups,
    face_lists,
    liveness,
    operations,
    person_groups,
    recognition,
    snapshot_routes,
)
from mien.service.dialects.azure.description import document
from mien.service.dialects.azure.route import AzureRoute
from mien.service.dialects.azure.spelling import Spelling
from mien.service.errors import Answer
from mien.service.openapi import described_once

__all__ = ["OWN", "PREFIXES", "router"]

PREFIXES = ("/azure/face", "/face")
OWN = ("/azure", "/face")
"""Whatever begins with these is answered in the API's shape."""
"""Beginnings of the paths of all routes."""


def router() -> APIRouter:
    """All routes of the dialect; only those of the first prefix are described."""
    made = APIRouter(route_class=AzureRoute)
    parts = (
        detect.router,
        recognition.router,
        person_groups.router(),
        face_lists.router(),
        directory.router,
        dynamic_groups.router,
        operations.router,
        snapshot_routes.router,
        liveness.router(),
    )
    for prefix in PREFIXES:
        for part in parts:
            first = prefix == PREFIXES[0]
            made.include_router(part, prefix=f"{prefix}/{{version}}", include_in_schema=first)
    described = [*made.routes]

    @cache
    def description() -> dict[str, Any]:
        return document(described)

    async def openapi() -> Response:
        """The dialect's description, OpenAPI 3.1."""
        return Answer(await to_thread(described_once, description))

    made.add_api_route("/azure/openapi.json", openapi, include_in_schema=False)
    paths = [one.path for part in parts for one in part.routes if isinstance(one, APIRoute)]
    spelling = Spelling(f"{prefix}/{{version}}{path}" for prefix in PREFIXES for path in paths)
    for prefix in OWN:
        made.routes.append(Route(f"{prefix}/{{path:path}}", spelling, include_in_schema=False))
    return made
