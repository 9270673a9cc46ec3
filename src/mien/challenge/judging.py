"""Judging: what a session's frames come to. A function of the plan and the frames alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.challenge.plan import Plan
from mien.challenge.steps import Progress, StepOutcome, follow
from mien.engine.watching import same_face
from mien.gallery.checks import contracts_agree
from mien.liveness.sequence import (
    Check,
    Reason,
    SequenceFrame,
    continuity_checks,
    fused_liveness,
    order_checks,
    picture_checks,
)
from mien.match.decision import for_verification
from mien.types import Result

if TYPE_CHECKING:
    from mien.engine import Engine
    from mien.gallery import Gallery

__all__ = ["ChallengeResult", "Standing", "judge", "person_check", "portrait", "standing"]

TIMES = ("order", "rate", "gap")
"""Checks that must have spoken: without times no step can have been done in time."""


@dataclass(frozen=True, slots=True)
class ChallengeResult(Result):
    """What a session came to.

    Attributes:
        passed: somebody live did what was asked.
        steps: one outcome a step.
        checks: everything that was looked at, with its figures.
        frames: how many there were.
        failure: why the steps failed, or None.
    """

    passed: bool
    steps: tuple[StepOutcome, ...]
    checks: tuple[Check, ...]
    frames: int
    failure: Reason | None = None

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why it failed, each once."""
        found = [check.reason for check in self.checks if check.fails]
        first = [] if self.failure is None else [self.failure]
        return tuple(dict.fromkeys([*first, *found]))

    def __str__(self) -> str:
        return " ".join(["passed" if self.passed else "failed", *self.reasons])

    def to_dict(self) -> dict[str, Any]:
        """``{"passed", "reasons", "steps", "checks", "frames"}``."""
        return {
            "passed": self.passed,
            "reasons": list(self.reasons),
            "steps": [one.to_dict() for one in self.steps],
            "checks": [check.to_dict() for check in self.checks],
            "frames": self.frames,
        }


@dataclass(frozen=True, slots=True)
class Standing:
    """How a session stands that has not ended by itself.

    Attributes:
        progress: of the steps.
        over: whether more frames can change nothing: all is done, or it has failed.
    """

    progress: Progress
    over: bool


def standing(plan: Plan, frames: Sequence[SequenceFrame]) -> Standing:
    """How the steps stand; cheap, and asked after each batch of frames."""
    progress = follow(plan.steps, frames, step_limit_s=plan.step_limit_s)
    full = len(frames) >= plan.max_frames
    return Standing(progress, progress.complete or progress.failure is not None or full)


def judge(
    engine: Engine,
    plan: Plan,
    frames: Sequence[SequenceFrame],
    *,
    known: Collection[bytes] = (),
    compressed: bool = False,
    more: Sequence[Check] = (),
) -> ChallengeResult:
    """The result over all frames.

    Args:
        engine: its calibration says when two frames are one person's.
        plan: of the session.
        frames: all of them.
        known: digests of frames that were sent in other sessions.
        compressed: they come from a video file.
        more: other checks that count, such as :func:`person_check`.
    """
    if not frames:
        none = Check("frames", False, "too_few_frames", 0.0, 1.0)
        open_steps = tuple(StepOutcome(step, None) for step in plan.steps)
        return ChallengeResult(False, open_steps, (none,), 0)
    progress = follow(plan.steps, frames, step_limit_s=plan.step_limit_s)
    failure = progress.failure or (None if progress.complete else "step_missed")
    checks = [
        *order_checks(frames, known=known),
        *continuity_checks(frames),
        same_face(engine, frames, fmr=plan.fmr),
        *picture_checks(frames, compressed=compressed),
        *more,
    ]
    policy = plan.liveness
    if policy.looks:
        told = fused_liveness(frames, condition=policy.condition, decides=policy.enforces)
        if told.passed is None and policy.enforces:  # what cannot be said is not live
            told = Check("liveness", False, "not_live", None, told.limit)
        checks.append(told)
    timed = all(check.passed is not None for check in checks if check.name in TIMES)
    passed = failure is None and timed and not any(check.fails for check in checks)
    return ChallengeResult(passed, progress.outcomes, tuple(checks), len(frames), failure)


def person_check(
    engine: Engine, gallery: Gallery, plan: Plan, frames: Sequence[SequenceFrame]
) -> list[Check]:
    """Whether the face that looks most straight into the camera is the plan's person.

    Returns:
        ``person`` (confidence, at least), or nothing where the plan names nobody.

    Raises:
        NotFound: no such group or person.
        EmbeddingMismatch: the group is pinned to another recognition model.
    """
    if plan.group is None or plan.person is None:
        return []
    decision = for_verification(engine.calibration, fmr=plan.fmr)
    seen = [frame for frame in frames if frame.has_face and frame.vector.size]
    group = gallery.group(plan.group)
    contracts_agree(plan.group, group.contract, engine.embedder.contract)
    _, enrolled = gallery.embeddings(plan.group, plan.person)
    limit = round(decision.threshold, 4)
    if not seen or not len(enrolled) or engine.calibration is None:
        return [Check("person", False, "another_person", None, limit)]
    probe = min(seen, key=_turned)
    similar = enrolled.vector @ probe.vector
    sure = engine.calibration.confidence(similar, enrolled.norm, float(probe.norm[0]))
    best = float(np.max(sure))
    return [Check("person", best >= decision.threshold, "another_person", best, limit)]


def portrait(frames: Sequence[SequenceFrame]) -> dict[str, Any] | None:
    """Where the face is in the frame that it looks most straight out of.

    Returns:
        ``{"frame": its number from 0, "time_s": after the first, "box": [x0, y0, x1, y1]}`` in the
        frame's pixels, or None where no frame shows a face.
    """
    shown = [i for i, frame in enumerate(frames) if frame.has_face]
    if not shown:
        return None
    best = min(shown, key=lambda i: _turned(frames[i]))
    chosen = frames[best]
    box = [round(float(edge), 1) for edge in chosen.box]
    return {"frame": best, "time_s": round(chosen.time_s - frames[0].time_s, 3), "box": box}


def _turned(frame: SequenceFrame) -> float:
    """How far a face looks past the camera: degrees of yaw and pitch together."""
    return float(np.abs(frame.pose[:2]).sum())
