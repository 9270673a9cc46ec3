"""The shapes of liveness sessions and clips; every one has the name it has in ``/openapi.json``."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from mien.client.shapes import Answered

__all__ = [
    "ClipAnswer",
    "LivenessSessionAnswer",
    "ToldCheck",
    "ToldResult",
    "ToldStep",
    "ToldTexts",
]

Step = Literal["blink", "turn_left", "turn_right", "nod", "smile", "move_closer"]
Condition = Literal["weak", "balanced", "strict"]


class ToldTexts(TypedDict):
    """What to tell the person."""

    en: str
    ko: str


class ToldStep(TypedDict):
    """One step that is asked for, and what became of it; ``done`` is None until then."""

    step: Step
    texts: ToldTexts
    done: bool | None
    started_s: NotRequired[float | None]
    ended_s: NotRequired[float | None]
    value: NotRequired[float | None]
    limit: NotRequired[float | None]


class ToldCheck(TypedDict):
    """One check and its figure."""

    name: str
    passed: bool | None
    reason: str | None
    value: float | None
    limit: float | None
    decides: bool


class ClipAnswer(Answered):
    """Whether the face of a clip is a live one."""

    live: bool
    verdict: Literal["live", "spoof", "undetermined"]
    score: float | None
    threshold: float
    condition: Condition
    frames: int
    blinks: int | None
    reasons: list[str]
    checks: list[ToldCheck]


class ToldResult(TypedDict):
    """What a session came to."""

    passed: bool
    reasons: list[str]
    checks: list[ToldCheck]
    frames: int


class LivenessSessionAnswer(Answered):
    """A liveness session; ``token`` is told once, when it is made."""

    id: str
    token: NotRequired[str | None]
    state: Literal["waiting", "running", "passed", "failed", "expired", "finished"]
    subject: NotRequired[str | None]
    steps: list[ToldStep]
    next_step: Step | None
    step_limit_s: float
    mirrored: bool
    frames: int
    created_at: str
    expires_at: str
    finished_at: str | None
    result: ToldResult | None
