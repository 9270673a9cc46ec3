"""DynamicPersonGroup: some of the directory's persons, who stay where they are."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from mien.service.call import Call
from mien.service.dialects.azure import containers, directory_scope, models, operations, persons
from mien.service.dialects.azure.containers import DYNAMIC, Container
from mien.service.dialects.azure.errors import bad_argument
from mien.service.dialects.azure.fields import Body, hex_id, page, shown_id
from mien.service.dialects.azure.models import RECOGNITION
from mien.service.dialects.azure.route import (
    AzureRoute,
    Reading,
    Writing,
    done,
    query_of,
    with_body,
)

__all__ = ["router"]

router = APIRouter(route_class=AzureRoute, tags=["DynamicPersonGroup"])

ONE = "/dynamicpersongroups/{container}"
MAX_MEMBERS = 1000


@router.put(ONE)
async def create(call: Writing, container: str) -> Response:
    """Create a group, maybe of persons."""

    def work(body: Body) -> str | None:
        added = _ids(body, "addPersonIds")
        directory_scope.refuse_unknown(call.gallery, added)
        made = containers.create(call, DYNAMIC, container, body, model=RECOGNITION[0])
        _move(call, made, added, [])
        return operations.start(call) if added else None

    return _answer(call, await with_body(call, work))


@router.patch(ONE)
async def change(call: Writing, container: str) -> Response:
    """Change name, user data and members."""

    def work(body: Body) -> str | None:
        found = containers.find(call.gallery, DYNAMIC, container)
        added, removed = _ids(body, "addPersonIds"), _ids(body, "removePersonIds")
        directory_scope.refuse_unknown(call.gallery, added)
        containers.change(call.gallery, DYNAMIC, container, body, empty=bool(added or removed))
        _move(call, found, added, removed)
        return operations.start(call) if added or removed else None

    return _answer(call, await with_body(call, work))


@router.get(ONE)
async def show(call: Reading, container: str) -> Response:
    """One group."""

    def work() -> dict[str, Any]:
        return containers.find(call.gallery, DYNAMIC, container).shown(model=False)

    return done(await call.with_records(work))


@router.delete(ONE, status_code=202)
async def delete(call: Writing, container: str) -> Response:
    """Delete a group; its persons stay in the directory."""

    def work() -> str:
        found = containers.find(call.gallery, DYNAMIC, container)
        for group in _groups(call, found)[1:]:
            call.gallery.delete_group(group)
        containers.delete(call.gallery, DYNAMIC, container)
        return operations.start(call)

    return operations.accepted(call, await call.with_records(work))


@router.get("/dynamicpersongroups")
async def listing(call: Reading) -> Response:
    """Groups by id, those after ``start``."""
    start, top = page(query_of(call))

    def work() -> list[dict[str, Any]]:
        found = containers.listing(call.gallery, DYNAMIC, start, top)
        return [one.shown(model=False) for one in found]

    return done(await call.with_records(work))


@router.get(ONE + "/persons")
async def members(call: Reading, container: str) -> Response:
    """Ids of a group's persons, those after ``start``."""
    start, top = page(query_of(call))

    def work() -> dict[str, Any]:
        found = containers.find(call.gallery, DYNAMIC, container)
        after = persons.start_of(start)
        listed = call.gallery.annex.persons(found.group, after=after, limit=top)
        return {"personIds": [shown_id(one.id) for one in listed]}

    return done(await call.with_records(work))


def _ids(body: Body, name: str) -> list[str]:
    given = body.get(name)
    if given is None:
        return []
    if not isinstance(given, list) or len(given) > MAX_MEMBERS:
        raise bad_argument(f"'{name}' is invalid.")
    return list(dict.fromkeys(hex_id(one, name) for one in given))


def _groups(call: Call, found: Container) -> list[str]:
    """The gallery's groups of a DynamicPersonGroup, its own first."""
    others = [
        directory_scope.group_of_dynamic(call, found, model)
        for model in models.embedders(call).values()
    ]
    return list(dict.fromkeys([found.group, *others]))


def _move(call: Call, found: Container, added: list[str], removed: list[str]) -> None:
    for group in _groups(call, found):
        for one in added:
            home = directory_scope.home_of(call.gallery, one)
            directory_scope.join(call.gallery, group, one, source=home)
        for one in removed:
            directory_scope.leave(call.gallery, group, one)


def _answer(call: Call, operation: str | None) -> Response:
    return done() if operation is None else operations.accepted(call, operation)
