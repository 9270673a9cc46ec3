"""FaceList and LargeFaceList: faces without persons."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from mien.errors import InvalidArgument
from mien.gallery import Gallery
from mien.service.dialects.azure import containers, faces, persons
from mien.service.dialects.azure.container_routes import add_container_routes, add_training_routes
from mien.service.dialects.azure.containers import FACE_LIST, LARGE_FACE_LIST, Kind
from mien.service.dialects.azure.fields import Body, page, shown_id
from mien.service.dialects.azure.route import (
    AzureRoute,
    Reading,
    Writing,
    done,
    query_of,
    with_body,
    with_photo,
)

__all__ = ["router"]


def router() -> APIRouter:
    """The routes of both kinds."""
    made = APIRouter(route_class=AzureRoute)
    for kind in (FACE_LIST, LARGE_FACE_LIST):
        add_container_routes(made, kind)
        _add_face_routes(made, kind)
    add_training_routes(made, LARGE_FACE_LIST)
    _add_large_routes(made, LARGE_FACE_LIST)
    return made


def _add_face_routes(router: APIRouter, kind: Kind) -> None:
    path, tags = f"/{kind.path}/{{container}}/persistedfaces", [kind.what]

    @router.post(path, tags=[*tags], name=f"add {kind.what} face")
    async def add(call: Writing, container: str) -> Response:
        """Register a face."""
        asked = faces.Registration(query_of(call))

        def work(data: bytes) -> dict[str, Any]:
            found = containers.find(call.gallery, kind, container)
            stored = faces.register(call, found.group, None, found.model, data, asked)
            return {"persistedFaceId": shown_id(stored.id)}

        return done(await with_photo(call, work))

    @router.delete(path + "/{face}", tags=[*tags], name=f"delete {kind.what} face")
    async def delete(call: Writing, container: str, face: str) -> Response:
        """Delete a face."""

        def work() -> None:
            group = containers.find(call.gallery, kind, container).group
            _delete(call.gallery, group, face)

        return done(await call.with_records(work))


def _add_large_routes(router: APIRouter, kind: Kind) -> None:
    path, tags = f"/{kind.path}/{{container}}/persistedfaces", [kind.what]

    @router.get(path, tags=[*tags], name=f"list {kind.what} faces")
    async def listing(call: Reading, container: str) -> Response:
        """Faces by id, those after ``start``."""
        start, top = page(query_of(call))

        def work() -> list[dict[str, Any]]:
            group = containers.find(call.gallery, kind, container).group
            after = _after(start)
            return [faces.shown(one) for one in call.gallery.faces(group, after=after, limit=top)]

        return done(await call.with_records(work))

    @router.get(path + "/{face}", tags=[*tags], name=f"get {kind.what} face")
    async def show(call: Reading, container: str, face: str) -> Response:
        """One face."""

        def work() -> dict[str, Any]:
            group = containers.find(call.gallery, kind, container).group
            return faces.shown(faces.find(call.gallery, group, face))

        return done(await call.with_records(work))

    @router.patch(path + "/{face}", tags=[*tags], name=f"update {kind.what} face")
    async def change(call: Writing, container: str, face: str) -> Response:
        """Change what is kept with a face."""

        def work(body: Body) -> None:
            group = containers.find(call.gallery, kind, container).group
            faces.change(call.gallery, group, faces.find(call.gallery, group, face), body)

        return done(await with_body(call, work))


def _delete(gallery: Gallery, group: str, face: str) -> None:
    """Delete a face, and the nameless person that was made for it."""
    found = faces.find(gallery, group, face)
    if gallery.person(group, found.person_id).anonymous:
        gallery.delete_person(group, found.person_id)
    else:
        gallery.delete_face(group, found.id)


def _after(start: str) -> str | None:
    """``start`` as the id of a face, complete or its beginning."""
    if not start:
        return None
    digits = persons.start_of(start)[:32].ljust(32, "0")
    if not all(c in "0123456789abcdef" for c in digits):
        raise InvalidArgument("'start' is invalid.")
    return digits
