"""Persons of a group, and whether a photo shows one of them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from mien.errors import NotFound
from mien.gallery import Person
from mien.service.api.photos import LIVENESS_ERRORS, PHOTO_ERRORS
from mien.service.call import Call, Reading, Writing, options, page_of
from mien.service.images import Form
from mien.service.openapi import (
    BODY,
    NOT_MODIFIED,
    errors,
    json_body,
    photo_body,
    query,
    with_header,
)
from mien.service.schemas import (
    NewPerson,
    PersonAnswer,
    PersonPage,
    PersonPageOptions,
    VerificationAnswer,
    VerifyOptions,
)

__all__ = ["person_path", "router"]

router = APIRouter(tags=["persons"])


@router.post(
    "/v1/groups/{group}/persons",
    status_code=201,
    response_model=PersonAnswer,
    responses={
        **errors("not_found", "already_exists", *BODY),
        **with_header(201, "ETag", "Location"),
    },
    openapi_extra=json_body(NewPerson),
)
async def create_person(call: Writing, group: str) -> Response:
    """Create a person without faces."""

    def work(body: dict[str, Any]) -> dict[str, Any]:
        new = options(NewPerson, call.query, body)
        made = call.gallery.add_person(
            group, new.name, user_data=new.user_data, external_id=new.external_id
        )
        return made.to_dict()

    made = await call.with_json(work)
    return call.answer(made, status=201, tagged=True, at=person_path(group, made))


@router.get(
    "/v1/groups/{group}/persons",
    response_model=PersonPage,
    responses={**errors("not_found"), **NOT_MODIFIED},
    openapi_extra=query(PersonPageOptions),
)
async def list_persons(call: Reading, group: str) -> Response:
    """The persons of a group, by name."""
    page = options(PersonPageOptions, call.query)

    def work() -> dict[str, Any]:
        if page.external_id is not None:
            found = _with_external_id(call, group, page.external_id)
        else:
            found = call.gallery.persons(
                group, after=page.after, limit=page.limit + 1, anonymous=page.anonymous
            )
        return page_of("persons", found, page.limit, cursor=lambda one: one.name)

    return call.answer(await call.with_records(work), tagged=True)


@router.get(
    "/v1/groups/{group}/persons/{person}",
    response_model=PersonAnswer,
    responses={**errors("not_found"), **NOT_MODIFIED},
)
async def show_person(call: Reading, group: str, person: str) -> Response:
    """One person, by name or id."""
    found = await call.with_records(lambda: call.gallery.person(group, person).to_dict())
    return call.answer(found, tagged=True)


@router.delete(
    "/v1/groups/{group}/persons/{person}",
    status_code=204,
    responses=errors("not_found", "precondition_failed"),
)
async def delete_person(call: Writing, group: str, person: str) -> Response:
    """Delete a person with all faces."""
    check = call.only_if
    await call.with_records(lambda: call.gallery.delete_person(group, person, check=check))
    return Response(status_code=204)


@router.post(
    "/v1/groups/{group}/persons/{person}/verify",
    response_model=VerificationAnswer,
    response_model_exclude_unset=True,
    responses=errors(*PHOTO_ERRORS, *LIVENESS_ERRORS, "no_face", "not_found", "embedding_mismatch"),
    openapi_extra=photo_body(options=VerifyOptions),
)
async def verify(call: Reading, group: str, person: str) -> Response:
    """Whether the photo's largest face belongs to this person."""
    given = call.query

    def work(form: Form) -> dict[str, Any]:
        chosen = options(VerifyOptions, given, form.options)
        found = call.engine.verify(
            call.gallery,
            group,
            person,
            form.images["image"][0].data,
            fmr=chosen.fmr,
            threshold=chosen.threshold,
            liveness=call.liveness(chosen),
        )
        return found.to_dict()

    return call.answer(await call.with_photos(work))


def person_path(group: str, made: dict[str, Any]) -> str:
    """Where a person is, by the id: not every name can stand in an address."""
    return f"/v1/groups/{group}/persons/{made['id']}"


def _with_external_id(call: Call, group: str, external_id: str) -> list[Person]:
    call.gallery.group(group)  # a group that is not there is not an empty one
    try:
        return [call.gallery.person_by_external_id(group, external_id)]
    except NotFound:
        return []
