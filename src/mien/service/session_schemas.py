"""The documented shapes of ``/v1/liveness-sessions`` and ``/v1/liveness/clip``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from mien.challenge import STEPS, Step
from mien.config import LivenessCondition
from mien.service.schemas import Answered, LivenessOptions, Options, Shape

__all__ = [
    "ClipAnswer",
    "ClipOptions",
    "FramesOptions",
    "LivenessSessionAnswer",
    "NewLivenessSession",
]


def _times(given: object) -> object:
    """``0, 0.1, 0.2`` as a list; lists as they are; one number as a list of it."""
    if isinstance(given, str):
        return [part.strip() for part in given.split(",")]
    return [given] if isinstance(given, int | float) else given


class NewLivenessSession(LivenessOptions):
    """What a new session asks for."""

    step_count: int = Field(default=3, ge=1, le=len(STEPS), description="How many steps.")
    among: list[Step] = Field(
        default=list(STEPS), min_length=1, description="Steps that chance may choose from."
    )
    step_limit_s: float = Field(default=10.0, ge=2, le=60, description="Seconds for each step.")
    ttl_s: float = Field(
        default=600.0, ge=60, le=86_400, description="Seconds until the session expires."
    )
    max_frames: int = Field(default=300, ge=8, le=600, description="Frames that are taken in all.")
    mirrored: bool = Field(
        default=False, description="The camera gives mirror images, as front cameras show them."
    )
    fmr: float = Field(
        default=1e-3,
        gt=0,
        lt=1,
        description="False-match rate at which two frames are taken for one person's.",
    )
    group: str | None = Field(default=None, description="Group of the person who it must be.")
    person: str | None = Field(
        default=None, description="Name or id of the enrolled person who it must be."
    )
    subject: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="Your own number for the device or the person; limits how often it is tried.",
    )
    send_result_to_device: bool = Field(
        default=False, description="Whether the device's token may read the result."
    )


Second = Annotated[float, Field(ge=-1e12, le=1e12, allow_inf_nan=False)]


class FramesOptions(Options):
    """What comes with frames."""

    times: Annotated[list[Second], BeforeValidator(_times)] = Field(
        description="When each frame was taken, seconds of the device's clock, from any zero."
    )
    done: bool = Field(default=False, description="No more frames come: judge now.")


class ClipOptions(Options):
    """What comes with the frames of a clip."""

    times: Annotated[list[Second] | None, BeforeValidator(_times)] = Field(
        default=None,
        description="When each frame was taken, seconds; without, nothing is said about it.",
    )
    liveness_condition: LivenessCondition | None = Field(
        default=None,
        description="How sure a live face must look. Never less than the server's own setting.",
    )


class ToldTexts(Shape):
    """What to tell the person."""

    en: str
    ko: str


class ToldStep(Shape):
    """One step that is asked for, and what became of it."""

    step: Step
    texts: ToldTexts
    done: bool | None = Field(description="null: not yet.")
    started_s: float | None = None
    ended_s: float | None = None
    value: float | None = None
    limit: float | None = None


class ToldCheck(Shape):
    """One check and its figure; docs/challenge.md says what each means."""

    name: str
    passed: bool | None = Field(description="null: the frames did not allow to say.")
    reason: str | None
    value: float | None
    limit: float | None
    decides: bool


class ClipAnswer(Answered):
    """Whether the face of a clip is a live one."""

    live: bool
    verdict: Literal["live", "spoof", "undetermined"]
    score: float | None = Field(description="Median over the frames; null: nothing can be said.")
    threshold: float
    condition: LivenessCondition
    frames: int
    blinks: int | None = Field(description="How often the eyes closed and opened.")
    reasons: list[str]
    checks: list[ToldCheck]


class ToldResult(Shape):
    """What the session came to."""

    passed: bool
    reasons: list[str]
    checks: list[ToldCheck]
    frames: int


class LivenessSessionAnswer(Answered):
    """A liveness session."""

    id: str
    token: str | None = Field(
        default=None, description="For the device; told once, when the session is made."
    )
    state: Literal["waiting", "running", "passed", "failed", "expired", "finished"] = Field(
        description="`finished` is what a device is told that may not read the result."
    )
    subject: str | None = None
    steps: list[ToldStep]
    next_step: Step | None = Field(description="What to ask for now.")
    step_limit_s: float
    mirrored: bool
    frames: int
    created_at: str
    expires_at: str
    finished_at: str | None
    result: ToldResult | None
