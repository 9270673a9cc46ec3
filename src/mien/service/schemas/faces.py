"""Enrolled faces."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mien.service.schemas.base import Answered, BoxList, Options, Page, PageOptions, Shape
from mien.service.schemas.liveness import ToldLiveness

__all__ = [
    "EnrolmentAnswer",
    "FaceAnswer",
    "FaceImageOptions",
    "FacePage",
    "FacePageOptions",
    "FaceShape",
    "RejectedPhoto",
]


class FacePageOptions(PageOptions):
    """Which part of a person's faces."""

    external_image_id: str | None = Field(default=None, description="Only those of that photo.")


class FaceImageOptions(Options):
    """Which image of a face."""

    kind: Literal["crop", "photo"] | None = Field(
        default=None, description="Without: the crop, or else the photo."
    )


class RejectedPhoto(Shape):
    """A photo that was not enrolled."""

    image: str
    reasons: list[str]
    message: str


class EnrolmentAnswer(Answered):
    """What an enrolment did."""

    group: str
    enrolled: int
    rejected: list[RejectedPhoto]
    persons: list[str]
    face_ids: list[str]
    warnings: list[RejectedPhoto] = Field(
        description="Photos that were enrolled and should be looked at."
    )
    liveness: list[ToldLiveness] | None = Field(
        default=None, description="Of the enrolled faces, where it was asked for."
    )


class FaceShape(Shape):
    """A stored face, without its template."""

    id: str
    person: str
    person_id: str
    box: BoxList | None
    norm: float | None
    source_sha256: str | None = Field(description="Hash of the photo that it came from.")
    created_at: str
    external_image_id: str | None
    user_data: str | None
    quality: float | None


class FaceAnswer(FaceShape, Answered):
    """A stored face."""


class FacePage(Page):
    """Stored faces."""

    faces: list[FaceShape]
