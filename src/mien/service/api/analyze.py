"""Attributes of the faces of a photo, as far as the key's application may have them answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from mien.attributes import DEFAULT, check
from mien.errors import AttributeNotAllowed
from mien.gallery import RESTRICTED_ATTRIBUTES, Gallery
from mien.service.api.photos import LIVENESS_ERRORS, PHOTO_ERRORS
from mien.service.call import Detecting, options
from mien.service.images import Form
from mien.service.openapi import errors, photo_body
from mien.service.schemas import AnalysisAnswer, AnalyzeOptions

__all__ = ["router"]

router = APIRouter(tags=["photos"])


@router.post(
    "/v1/analyze",
    response_model=AnalysisAnswer,
    response_model_exclude_unset=True,
    responses=errors(
        *PHOTO_ERRORS, *LIVENESS_ERRORS, "attribute_not_allowed", "licence_not_accepted"
    ),
    openapi_extra=photo_body(options=AnalyzeOptions),
)
async def analyze(call: Detecting) -> Response:
    """What each face of a photo looks like, largest face first.

    Age, gender, emotion and race only for applications that have been allowed them by name.
    """
    query = call.query

    def work(form: Form) -> dict[str, Any]:
        chosen = options(AnalyzeOptions, query, form.options)
        actions = allowed_actions(call.gallery, chosen.actions)
        found = call.engine.analyze(
            form.images["image"][0].data,
            actions=actions,
            max_faces=chosen.max_faces,
            liveness=call.liveness(chosen),
        )
        call.service.metrics.faces.inc(len(found))
        return {
            "width": found.detection.width,
            "height": found.detection.height,
            "actions": list(found.actions),
            **found.to_dict(),
        }

    return call.answer(await call.with_photos(work))


def allowed_actions(gallery: Gallery, asked: Sequence[str] | None) -> tuple[str, ...]:
    """What to analyse for the application of ``gallery``.

    Args:
        gallery: the application's view; its settings are read anew, so that a change counts at
            once.
        asked: attributes; None: the default ones that the application may have.

    Raises:
        InvalidArgument: nothing is asked for, or something that there is not.
        AttributeNotAllowed: an attribute that has to be allowed and is not.
    """
    wanted = check(DEFAULT if asked is None else asked)
    if not {*wanted} & {*RESTRICTED_ATTRIBUTES}:
        return wanted
    name = gallery.application_name
    refused = {*RESTRICTED_ATTRIBUTES} - gallery.application(name).attributes
    if asked is None:
        return tuple(action for action in wanted if action not in refused)
    for action in wanted:
        if action in refused:
            raise AttributeNotAllowed(
                f"The application of this key may not have {action!r} answered. Whoever runs the "
                "server allows it with 'mien apps allow'; the other attributes are answered "
                "without.",
                details={"attribute": action},
            )
    return wanted
