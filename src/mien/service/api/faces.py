"""Faces of a person: enrol photos, list and delete what is stored."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from mien.errors import MienError
from mien.results import Enrolment
from mien.service.api.photos import LIVENESS_ERRORS, PHOTO_ERRORS
from mien.service.call import Reading, Writing, options, page_of
from mien.service.errors import error_of
from mien.service.images import Form
from mien.service.openapi import NOT_MODIFIED, errors, photo_body, query
from mien.service.schemas import (
    EnrolmentAnswer,
    FaceAnswer,
    FacePage,
    FacePageOptions,
    LivenessOptions,
)

__all__ = ["router"]

router = APIRouter(tags=["faces"])


@router.post(
    "/v1/groups/{group}/persons/{person}/faces",
    status_code=201,
    response_model=EnrolmentAnswer,
    response_model_exclude_unset=True,
    responses=errors(
        *PHOTO_ERRORS,
        *LIVENESS_ERRORS,
        "no_face",
        "several_faces",
        "not_found",
        "already_exists",
        "embedding_mismatch",
        "limit_exceeded",
    ),
    openapi_extra=photo_body(several=True, options=LivenessOptions),
)
async def enroll(call: Writing, group: str, person: str) -> Response:
    """Enrol one or several photos of a person. Each photo must show exactly one usable face.

    Photos that cannot be used are listed in `rejected`; when none could be, the answer is an error
    with the first one's code.
    """
    given = call.query

    def work(form: Form) -> dict[str, Any]:
        chosen = options(LivenessOptions, given, form.options)
        name = call.gallery.person(group, person).name
        photos = form.images["image"]
        done = call.engine.enroll(
            call.gallery,
            group,
            name,
            [photo.data for photo in photos],
            names=[photo.name for photo in photos],
            liveness=call.liveness(chosen),
        )
        call.service.metrics.enrolled.inc(done.enrolled)
        if done.enrolled == 0 and done.rejected:
            raise _nothing_enrolled(done)
        return done.to_dict()

    content = await call.with_photos(work, max_images=call.settings.max_request_images)
    return call.answer(content, status=201)


@router.get(
    "/v1/groups/{group}/persons/{person}/faces",
    response_model=FacePage,
    responses={**errors("not_found"), **NOT_MODIFIED},
    openapi_extra=query(FacePageOptions),
)
async def list_faces(call: Reading, group: str, person: str) -> Response:
    """The stored faces of a person."""
    page = options(FacePageOptions, call.query)

    def work() -> dict[str, Any]:
        found = call.gallery.faces(
            group,
            person,
            after=page.after,
            limit=page.limit + 1,
            external_image_id=page.external_image_id,
        )
        return page_of("faces", found, page.limit, cursor=lambda one: one.id)

    return call.answer(await call.with_records(work), tagged=True)


@router.get(
    "/v1/groups/{group}/faces/{face_id}",
    response_model=FaceAnswer,
    responses={**errors("not_found"), **NOT_MODIFIED},
)
async def show_face(call: Reading, group: str, face_id: str) -> Response:
    """One stored face."""
    found = await call.with_records(lambda: call.gallery.face(group, face_id).to_dict())
    return call.answer(found, tagged=True)


@router.delete(
    "/v1/groups/{group}/faces/{face_id}",
    status_code=204,
    responses=errors("not_found", "precondition_failed"),
)
async def delete_face(call: Writing, group: str, face_id: str) -> Response:
    """Delete one stored face."""
    check = call.only_if
    await call.with_records(lambda: call.gallery.delete_face(group, face_id, check=check))
    return Response(status_code=204)


def _nothing_enrolled(done: Enrolment) -> MienError:
    first = done.rejected[0]
    code = first.reasons[0] if first.reasons else "face"
    message = first.message or "No photo could be enrolled."
    if len(done.rejected) > 1:
        message = f"None of the {len(done.rejected)} photos could be enrolled. {message}"
    listed = "; ".join(f"{one.image}: {', '.join(one.reasons)}" for one in done.rejected)
    return error_of(code, message, rejected=listed)
