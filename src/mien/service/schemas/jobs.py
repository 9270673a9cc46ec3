"""Jobs, and what became of their photos."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mien.service.schemas.base import Answered, Options, Page, Shape
from mien.service.schemas.faces import RejectedPhoto

__all__ = ["ItemOptions", "JobAnswer", "JobItemPage", "JobItemShape", "JobPage", "JobShape"]


class ItemOptions(Options):
    """Which part of a job's items."""

    after: int = Field(
        default=-1, ge=-1, lt=2**53, description="The `next` of the page before this one."
    )
    limit: int = Field(default=100, ge=1, le=500, description="At most this many entries.")


class JobShape(Shape):
    """Work that outlives the request that asked for it."""

    id: str
    kind: Literal["enroll", "reembed"]
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    group: str
    total: int = Field(description="Photos, or faces, in all.")
    done: int = Field(description="Of them finished; it is exact to some seconds.")
    enrolled: int
    rejected: int
    created_at: str
    started_at: str | None
    finished_at: str | None
    error: str | None = Field(description="Why it failed.")


class JobAnswer(JobShape, Answered):
    """A job."""


class JobPage(Page):
    """Jobs, oldest first."""

    jobs: list[JobShape]


class JobItemShape(RejectedPhoto):
    """What became of a photo. An enrolled one may have reasons too: look at it."""

    number: int = Field(description="Its place in the job, from 0.")
    person: str
    state: Literal["enrolled", "rejected"]
    sha256: str | None
    face_id: str | None


class JobItemPage(Answered):
    """What became of a job's photos, in their order."""

    next: int | None = Field(description="Send it as `after` for the next page; null at the end.")
    items: list[JobItemShape]
