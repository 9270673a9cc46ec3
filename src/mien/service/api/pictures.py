"""The images that a group keeps with its faces."""

from __future__ import annotations

import hashlib
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from mien.service.call import Reading, options
from mien.service.etags import names
from mien.service.openapi import errors, query
from mien.service.schemas import FaceImageOptions

__all__ = ["router"]

router = APIRouter(tags=["faces"])

_PRIVATE = {"Cache-Control": "private, no-store"}
_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The image, with its `ETag`.",
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    },
    304: {"description": "It is the image of the `If-None-Match` header."},
}


@router.get(
    "/v1/groups/{group}/persons/{person}/faces/{face_id}/image",
    response_class=Response,
    responses={**errors("not_found"), **_ANSWER},
    openapi_extra=query(FaceImageOptions),
)
async def show_image(call: Reading, group: str, person: str, face_id: str) -> Response:
    """The image that is kept with a face: the crop, or else the photo."""
    wanted = options(FaceImageOptions, call.query)
    found = await call.with_records(
        lambda: call.gallery.image(group, face_id, person=person, kind=wanted.kind)
    )
    tag = f'"{hashlib.sha256(found.data).hexdigest()[:32]}"'
    headers = {**_PRIVATE, "ETag": tag}
    if names(call.request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    return Response(found.data, media_type=found.media_type, headers=headers)
