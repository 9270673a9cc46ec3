"""Photos without a gallery: detect, compare, represent."""

from __future__ import annotations

import math
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from mien.service.call import Detecting, options
from mien.service.images import Form
from mien.service.openapi import BODY, errors, photo_body
from mien.service.schemas import (
    CompareOptions,
    ComparisonAnswer,
    DetectionAnswer,
    LivenessOptions,
    RepresentationAnswer,
    RepresentOptions,
)

__all__ = ["LIVENESS_ERRORS", "PHOTO_ERRORS", "router"]

router = APIRouter(tags=["photos"])


PHOTO_ERRORS = (
    "image_decode",
    "image_unsupported",
    "image_too_large",
    "image_too_small",
    "model_unavailable",
    *BODY,
)


LIVENESS_ERRORS = ("spoof_suspected", "weights_missing")


@router.post(
    "/v1/detect",
    response_model=DetectionAnswer,
    response_model_exclude_unset=True,
    responses=errors(*PHOTO_ERRORS, *LIVENESS_ERRORS),
    openapi_extra=photo_body(options=LivenessOptions),
)
async def detect(call: Detecting) -> Response:
    """Find the faces of a photo, largest first."""
    query = call.query

    def work(form: Form) -> dict[str, Any]:
        chosen = options(LivenessOptions, query, form.options)
        found = call.engine.detect(form.images["image"][0].data, liveness=call.liveness(chosen))
        call.service.metrics.faces.inc(len(found))
        return found.to_dict()

    return call.answer(await call.with_photos(work))


@router.post(
    "/v1/represent",
    response_model=RepresentationAnswer,
    responses=errors(*PHOTO_ERRORS),
    openapi_extra=photo_body(options=RepresentOptions),
)
async def represent(call: Detecting) -> Response:
    """The templates of a photo's faces. A photo without faces has none."""
    query = call.query

    def work(form: Form) -> dict[str, Any]:
        chosen = options(RepresentOptions, query, form.options)
        found = call.engine.represent(form.images["image"][0].data, max_faces=chosen.max_faces)
        call.service.metrics.faces.inc(len(found))
        content = found.to_dict()
        for face in content["faces"]:
            face["norm"] = face["norm"] if math.isfinite(face["norm"]) else None
        return content

    return call.answer(await call.with_photos(work))


@router.post(
    "/v1/compare",
    response_model=ComparisonAnswer,
    response_model_exclude_unset=True,
    responses=errors(*PHOTO_ERRORS, *LIVENESS_ERRORS, "no_face"),
    openapi_extra=photo_body(fields=("image_a", "image_b"), options=CompareOptions),
)
async def compare(call: Detecting) -> Response:
    """Compare the largest face of one photo with every face of another."""
    query = call.query

    def work(form: Form) -> dict[str, Any]:
        chosen = options(CompareOptions, query, form.options)
        found = call.engine.compare(
            form.images["image_a"][0].data,
            form.images["image_b"][0].data,
            fmr=chosen.fmr,
            threshold=chosen.threshold,
            metric=chosen.metric,
            liveness=call.liveness(chosen),
        )
        return found.to_dict()

    return call.answer(await call.with_photos(work, fields=("image_a", "image_b")))
