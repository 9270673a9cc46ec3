"""Fusion: one verdict on a short clip, out of what each frame and all together say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mien.config import LivenessCondition
from mien.landmarks.blendshapes import MOVEMENTS
from mien.liveness.conditions import THRESHOLDS, check_condition
from mien.liveness.sequence.finding import Check, Reason
from mien.liveness.sequence.frame import SequenceFrame
from mien.types import Result
from mien.verdict import Verdict

__all__ = ["ClipVerdict", "fused_liveness", "verdict_of"]

SPEAKING = 0.5
"""Share of the frames with a face of which something must be said."""

BLINK = (0.35, 0.453)
"""Of the movement eyeBlink: open below the first, closed from the second on."""


@dataclass(frozen=True, slots=True)
class ClipVerdict(Result):
    """Whether the largest face of a short clip is a live one.

    Attributes:
        verdict: ``live``, ``spoof`` or ``undetermined``; the last is never taken for live.
        score: median of the frames' scores of passive liveness; None where no frame has one.
        threshold: of ``condition``.
        condition: ``weak``, ``balanced`` or ``strict``.
        frames: how many there were.
        blinks: how often the eyes closed and opened; None without a mesh. It decides nothing.
        checks: what was looked at, with its figures.
    """

    verdict: Verdict
    score: float | None
    threshold: float
    condition: LivenessCondition
    frames: int
    blinks: int | None
    checks: tuple[Check, ...]

    @property
    def live(self) -> bool:
        """Whether it may be taken for a live face."""
        return self.verdict == "live"

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why it is not live, each once."""
        return tuple(dict.fromkeys(check.reason for check in self.checks if check.fails))

    def __str__(self) -> str:
        score = "-" if self.score is None else f"{self.score:.2f}"
        return " ".join([self.verdict, score, *self.reasons])

    def to_dict(self) -> dict[str, Any]:
        """``{"live", "verdict", "score", "threshold", "condition", "frames", "blinks", ...}``."""
        return {
            "live": self.live,
            "verdict": self.verdict,
            "score": None if self.score is None else round(self.score, 4),
            "threshold": self.threshold,
            "condition": self.condition,
            "frames": self.frames,
            "blinks": self.blinks,
            "reasons": list(self.reasons),
            "checks": [check.to_dict() for check in self.checks],
        }


def fused_liveness(
    frames: Sequence[SequenceFrame], *, condition: LivenessCondition, decides: bool = True
) -> Check:
    """Passive liveness over all frames: ``liveness``, the median of their scores, at least.

    None where nothing could be said of half of the faces: too little is to be seen around them.
    """
    threshold = THRESHOLDS[check_condition(condition)]
    told = np.array([frame.live for frame in frames if frame.has_face]).reshape(-1, 2)
    said = told[:, 0][(told[:, 1] > 0) & np.isfinite(told[:, 0])]
    if not len(told) or len(said) < max(1, SPEAKING * len(told)):
        return Check("liveness", None, "not_live", None, threshold, decides)
    score = float(np.median(said))
    return Check("liveness", score >= threshold, "not_live", score, threshold, decides)


def verdict_of(
    frames: Sequence[SequenceFrame], checks: Sequence[Check], *, condition: LivenessCondition
) -> ClipVerdict:
    """The verdict on a clip.

    Args:
        frames: of the clip.
        checks: beside passive liveness.
        condition: how sure a live face must look.
    """
    passive = fused_liveness(frames, condition=condition)
    every = (passive, *checks)
    if any(check.fails for check in every):
        verdict: Verdict = "spoof"
    else:
        verdict = "live" if passive.passed else "undetermined"
    threshold = THRESHOLDS[condition]
    return ClipVerdict(
        verdict, passive.value, threshold, condition, len(frames), _blinks(frames), every
    )


def _blinks(frames: Sequence[SequenceFrame]) -> int | None:
    lids = [MOVEMENTS.index(name) for name in ("eyeBlinkLeft", "eyeBlinkRight")]
    closed = [float(frame.movements[lids].min()) for frame in frames if frame.has_face]
    if not closed:
        return None
    count, open_before, shut = 0, False, False
    for value in closed:
        if value < BLINK[0]:
            count += shut
            open_before, shut = True, False
        elif value >= BLINK[1] and open_before:
            shut = True
    return count
