"""What a calibration run found."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mien.evaluate.breakdown import Part
from mien.evaluate.open_set import OpenSet
from mien.models.card import CalibrationFacts
from mien.types import Result

__all__ = ["CalibrationReport", "PointCheck"]


@dataclass(frozen=True, slots=True)
class PointCheck(Result):
    """The shipped model at a shipped threshold, on each half of the people.

    Attributes:
        fmr: the rate that the threshold stands for.
        half_1, half_2: false-match rates of the shipped model there.
        plain_1, plain_2: the same for pairs whose norms are not known.
    """

    fmr: float
    half_1: float
    half_2: float
    plain_1: float
    plain_2: float

    def to_dict(self) -> dict[str, Any]:
        """The fields by name."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationReport(Result):
    """A calibration and how it was measured.

    Attributes:
        model: the recognition model's card name.
        facts: what goes into the card.
        people, photos: of the list.
        undetected: photos without a face; they take no part.
        penalty: how strongly the quality terms were shrunk.
        worst_ratio: the largest out-of-fold FMR of a quality bin over the nominal one.
        intervals: 95 % bootstrap intervals over people of ``fmr`` and ``fnmr`` at the default
            operating point.
        by_quality, by_group, by_set: out-of-fold error rates there.
        checks: the shipped model at the shipped thresholds.
        open_set: simulated identification with the shipped thresholds.
    """

    model: str
    facts: CalibrationFacts
    people: int
    photos: int
    undetected: tuple[str, ...]
    penalty: float
    worst_ratio: float
    intervals: Mapping[str, tuple[float, float]]
    by_quality: tuple[Part, ...]
    by_group: tuple[Part, ...]
    by_set: tuple[Part, ...]
    checks: tuple[PointCheck, ...]
    open_set: tuple[OpenSet, ...]

    def __str__(self) -> str:
        default = next(p for p in self.facts.points if p.fmr == self.facts.default_fmr)
        return (
            f"{self.model}: confidence 0.5 at FMR {default.fmr:g} (similarity "
            f"{default.similarity:.3f}), FNMR {default.fnmr:.4f}; {self.facts.impostor_pairs} "
            f"impostor and {self.facts.genuine_pairs} genuine pairs of {self.people} people"
        )

    def to_dict(self) -> dict[str, Any]:
        """The document of ``mien eval calibrate --json``."""
        return {
            "model": self.model,
            "people": self.people,
            "photos": self.photos,
            "undetected": len(self.undetected),
            "undetected_images": list(self.undetected),
            "calibration": plain_facts(self.facts),
            "penalty": self.penalty,
            "worst_fmr_ratio_by_quality": round(self.worst_ratio, 4),
            "intervals": {name: list(ends) for name, ends in self.intervals.items()},
            "by_quality": [part.to_dict() for part in self.by_quality],
            "by_group": [part.to_dict() for part in self.by_group],
            "by_set": [part.to_dict() for part in self.by_set],
            "checks": [check.to_dict() for check in self.checks],
            "open_set": [row.to_dict() for row in self.open_set],
        }


def plain_facts(facts: CalibrationFacts) -> dict[str, Any]:
    """``facts`` as the card's ``[calibration]`` table."""
    return {
        "weights": list(facts.weights),
        "plain": list(facts.plain),
        "norm_reference": facts.norm_reference,
        "norm_clip": list(facts.norm_clip),
        "default_fmr": facts.default_fmr,
        "impostor_pairs": facts.impostor_pairs,
        "genuine_pairs": facts.genuine_pairs,
        "fmr_floor": facts.fmr_floor,
        "data": facts.data,
        "fmr_by_group": dict(facts.fmr_by_group),
        "fmr_by_quality": dict(facts.fmr_by_quality),
        "tail": dataclasses.asdict(facts.tail),
        "plain_tail": dataclasses.asdict(facts.plain_tail),
        "points": [dataclasses.asdict(point) for point in facts.points],
    }
