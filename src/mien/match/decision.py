"""What a pair has to pass: a threshold on confidence, chosen by error rate, or on similarity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mien.errors import InvalidArgument
from mien.match.calibration import Calibration

__all__ = ["DEFAULT_FMR", "DEFAULT_FPIR", "Decision", "for_identification", "for_verification"]

Scores = NDArray[np.floating]

DEFAULT_FMR = 1e-3
DEFAULT_FPIR = 1e-2


@dataclass(frozen=True, slots=True)
class Decision:
    """A threshold and where it comes from.

    Attributes:
        decided_on: the unit of ``threshold``.
        threshold: a pair passes at or above it.
        rate: the error rate (FMR or FPIR) that chose it; None when the caller gave it.
        extrapolated: it lies beyond what the calibration's pairs could measure.
    """

    decided_on: Literal["confidence", "similarity"]
    threshold: float
    rate: float | None
    extrapolated: bool

    def scores(self, similarity: Scores, confidence: Scores | None) -> Scores:
        """What decides and ranks: the scores in the unit of ``threshold``; same shape."""
        if self.decided_on == "similarity" or confidence is None:
            return similarity
        return confidence

    def passes(self, scores: Scores) -> NDArray[np.bool_]:
        """Which of :meth:`scores` pass. A NaN does not."""
        return np.asarray(scores >= self.threshold)


def for_verification(
    calibration: Calibration | None, *, fmr: float | None = None, threshold: float | None = None
) -> Decision:
    """The 1:1 decision: at ``fmr`` (default 1e-3), or at a ``threshold`` on similarity.

    Raises:
        InvalidArgument: both are given, or the model has no calibration and no threshold is given.
    """
    given = _given(threshold, fmr, "fmr")
    if given is not None:
        return given
    rate = DEFAULT_FMR if fmr is None else _number(fmr, "fmr")
    chosen = _calibrated(calibration, "fmr").threshold(rate)
    return Decision("confidence", chosen.confidence, rate, chosen.extrapolated)


def for_identification(
    calibration: Calibration | None,
    *,
    gallery_size: int,
    fpir: float | None = None,
    threshold: float | None = None,
) -> Decision:
    """The 1:N decision: at ``fpir`` (default 1e-2) for a group of ``gallery_size`` faces.

    Raises:
        InvalidArgument: both are given, or the model has no calibration and no threshold is given.
    """
    given = _given(threshold, fpir, "fpir")
    if given is not None:
        return given
    rate = DEFAULT_FPIR if fpir is None else _number(fpir, "fpir")
    chosen = _calibrated(calibration, "fpir").identification_threshold(rate, max(1, gallery_size))
    return Decision("confidence", chosen.confidence, rate, chosen.extrapolated)


def _given(threshold: float | None, rate: float | None, name: str) -> Decision | None:
    if threshold is None:
        return None
    if rate is not None:
        raise InvalidArgument(f"Give either {name} or threshold, not both.")
    return Decision("similarity", _number(threshold, "threshold"), None, extrapolated=False)


def _number(value: float, name: str) -> float:
    """``value`` as a finite float; callers without types may have given anything."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not np.isfinite(number):
        raise InvalidArgument(f"{name} must be a finite number.")
    return number


def _calibrated(calibration: Calibration | None, name: str) -> Calibration:
    if calibration is None:
        raise InvalidArgument(
            f"This recognition model has no calibration, so {name} cannot choose a threshold: "
            "give threshold= (on similarity), or calibrate it with `mien eval calibrate`."
        )
    return calibration
