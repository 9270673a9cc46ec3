"""Faces of a photo, and their templates."""

from __future__ import annotations

from pydantic import Field

from mien.service.schemas.base import Answered, BoxList, Options, Point, Shape
from mien.service.schemas.liveness import ToldLiveness

__all__ = [
    "DetectedFace",
    "DetectionAnswer",
    "RepresentOptions",
    "RepresentationAnswer",
    "RepresentedFace",
]


class RepresentOptions(Options):
    """Options of ``/v1/represent``."""

    max_faces: int | None = Field(
        default=None, ge=1, le=1000, description="At most this many faces, largest first."
    )


class DetectedFace(Shape):
    """A face."""

    box: BoxList
    score: float = Field(description="The detector's confidence, 0..1.")
    landmarks: list[Point] | None = Field(
        description="Image-left eye, image-right eye, nose, image-left and -right mouth corner."
    )
    liveness: ToldLiveness | None = Field(default=None, description="Where it was asked for.")


class DetectionAnswer(Answered):
    """The faces of a photo, largest first, in pixels of the upright photo."""

    width: int
    height: int
    faces: list[DetectedFace]


class RepresentedFace(Shape):
    """A face and its template."""

    box: BoxList
    embedding: list[float]
    norm: float | None = Field(description="Length before normalisation; it carries quality.")
    contract: str = Field(description="What this embedding may be compared with.")


class RepresentationAnswer(Answered):
    """The faces of a photo and their templates."""

    faces: list[RepresentedFace]
