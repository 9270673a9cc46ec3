"""Whether faces are live ones."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mien.config import LivenessCondition, LivenessPolicy
from mien.service.schemas.base import Answered, BoxList, Options, Shape

__all__ = ["JudgedFace", "LivenessAnswer", "LivenessOnlyOptions", "LivenessOptions", "ToldLiveness"]


class LivenessOptions(Options):
    """Whether faces have to be live ones."""

    liveness: LivenessPolicy | None = Field(
        default=None,
        description="`observe`: the answer says of each face whether it is live. `enforce`: what "
        "is not taken for live is refused. Never less than the server's own setting.",
    )
    liveness_condition: LivenessCondition | None = Field(
        default=None,
        description="How sure a live face must look. Never less than the server's own setting.",
    )


class LivenessOnlyOptions(Options):
    """Options of ``/v1/liveness``."""

    liveness_condition: LivenessCondition | None = Field(
        default=None,
        description="How sure a live face must look. Never less than the server's own setting.",
    )
    max_faces: int | None = Field(
        default=None, ge=1, le=1000, description="At most this many faces, largest first."
    )


class ToldLiveness(Shape):
    """Whether a face is a live one, and what that rests on."""

    live: bool
    verdict: Literal["live", "spoof", "undetermined"] = Field(
        description="`undetermined`: the photo does not allow to say; never taken for live."
    )
    score: float = Field(description="How alive it looks, 0..1; live from the threshold on.")
    probability: float | None = Field(
        description="That it is live, where every second face is an attack; null: not calibrated."
    )
    threshold: float
    condition: LivenessCondition
    context: float = Field(description="Times its own size that the face's surroundings are seen.")
    nets: dict[str, float] = Field(description="What each net says, 0..1.")
    evidence: dict[str, float] = Field(description="Beside the nets, 0..1; higher: an attack.")
    reasons: list[str] = Field(description="Why it is not live.")


class JudgedFace(Shape):
    """A face and whether it is live."""

    box: BoxList
    liveness: ToldLiveness


class LivenessAnswer(Answered):
    """The faces of a photo, largest first, and whether they are live."""

    width: int
    height: int
    faces: list[JudgedFace]
