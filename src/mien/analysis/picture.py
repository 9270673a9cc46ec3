"""Results about the picture of a face: its quality, and single faults of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mien.types import Result

__all__ = ["Grade", "Quality", "QualityReason"]

QualityReason = Literal[
    "face_too_small",
    "cut_off",
    "blurred",
    "too_dark",
    "too_bright",
    "low_contrast",
    "turned",
    "eyes_closed",
    "mouth_open",
    "eyes_covered",
    "mouth_covered",
    "forehead_covered",
    "noisy",
    "uneven_light",
]


@dataclass(frozen=True, slots=True)
class Grade(Result):
    """How much of something a picture has: blur, light, noise.

    Attributes:
        level: ``low``, ``medium`` or ``high``; for exposure ``underExposure``, ``goodExposure``
            or ``overExposure``.
        value: 0..1; the level says in which part of it the value lies.
    """

    level: str
    value: float

    def __str__(self) -> str:
        return f"{self.level} {self.value:.2f}"

    def to_dict(self) -> dict[str, Any]:
        """``{"level", "value"}``."""
        return {"level": self.level, "value": round(self.value, 4)}


@dataclass(frozen=True, slots=True)
class Quality(Result):
    """How fit a face is for recognition.

    Attributes:
        score: 0 (useless) to 100.
        reasons: what lowers it, worst first, then what else a better photo would change.
        measures: what is behind the reasons, each 0..1, 1 is good.
        components: in the terms of ISO/IEC 29794-5, each 0 to 100, 100 is good.
    """

    score: int
    reasons: tuple[QualityReason, ...]
    measures: Mapping[str, float]
    components: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return " ".join([str(self.score), *self.reasons])

    def to_dict(self) -> dict[str, Any]:
        """``{"score", "reasons", "components": {name: 0 to 100}}``."""
        return {
            "score": self.score,
            "reasons": list(self.reasons),
            "components": dict(self.components),
        }
