"""A job that moves a group to another recognition model."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from mien.service.api.jobs import job_shown
from mien.service.call import Administering, options
from mien.service.openapi import BODY, errors, json_body, with_header
from mien.service.schemas import JobAnswer, Options

__all__ = ["router"]

router = APIRouter(tags=["jobs"])


class NewReembedding(Options):
    """How a group is moved to another recognition model."""

    embedder: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="Name of the recognition model, such as `/v1/models` lists; default: the "
        "server's own.",
    )
    drop_missing: bool = Field(
        default=False,
        description="Delete faces that cannot be embedded again. Without it they keep the group "
        "where it is.",
    )
    dry_run: bool = Field(
        default=False, description="Only find the faces that have no image; nothing is changed."
    )


@router.post(
    "/v1/groups/{group}/jobs/reembed",
    status_code=202,
    response_model=JobAnswer,
    responses={
        **errors("not_found", "unknown_model", "limit_exceeded", *BODY),
        **with_header(202, "Location"),
    },
    openapi_extra=json_body(NewReembedding),
)
async def reembed(call: Administering, group: str) -> Response:
    """Move a group to another recognition model, while it is searched and enrolled into.

    Every face is embedded again from the image that is kept with it; then the group is moved at
    once. The job's items are the faces that cannot be: with one, the group stays where it is.
    """

    def work(body: dict[str, Any]) -> dict[str, Any]:
        wanted = options(NewReembedding, call.query, body)
        return job_shown(call.service.jobs.reembed(call.gallery, group, wanted.model_dump()))

    made = await call.with_json(work)
    return call.answer(made, status=202, at=f"/v1/jobs/{made['id']}")
