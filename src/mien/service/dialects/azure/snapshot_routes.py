"""Snapshot: take, list, get, update, delete, apply; all is done when the 202 is sent."""

from __future__ import annotations

import uuid
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from mien.service.dialects.azure import operations, snapshots
from mien.service.dialects.azure.container_routes import POLL_S
from mien.service.dialects.azure.containers import KINDS
from mien.service.dialects.azure.errors import bad_argument
from mien.service.dialects.azure.fields import (
    CONTAINER_DATA,
    Body,
    choice,
    container_id,
    hex_id,
    shown_id,
    text,
    uuids,
)
from mien.service.dialects.azure.route import (
    AzureRoute,
    Reading,
    Writing,
    done,
    query_of,
    with_body,
)

__all__ = ["router"]

router = APIRouter(route_class=AzureRoute, tags=["Snapshot"])


@router.post("/snapshots", name="take Snapshot", status_code=202)
async def take(call: Writing) -> Response:
    """Copy a container; the copy is kept for 48 hours."""

    def work(body: Body) -> str:
        what = choice(body, "type", snapshots.TYPES, default="")
        kind = next((kind for kind in KINDS if kind.what == what), None)
        if kind is None:
            raise bad_argument("'type' is empty.")
        made = snapshots.take(
            call,
            kind,
            _object(body),
            scope=uuids(body, "applyScope", least=1, most=snapshots.MAX_SCOPE),
            user_data=text(body, "userData", most=CONTAINER_DATA),
        )
        return operations.start(call, resource=f"/snapshots/{shown_id(made.id)}")

    return _accepted(await with_body(call, work))


@router.get("/snapshots", name="list Snapshots")
async def listing(call: Reading) -> Response:
    """Snapshots that the application took or may apply."""
    query = query_of(call)
    what = choice(query, "type", snapshots.TYPES, default="") or None
    given = [one for one in str(query.get("applyScope", "")).split(",") if one.strip()]
    if len(given) > snapshots.MAX_SCOPE:
        raise bad_argument("The length of applyScope is not in a valid range.")
    scope = [hex_id(one.strip(), "applyScope") for one in given]

    def work() -> list[dict[str, Any]]:
        return [one.shown() for one in snapshots.listing(call.gallery, what, scope)]

    return done(await call.with_records(work))


@router.get("/snapshots/{snapshot}", name="get Snapshot")
async def show(call: Reading, snapshot: str) -> Response:
    """One snapshot."""
    one = hex_id(snapshot, "snapshotId")
    return done(await call.with_records(lambda: snapshots.find(call.gallery, one).shown()))


@router.patch("/snapshots/{snapshot}", name="update Snapshot")
async def change(call: Writing, snapshot: str) -> Response:
    """Change who may apply a snapshot, and its user data."""
    one = hex_id(snapshot, "snapshotId")

    def work(body: Body) -> None:
        scope = None
        if body.get("applyScope") is not None:
            scope = uuids(body, "applyScope", least=1, most=snapshots.MAX_SCOPE)
        data = text(body, "userData", most=CONTAINER_DATA)
        snapshots.change(call.gallery, one, scope=scope, user_data=data)

    return done(await with_body(call, work))


@router.delete("/snapshots/{snapshot}", name="delete Snapshot")
async def delete(call: Writing, snapshot: str) -> Response:
    """Delete a snapshot; what was made of it stays."""
    one = hex_id(snapshot, "snapshotId")
    await call.with_records(lambda: snapshots.delete(call.gallery, one))
    return done()


@router.post("/snapshots/{snapshot}/apply", name="apply Snapshot", status_code=202)
async def apply(call: Writing, snapshot: str) -> Response:
    """Make a container of a snapshot, under a new id."""
    one = hex_id(snapshot, "snapshotId")

    def work(body: Body) -> str:
        choice(body, "mode", ("CreateNew",), default="CreateNew")
        made = snapshots.apply(call, one, _object(body))
        return operations.start(call, resource=f"/{made.kind.path}/{made.id}")

    return _accepted(await with_body(call, work))


def _object(body: Body) -> str:
    return container_id(text(body, "objectId", most=CONTAINER_DATA) or "", "objectId")


def _accepted(operation: str) -> Response:
    """202 with the operation's path alone: clients of snapshots cut its id out by position."""
    headers = {"Operation-Location": f"/operations/{uuid.UUID(operation)}", "Retry-After": POLL_S}
    return done(status=202, headers=headers)
