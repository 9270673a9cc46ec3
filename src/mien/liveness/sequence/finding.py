"""Check: one thing that was looked at in a sequence, its figure, and what it is called when bad."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mien.types import Result

__all__ = ["Check", "Reason"]

Reason = Literal[
    "too_few_frames",
    "no_face",
    "out_of_order",
    "implausible_rate",
    "implausible_clock",
    "replayed",
    "frozen",
    "reordered",
    "another_face",
    "spliced",
    "cropped",
    "flat",
    "single_image",
    "not_live",
    "not_frontal",
    "wrong_movement",
    "step_missed",
    "another_person",
]
"""Why a sequence fails; docs/challenge.md says what each means."""


@dataclass(frozen=True, slots=True)
class Check(Result):
    """One check of a sequence.

    Attributes:
        name: what was looked at.
        passed: None: the sequence did not allow to say.
        reason: what it is called when it has not passed.
        value: the figure; None where there is none.
        limit: what ``value`` is held against; the check's documentation says from which side.
        decides: whether the result depends on it.
    """

    name: str
    passed: bool | None
    reason: Reason
    value: float | None = None
    limit: float | None = None
    decides: bool = True

    @property
    def fails(self) -> bool:
        """Whether the sequence fails for it."""
        return self.decides and self.passed is False

    def to_dict(self) -> dict[str, Any]:
        """``{"name", "passed", "reason", "value", "limit", "decides"}``; a reason if it failed."""
        return {
            "name": self.name,
            "passed": self.passed,
            "reason": self.reason if self.passed is False else None,
            "value": None if self.value is None else round(float(self.value), 4),
            "limit": self.limit,
            "decides": self.decides,
        }
