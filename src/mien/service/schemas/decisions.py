"""Who is whom: one against one, and one against a group."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mien.service.schemas.base import Answered, BoxList, DecidedOn, Rate, Shape
from mien.service.schemas.liveness import LivenessOptions, ToldLiveness

__all__ = [
    "CompareOptions",
    "ComparedFace",
    "ComparisonAnswer",
    "Decision",
    "IdentificationAnswer",
    "IdentifiedFace",
    "IdentifyOptions",
    "MatchCandidate",
    "VerificationAnswer",
    "VerifyOptions",
]


class VerifyOptions(LivenessOptions):
    """How to decide 1:1. Give ``fmr`` or ``threshold``, not both."""

    fmr: Rate = Field(
        default=None, description="False-match rate to decide at (on confidence); default 0.001."
    )
    threshold: float | None = Field(
        default=None, allow_inf_nan=False, description="Decide on the raw similarity instead."
    )


class CompareOptions(VerifyOptions):
    """How to compare two photos."""

    metric: Literal["cosine", "euclidean", "euclidean_l2", "angular"] | None = Field(
        default=None,
        description="Unit of `similarity` (and of `threshold`); decisions and confidence stay as "
        "they are. Default: the model's own.",
    )


class IdentifyOptions(LivenessOptions):
    """How to decide 1:N. Give ``fpir`` or ``threshold``, not both."""

    top: int = Field(default=5, ge=1, le=100, description="At most this many candidates a face.")
    fpir: Rate = Field(
        default=None,
        description="False-positive identification rate at the group's size; default 0.01.",
    )
    threshold: float | None = Field(
        default=None, allow_inf_nan=False, description="Decide on the raw similarity instead."
    )


class ComparedFace(Shape):
    """One face of the second photo."""

    box: BoxList
    match: bool
    similarity: float
    confidence: float | None


class Decision(Answered):
    """A 1:1 decision."""

    match: bool
    similarity: float = Field(description="The model's own score; higher is more alike.")
    confidence: float | None = Field(
        description="Calibrated, 0..1; 0.5 at the default operating point."
    )
    decided_on: DecidedOn
    threshold: float = Field(description="What was passed or not, in the unit of `decided_on`.")
    fmr: float | None
    extrapolated: bool
    embedder: str
    detector: str
    faces: list[BoxList | None] = Field(min_length=2, max_length=2)
    liveness: list[ToldLiveness | None] | None = Field(
        default=None, description="Of both faces, where it was asked for."
    )


class ComparisonAnswer(Decision):
    """The largest face of the first photo against every face of the second."""

    all: list[ComparedFace] = Field(description="Best first.")


class VerificationAnswer(Decision):
    """The photo's largest face against a person."""

    person: str


class MatchCandidate(Shape):
    """A person who may be the face's owner."""

    person: str
    person_id: str
    similarity: float
    confidence: float | None
    face_id: str | None


class IdentifiedFace(Shape):
    """A face and who it may be; an unknown face has no candidates."""

    box: BoxList
    candidates: list[MatchCandidate]
    liveness: ToldLiveness | None = Field(default=None, description="Where it was asked for.")


class IdentificationAnswer(Answered):
    """Who is in a photo."""

    width: int
    height: int
    decided_on: DecidedOn
    threshold: float
    fpir: float | None
    extrapolated: bool
    gallery_size: int
    faces: list[IdentifiedFace]
