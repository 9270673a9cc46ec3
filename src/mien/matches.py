"""Matches: whom templates are like that did not come from a photo of this call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mien.answers import Candidate, DecidedOn
from mien.types import Result

__all__ = ["TemplateMatches"]


@dataclass(frozen=True, slots=True, eq=False)
class TemplateMatches(Result):
    """Whom each template may be, most confident first; none for an unknown one.

    Attributes:
        group: that was searched.
        candidates: of each template.
        decided_on: the unit of ``threshold``; fpir: the rate that chose it, or None.
        extrapolated: the threshold lies beyond what the calibration's pairs could measure.
        gallery_size: faces in the group.
    """

    group: str
    candidates: tuple[tuple[Candidate, ...], ...]
    decided_on: DecidedOn
    threshold: float
    fpir: float | None
    extrapolated: bool
    gallery_size: int

    def __len__(self) -> int:
        return len(self.candidates)

    def __iter__(self) -> Iterator[tuple[Candidate, ...]]:
        return iter(self.candidates)

    def __str__(self) -> str:
        names = [found[0].person if found else "unknown" for found in self.candidates]
        return f"{len(names)} template(s) in group {self.group!r}: {', '.join(names) or 'nobody'}"

    def to_dict(self) -> dict[str, Any]:
        """``{"decided_on", "threshold", "fpir", "extrapolated", "gallery_size", "candidates"}``."""
        return {
            "decided_on": self.decided_on,
            "threshold": round(float(self.threshold), 6),
            "fpir": self.fpir,
            "extrapolated": self.extrapolated,
            "gallery_size": self.gallery_size,
            "candidates": [[one.to_dict() for one in found] for found in self.candidates],
        }
