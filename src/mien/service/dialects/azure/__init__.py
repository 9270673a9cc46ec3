"""Azure's Face API under ``/azure/face/VERSION``, whatever version a client names.

docs/reference/azure.md says what works and what differs. Each file translates one resource; what a
face, a person or a group is, the gallery and the engine know.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from mien.service.dialects.azure import (
    detect,
    directory,
    dynamic_groups,
    face_lists,
    operations,
    person_groups,
    recognition,
)
from mien.service.dialects.azure.errors import AzureError
from mien.service.dialects.azure.route import AzureRoute

__all__ = ["PREFIX", "router"]

PREFIX = "/azure/face/{version}"


def router() -> APIRouter:
    """All routes of the dialect."""
    made = APIRouter(route_class=AzureRoute)
    for part in (
        detect.router,
        recognition.router,
        person_groups.router(),
        face_lists.router(),
        directory.router,
        dynamic_groups.router,
        operations.router,
    ):
        made.include_router(part, prefix=PREFIX)
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
    made.add_api_route("/azure/{path:path}", _nothing, methods=methods, include_in_schema=False)
    return made


async def _nothing(request: Request) -> Response:
    """No such route."""
    raise AzureError(404, "ResourceNotFound", "The requested resource was not found.")
