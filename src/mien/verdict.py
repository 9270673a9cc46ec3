"""Result of a liveness check: is this face a live one before the camera?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mien.config import LivenessCondition
from mien.types import Result

__all__ = ["LivenessReason", "LivenessVerdict", "Verdict"]

Verdict = Literal["live", "spoof", "undetermined"]

LivenessReason = Literal[
    "not_enough_surroundings", "nets_see_an_attack", "device_or_paper_edges", "moire"
]
"""``nets_see_an_attack``: the nets' mean is below the condition's threshold. ``moire``: a pattern
of pixels or of printed dots."""


@dataclass(frozen=True, slots=True)
class LivenessVerdict(Result):
    """Whether a face is a live one, and what that rests on.

    Attributes:
        verdict: ``undetermined`` is a non-response: the photo does not allow to say, and it is
            never taken for live.
        score: how alive the face looks, 0..1: the nets' mean, lowered by the evidence; ``live``
            needs at least ``threshold``.
        threshold: of ``condition``.
        condition: ``weak``, ``balanced`` or ``strict``.
        context: how many times its own size the face's surroundings are that the nets could see,
            at most 4; clamped where the photo ends.
        nets: what each net says by itself, 0..1; only those that spoke.
        evidence: measures beside the nets, 0..1, higher is more like an attack.
        reasons: why it is not live; empty for a live face.
        probability: that the face is live, 0..1, calibrated where every second face is an
            attack like those that were simulated (docs/liveness.md); None: the nets that spoke
            were not calibrated, or there are not enough surroundings.
    """

    verdict: Verdict
    score: float
    threshold: float
    condition: LivenessCondition
    context: float
    nets: Mapping[str, float]
    evidence: Mapping[str, float]
    reasons: tuple[LivenessReason, ...] = ()
    probability: float | None = None

    @property
    def live(self) -> bool:
        """Whether it may be taken for a live face."""
        return self.verdict == "live"

    def __str__(self) -> str:
        return " ".join([self.verdict, f"{self.score:.2f}", *self.reasons])

    def to_dict(self) -> dict[str, Any]:
        """``{"live", "verdict", "score", "threshold", "condition", "context", ...}``."""
        return {
            "live": self.live,
            "verdict": self.verdict,
            "score": round(self.score, 4),
            "probability": None if self.probability is None else round(self.probability, 4),
            "threshold": self.threshold,
            "condition": self.condition,
            "context": round(self.context, 2),
            "nets": {name: round(score, 4) for name, score in self.nets.items()},
            "evidence": {name: round(value, 4) for name, value in self.evidence.items()},
            "reasons": list(self.reasons),
        }
