"""Judge: how well a student follows its teachers, and which attacks it lets through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from mien.liveness.conditions import LEAST_CONTEXT
from mien.train.attacks import KINDS
from mien.train.liveness.crops import CropSet

__all__ = ["Judgement", "judge"]

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Figures on crops that were not trained on.

    Attributes:
        fidelity: Spearman's rank correlation of the student's scores with the teachers', over
            all; ``fidelity_of`` of live faces and of attacks alone.
        agreement: share of the crops of which both say the same at their thresholds.
        bpcer: share of the live faces that the student takes for attacks.
        apcer: by kind of attack, the share that the student takes for live.
        teacher_bpcer, teacher_apcer: the same of the teachers.
    """

    n: int
    fidelity: float
    fidelity_of: dict[str, float]
    agreement: float
    bpcer: float
    apcer: dict[str, float]
    teacher_bpcer: float
    teacher_apcer: dict[str, float]


def judge(
    student: Scores, teacher: Scores, crops: CropSet, *, threshold: float, teacher_threshold: float
) -> Judgement:
    """Compare scores, 0..1, of the crops that show enough around the face."""
    seen = crops.context >= LEAST_CONTEXT
    student, teacher, kind = student[seen], teacher[seen], crops.kind[seen]
    attack = crops.attack[seen]
    live, taught = student >= threshold, teacher >= teacher_threshold
    return Judgement(
        n=int(seen.sum()),
        fidelity=_rank(student, teacher),
        fidelity_of={
            "live": _rank(student[~attack], teacher[~attack]),
            "attacks": _rank(student[attack], teacher[attack]),
        },
        agreement=float((live == taught).mean()),
        bpcer=float((~live[~attack]).mean()),
        apcer=_by_kind(live, kind),
        teacher_bpcer=float((~taught[~attack]).mean()),
        teacher_apcer=_by_kind(taught, kind),
    )


def _rank(one: Scores, other: Scores) -> float:
    return float(spearmanr(one, other).statistic)


def _by_kind(live: NDArray[np.bool_], kind: NDArray[np.str_]) -> dict[str, float]:
    return {name: float(live[kind == name].mean()) for name in KINDS if (kind == name).any()}
