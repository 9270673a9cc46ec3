"""Putting groups, persons and faces in order, and taking that back."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from mien.service.api.persons import person_path
from mien.service.call import Reading, Writing, options, page_of
from mien.service.changes import (
    ChangeAnswer,
    ChangePage,
    FaceChange,
    FaceMove,
    GroupChange,
    Merge,
    NewMember,
    PersonChange,
    PersonMove,
    Split,
    Undo,
)
from mien.service.openapi import BODY, errors, json_body, query, with_header
from mien.service.schemas import FaceAnswer, GroupAnswer, PageOptions, PersonAnswer

__all__ = ["router"]

router = APIRouter(tags=["curation"])

_SMALL = ("not_found", *BODY)
_MOVES = (*_SMALL, "already_exists", "limit_exceeded", "consent_missing")
_PERSON = "/v1/groups/{group}/persons/{person}"
_FACE = "/v1/groups/{group}/faces/{face_id}"


@router.patch(
    "/v1/groups/{group}",
    response_model=GroupAnswer,
    responses={
        **errors(*_SMALL, "already_exists", "precondition_failed"),
        **with_header(200, "ETag"),
    },
    openapi_extra=json_body(GroupChange),
)
async def change_group(call: Writing, group: str) -> Response:
    """Change a group's name, settings and user data, all or nothing."""

    def work(body: dict[str, Any]) -> dict[str, Any]:
        changes = _given(options(GroupChange, call.query, body))
        return call.gallery.set_group(group, **changes, check=call.only_if).to_dict()

    return call.answer(await call.with_json(work), tagged=True)


@router.patch(
    _PERSON,
    response_model=PersonAnswer,
    responses={
        **errors(*_SMALL, "already_exists", "precondition_failed"),
        **with_header(200, "ETag"),
    },
    openapi_extra=json_body(PersonChange),
)
async def change_person(call: Writing, group: str, person: str) -> Response:
    """Change a person's name in this group, user data and external id, all or nothing."""

    def work(body: dict[str, Any]) -> dict[str, Any]:
        changes = _given(options(PersonChange, call.query, body))
        return call.gallery.set_person(group, person, **changes, check=call.only_if).to_dict()

    return call.answer(await call.with_json(work), tagged=True)


@router.post(
    f"{_PERSON}/move",
    response_model=PersonAnswer,
    responses=errors(*_MOVES, "embedding_mismatch"),
    openapi_extra=json_body(PersonMove),
)
async def move_person(call: Writing, group: str, person: str) -> Response:
    """Take a person out of this group and into another, with all faces."""

    def work(body: dict[str, Any]) -> dict[str, Any]:
        to = options(PersonMove, call.query, body)
        return call.gallery.move_person(group, person, to.group, name=to.name).to_dict()

    return call.answer(await call.with_json(work))


@router.post(
    f"{_PERSON}/merge",
    response_model=PersonAnswer,
    responses=errors(*_MOVES),
    openapi_extra=json_body(Merge),
)
async def merge_persons(call: Writing, group: str, person: str) -> Response:
    """Make one person of two: the other's faces become this one's, and the other is gone."""

    def work(body: dict[str, Any]) -> dict[str, Any]:
        other = options(Merge, call.query, body).person
        return call.gallery.merge_persons(group, person, other).to_dict()

    return call.answer(await call.with_json(work))


@router.post(
    f"{_PERSON}/split",
    status_code=201,
    response_model=PersonAnswer,
    responses={**errors(*_MOVES), **with_header(201, "Location")},
    openapi_extra=json_body(Split),
)
async def split_person(call: Writing, group: str, person: str) -> Response:
    """Make a new person of some of this one's faces, in every group that this one is in."""

    def work(body: dict[str, Any]) -> dict[str, Any]:
        new = options(Split, call.query, body)
        return call.gallery.split_person(group, person, new.faces, name=new.name).to_dict()

    made = await call.with_json(work)
    return call.answer(made, status=201, at=person_path(group, made))


@router.post(
    "/v1/groups/{group}/members",
    status_code=201,
    response_model=PersonAnswer,
    responses={**errors(*_MOVES), **with_header(201, "Location")},
    openapi_extra=json_body(NewMember),
)
async def add_member(call: Writing, group: str) -> Response:
    """Make a person of another group a member of this one too; the faces are shared."""

    def work(body: dict[str, Any]) -> dict[str, Any]:
        new = options(NewMember, call.query, body)
        made = call.gallery.add_member(group, new.person, source=new.group, name=new.name)
        return made.to_dict()

    made = await call.with_json(work)
    return call.answer(made, status=201, at=person_path(group, made))


@router.delete(
    "/v1/groups/{group}/members/{person}", status_code=204, responses=errors("not_found")
)
async def remove_member(call: Writing, group: str, person: str) -> Response:
    """Take a person out of this group, who is in another one; the faces stay there."""
    await call.with_records(lambda: call.gallery.remove_member(group, person))
    return Response(status_code=204)


@router.patch(
    _FACE,
    response_model=FaceAnswer,
    responses={**errors(*_SMALL, "precondition_failed"), **with_header(200, "ETag")},
    openapi_extra=json_body(FaceChange),
)
async def change_face(call: Writing, group: str, face_id: str) -> Response:
    """Change what is kept with a face."""

    def work(body: dict[str, Any]) -> dict[str, Any]:
        changes = _given(options(FaceChange, call.query, body))
        return call.gallery.set_face(group, face_id, **changes, check=call.only_if).to_dict()

    return call.answer(await call.with_json(work), tagged=True)


@router.post(
    f"{_FACE}/move",
    response_model=FaceAnswer,
    responses=errors(*_MOVES, "embedding_mismatch"),
    openapi_extra=json_body(FaceMove),
)
async def move_face(call: Writing, group: str, face_id: str) -> Response:
    """Give a face to another person."""

    def work(body: dict[str, Any]) -> dict[str, Any]:
        to = options(FaceMove, call.query, body)
        return call.gallery.move_face(group, face_id, to.person, to_group=to.group).to_dict()

    return call.answer(await call.with_json(work))


@router.get(
    "/v1/groups/{group}/changes",
    response_model=ChangePage,
    responses=errors("not_found"),
    openapi_extra=query(PageOptions),
)
async def list_changes(call: Reading, group: str) -> Response:
    """What was changed in a group and can be undone, or was; newest first."""
    page = options(PageOptions, call.query)

    def work() -> dict[str, Any]:
        found = call.gallery.changes(group, before=page.after, limit=page.limit + 1)
        return page_of("changes", found, page.limit, cursor=lambda one: one.id)

    return call.answer(await call.with_records(work))


@router.post(
    "/v1/groups/{group}/undo",
    response_model=ChangeAnswer,
    responses=errors(*_MOVES),
    openapi_extra=json_body(Undo),
)
async def undo(call: Writing, group: str) -> Response:
    """Take back the newest change of a group that has not been taken back."""

    def work(body: dict[str, Any]) -> dict[str, Any]:
        meant = options(Undo, call.query, body).change
        return call.gallery.undo(group, change=meant).to_dict()

    return call.answer(await call.with_json(work))


def _given(changes: BaseModel) -> dict[str, Any]:
    """Only what the request names: null takes away, what is absent stays."""
    return changes.model_dump(exclude_unset=True)
