"""Groups, and who of a group is in a photo."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from mien.gallery import GroupSettings
from mien.service.api.photos import LIVENESS_ERRORS, PHOTO_ERRORS
from mien.service.call import Reading, Writing, options, page_of
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
    GroupAnswer,
    GroupPage,
    IdentificationAnswer,
    IdentifyOptions,
    NewGroup,
    PageOptions,
)

__all__ = ["router"]

router = APIRouter(tags=["groups"])


@router.post(
    "/v1/groups",
    status_code=201,
    response_model=GroupAnswer,
    responses={**errors("already_exists", *BODY), **with_header(201, "ETag", "Location")},
    openapi_extra=json_body(NewGroup),
)
async def create_group(call: Writing) -> Response:
    """Create a group; it is pinned to the recognition model that the server uses."""

    def work(body: dict[str, Any]) -> dict[str, Any]:
        new = options(NewGroup, call.query, body)
        contract = call.engine.embedder.contract
        group = call.gallery.create_group(
            new.name,
            contract=contract,
            scoring=new.scoring,
            settings=GroupSettings(**new.settings.model_dump()),
            user_data=new.user_data,
        )
        return group.to_dict()

    made = await call.with_json(work)
    return call.answer(made, status=201, tagged=True, at=f"/v1/groups/{made['name']}")


@router.get(
    "/v1/groups",
    response_model=GroupPage,
    responses={**errors(), **NOT_MODIFIED},
    openapi_extra=query(PageOptions),
)
async def list_groups(call: Reading) -> Response:
    """The groups of the key's application, by name."""
    page = options(PageOptions, call.query)

    def work() -> dict[str, Any]:
        found = call.gallery.groups(after=page.after, limit=page.limit + 1)
        return page_of("groups", found, page.limit, cursor=lambda one: one.name)

    return call.answer(await call.with_records(work), tagged=True)


@router.get(
    "/v1/groups/{group}",
    response_model=GroupAnswer,
    responses={**errors("not_found"), **NOT_MODIFIED},
)
async def show_group(call: Reading, group: str) -> Response:
    """One group and how much it holds."""
    found = await call.with_records(lambda: call.gallery.group(group).to_dict())
    return call.answer(found, tagged=True)


@router.delete(
    "/v1/groups/{group}", status_code=204, responses=errors("not_found", "precondition_failed")
)
async def delete_group(call: Writing, group: str) -> Response:
    """Delete a group with its persons and faces."""
    await call.with_records(lambda: call.gallery.delete_group(group, check=call.only_if))
    return Response(status_code=204)


@router.post(
    "/v1/groups/{group}/identify",
    response_model=IdentificationAnswer,
    response_model_exclude_unset=True,
    responses=errors(*PHOTO_ERRORS, *LIVENESS_ERRORS, "not_found", "embedding_mismatch"),
    openapi_extra=photo_body(options=IdentifyOptions),
)
async def identify(call: Reading, group: str) -> Response:
    """Who of the group is in the photo; an unknown face has no candidates."""
    given = call.query

    def work(form: Form) -> dict[str, Any]:
        chosen = options(IdentifyOptions, given, form.options)
        found = call.engine.identify(
            call.gallery,
            group,
            form.images["image"][0].data,
            top=chosen.top,
            fpir=chosen.fpir,
            threshold=chosen.threshold,
            liveness=call.liveness(chosen),
        )
        call.service.metrics.faces.inc(len(found))
        return found.to_dict()

    return call.answer(await call.with_photos(work))
