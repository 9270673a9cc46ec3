"""PersonGroup and LargePersonGroup: containers, their persons, the persons' faces, training."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from mien.errors import NotFound
from mien.service.dialects.azure import containers, faces, persons
from mien.service.dialects.azure.container_routes import add_container_routes, add_training_routes
from mien.service.dialects.azure.containers import LARGE_PERSON_GROUP, PERSON_GROUP, Kind
from mien.service.dialects.azure.errors import AzureError, missing
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
    for kind in (PERSON_GROUP, LARGE_PERSON_GROUP):
        add_container_routes(made, kind)
        add_training_routes(made, kind)
        _add_person_routes(made, kind)
        _add_face_routes(made, kind)
    return made


def _add_person_routes(router: APIRouter, kind: Kind) -> None:
    path, tags = f"/{kind.path}/{{container}}/persons", [kind.what]

    @router.post(path, tags=[*tags], name=f"create {kind.what} person")
    async def create(call: Writing, container: str) -> Response:
        """Create a person."""

        def work(body: Body) -> dict[str, Any]:
            found = containers.find(call.gallery, kind, container)
            return {"personId": shown_id(persons.add(call.gallery, found.group, body).id)}

        return done(await with_body(call, work))

    @router.get(path, tags=[*tags], name=f"list {kind.what} persons")
    async def listing(call: Reading, container: str) -> Response:
        """Persons by id, those after ``start``."""
        start, top = page(query_of(call))

        def work() -> list[dict[str, Any]]:
            group = containers.find(call.gallery, kind, container).group
            after = persons.start_of(start)
            found = call.gallery.annex.persons(group, after=after, limit=top)
            return persons.shown(call.gallery, group, found)

        return done(await call.with_records(work))

    @router.get(path + "/{person}", tags=[*tags], name=f"get {kind.what} person")
    async def show(call: Reading, container: str, person: str) -> Response:
        """One person."""

        def work() -> dict[str, Any]:
            group = containers.find(call.gallery, kind, container).group
            found = persons.find(call.gallery, group, person)
            return persons.shown(call.gallery, group, [found])[0]

        return done(await call.with_records(work))

    @router.patch(path + "/{person}", tags=[*tags], name=f"update {kind.what} person")
    async def change(call: Writing, container: str, person: str) -> Response:
        """Change name and user data."""

        def work(body: Body) -> None:
            group = containers.find(call.gallery, kind, container).group
            persons.change(call.gallery, group, person, body)

        return done(await with_body(call, work))

    @router.delete(path + "/{person}", tags=[*tags], name=f"delete {kind.what} person")
    async def delete(call: Writing, container: str, person: str) -> Response:
        """Delete a person with all faces."""

        def work() -> None:
            group = containers.find(call.gallery, kind, container).group
            found = persons.find(call.gallery, group, person)
            try:
                call.gallery.delete_person(group, found.id)
            except NotFound:
                raise missing("Person") from None

        return done(await call.with_records(work))


def _add_face_routes(router: APIRouter, kind: Kind) -> None:
    path = f"/{kind.path}/{{container}}/persons/{{person}}/persistedfaces"
    one, tags = path + "/{face}", [kind.what]

    @router.post(path, tags=[*tags], name=f"add {kind.what} person face")
    async def add(call: Writing, container: str, person: str) -> Response:
        """Register a person's face."""
        asked = faces.Registration(query_of(call))

        def work(data: bytes) -> dict[str, Any]:
            found = containers.find(call.gallery, kind, container)
            owner = persons.find(call.gallery, found.group, person)
            if owner.faces >= persons.MAX_FACES:
                raise AzureError(403, "QuotaExceeded", "Persisted face number reached limit.")
            stored = faces.register(call, found.group, owner.id, found.model, data, asked)
            return {"persistedFaceId": shown_id(stored.id)}

        return done(await with_photo(call, work))

    @router.get(one, tags=[*tags], name=f"get {kind.what} person face")
    async def show(call: Reading, container: str, person: str, face: str) -> Response:
        """One face of a person."""

        def work() -> dict[str, Any]:
            group = containers.find(call.gallery, kind, container).group
            owner = persons.find(call.gallery, group, person)
            return faces.shown(faces.find(call.gallery, group, face, person=owner.id))

        return done(await call.with_records(work))

    @router.patch(one, tags=[*tags], name=f"update {kind.what} person face")
    async def change(call: Writing, container: str, person: str, face: str) -> Response:
        """Change what is kept with a face."""

        def work(body: Body) -> None:
            group = containers.find(call.gallery, kind, container).group
            owner = persons.find(call.gallery, group, person)
            found = faces.find(call.gallery, group, face, person=owner.id)
            faces.change(call.gallery, group, found, body)

        return done(await with_body(call, work))

    @router.delete(one, tags=[*tags], name=f"delete {kind.what} person face")
    async def delete(call: Writing, container: str, person: str, face: str) -> Response:
        """Delete a face of a person."""

        def work() -> None:
            group = containers.find(call.gallery, kind, container).group
            owner = persons.find(call.gallery, group, person)
            found = faces.find(call.gallery, group, face, person=owner.id)
            call.gallery.delete_face(group, found.id)

        return done(await call.with_records(work))
