"""Routes that all kinds of containers have: create, list, show, change, delete, train."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from mien.service.call import Call
from mien.service.dialects.azure import containers
from mien.service.dialects.azure.containers import FACE_LIST, Container, Kind
from mien.service.dialects.azure.fields import Body, boolean, page
from mien.service.dialects.azure.route import Reading, Writing, done, query_of, with_body

__all__ = ["POLL_S", "add_container_routes", "add_training_routes", "located"]

POLL_S = "1"
"""Seconds after which a client asks again; without it some wait for half a minute."""


def add_container_routes(router: APIRouter, kind: Kind) -> None:
    """PUT, GET, PATCH, DELETE of one; GET of all."""
    one, tags = f"/{kind.path}/{{container}}", [kind.what]

    @router.put(one, tags=[*tags], name=f"create {kind.what}")
    async def create(call: Writing, container: str) -> Response:
        """Create a container."""

        def work(body: Body) -> None:
            containers.create(call, kind, container, body)

        return done(await with_body(call, work))

    @router.get(one, tags=[*tags], name=f"get {kind.what}")
    async def show(call: Reading, container: str) -> Response:
        """One container."""
        model = boolean(query_of(call), "returnRecognitionModel", default=False)

        def work() -> dict[str, Any]:
            found = containers.find(call.gallery, kind, container)
            shown = found.shown(model=model)
            return shown | _faces(call, found) if kind is FACE_LIST else shown

        return done(await call.with_records(work))

    @router.patch(one, tags=[*tags], name=f"update {kind.what}")
    async def change(call: Writing, container: str) -> Response:
        """Change name and user data."""

        def work(body: Body) -> None:
            containers.change(call.gallery, kind, container, body)

        return done(await with_body(call, work))

    @router.delete(one, tags=[*tags], name=f"delete {kind.what}")
    async def delete(call: Writing, container: str) -> Response:
        """Delete a container with all that is in it."""
        await call.with_records(lambda: containers.delete(call.gallery, kind, container))
        return done()

    @router.get(f"/{kind.path}", tags=[*tags], name=f"list {kind.what}s")
    async def listing(call: Reading) -> Response:
        """Containers by id, those after ``start``."""
        query = query_of(call)
        model = boolean(query, "returnRecognitionModel", default=False)
        start, top = ("", 1000) if kind is FACE_LIST else page(query)

        def work() -> list[dict[str, Any]]:
            found = containers.listing(call.gallery, kind, start, top)
            return [one.shown(model=model) for one in found]

        return done(await call.with_records(work))


def add_training_routes(router: APIRouter, kind: Kind) -> None:
    """POST train, GET training."""
    path, tags = f"/{kind.path}/{{container}}", [kind.what]

    @router.post(path + "/train", tags=[*tags], name=f"train {kind.what}", status_code=202)
    async def train(call: Writing, container: str) -> Response:
        """Let searches find what has been added."""
        await call.with_records(lambda: containers.train(call.gallery, kind, container))
        path = call.request.url.path.removesuffix("/train") + "/training"
        headers = {"operation-location": located(call, path), "Retry-After": POLL_S}
        return done(status=202, headers=headers)

    @router.get(path + "/training", tags=[*tags], name=f"get {kind.what} training")
    async def status(call: Reading, container: str) -> Response:
        """How the last training went."""
        found = await call.with_records(lambda: containers.training(call.gallery, kind, container))
        return done(found, headers={"Retry-After": POLL_S})


def located(call: Call, path: str) -> str:
    """A path of this server as an absolute URL, by the name that the client used."""
    return str(call.request.url.replace(path=path, query="", fragment=""))


def _faces(call: Call, found: Container) -> dict[str, Any]:
    from mien.service.dialects.azure import faces

    listed = call.gallery.faces(found.group, limit=1000)
    return {"persistedFaces": [faces.shown(one) for one in listed]}
