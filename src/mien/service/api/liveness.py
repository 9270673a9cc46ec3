"""Liveness of the faces of one photo, and of the face of a short clip."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from mien.engine import LivenessCheck
from mien.service.api.photos import PHOTO_ERRORS
from mien.service.call import Detecting, options
from mien.service.images import Form
from mien.service.openapi import errors, photo_body
from mien.service.schemas import LivenessAnswer, LivenessOnlyOptions
from mien.service.session_schemas import ClipAnswer, ClipOptions

__all__ = ["router"]

router = APIRouter(tags=["photos"])


@router.post(
    "/v1/liveness",
    response_model=LivenessAnswer,
    responses=errors(*PHOTO_ERRORS, "weights_missing"),
    openapi_extra=photo_body(options=LivenessOnlyOptions),
)
async def check_liveness(call: Detecting) -> Response:
    """Whether each face of a photo is a live one, or a photo or a screen that shows one.

    Send whole photos, not faces cut out: what is around a face says most.
    """
    query = call.query

    def work(form: Form) -> dict[str, Any]:
        chosen = options(LivenessOnlyOptions, query, form.options)
        own = call.settings.liveness_condition
        check = LivenessCheck("observe", chosen.liveness_condition or own).at_least(call.settings)
        found = call.engine.check_liveness(
            form.images["image"][0].data, condition=check.condition, max_faces=chosen.max_faces
        )
        call.service.metrics.faces.inc(len(found))
        size = {"width": found.detection.width, "height": found.detection.height}
        return {**size, **found.to_dict()}

    return call.answer(await call.with_photos(work))


@router.post(
    "/v1/liveness/clip",
    response_model=ClipAnswer,
    responses=errors(*PHOTO_ERRORS, "weights_missing"),
    openapi_extra=photo_body(several=True, options=ClipOptions),
)
async def liveness_clip(call: Detecting) -> Response:
    """Whether the largest face of a short clip is a live one: frames of one camera, in order.

    No challenge is asked for: use a liveness session where somebody wants to get in.
    """
    query = call.query

    def work(form: Form) -> dict[str, Any]:
        chosen = options(ClipOptions, query, form.options)
        own = call.settings.liveness_condition
        check = LivenessCheck("observe", chosen.liveness_condition or own).at_least(call.settings)
        found = call.engine.check_liveness_clip(
            [image.data for image in form.images["image"]],
            times_s=chosen.times,
            condition=check.condition,
        )
        return found.to_dict()

    return call.answer(await call.with_photos(work, max_images=call.settings.max_request_images))
