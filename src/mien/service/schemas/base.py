"""What options and answers have in common."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Answered",
    "BoxList",
    "DecidedOn",
    "ErrorAnswer",
    "ErrorBody",
    "ExternalId",
    "NoOptions",
    "Options",
    "Page",
    "PageOptions",
    "Point",
    "Rate",
    "Shape",
    "UserData",
]

Rate = Annotated[float | None, Field(gt=0, lt=1, allow_inf_nan=False)]
BoxList = Annotated[
    list[float], Field(min_length=4, max_length=4, description="[x0, y0, x1, y1] in pixels.")
]
Point = Annotated[list[float], Field(min_length=2, max_length=2)]
DecidedOn = Literal["confidence", "similarity"]
UserData = Annotated[
    str | None, Field(description="What you want to keep with it; 16,384 bytes in UTF-8.")
]
ExternalId = Annotated[
    str | None, Field(description="Your own number for it; 1 to 255 printable characters.")
]


class Options(BaseModel):
    """Options of a request; anything that is not listed is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoOptions(Options):
    """A request without options."""


class PageOptions(Options):
    """Which part of a list."""

    after: str | None = Field(
        default=None, max_length=300, description="The `next` of the page before this one."
    )
    limit: int = Field(default=100, ge=1, le=500, description="At most this many entries.")


class Shape(BaseModel):
    """Part of an answer; exactly these fields."""

    model_config = ConfigDict(extra="forbid")


class ErrorBody(Shape):
    """What went wrong."""

    code: str = Field(description="Stable, for programs.")
    message: str = Field(description="For people: what to do.")
    details: dict[str, str | int | float | bool]


class ErrorAnswer(Shape):
    """Every error has this shape."""

    error: ErrorBody
    request_id: str


class Answered(Shape):
    """Every answer has the request's id."""

    request_id: str = Field(description="Also in the header X-Request-ID.")


class Page(Answered):
    """Part of a list."""

    next: str | None = Field(description="Send it as `after` for the next page; null at the end.")
