"""Error versus discard: does leaving out the photos of lowest quality leave out the failures?

Source: Grother and Tabassi 2007, Performance of Biometric Quality Measures; ISO/IEC 29794-1:2024,
annex on error-versus-discard characteristics.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.errors import InvalidArgument

__all__ = ["PARTIAL", "Discard", "error_versus_discard"]

Floats = NDArray[np.float64]

STEPS = 1000
LAST = 0.95  # beyond it too few pairs are left to state a rate
PARTIAL = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Discard:
    """The error-versus-discard curve of one measure of quality.

    Attributes:
        discarded: ``(n,)`` share of the genuine pairs that is left out, 0 to 0.95.
        fnmr: ``(n,)`` false non-match rate of the others.
        auc: mean of ``fnmr`` over the curve.
        partial_auc: its mean up to 20 % discarded.
        gain, partial_gain: how much of what a perfect order would take off that mean this one
            does: 1 is perfect, 0 is no better than discarding at random, below it is worse.
    """

    discarded: Floats
    fnmr: Floats
    auc: float
    partial_auc: float
    gain: float
    partial_gain: float

    def at(self, share: float) -> float:
        """The false non-match rate where ``share`` of the pairs is left out."""
        return float(np.interp(share, self.discarded, self.fnmr))


def error_versus_discard(quality: Floats, failed: NDArray[np.bool_]) -> Discard:
    """Leave out genuine pairs, those of lowest quality first.

    Pairs of equal quality are left out in random order: the curve is its expectation.

    Args:
        quality: ``(n,)`` of the pairs: the lower of their two photos'. NaN counts as lowest.
        failed: ``(n,)`` whether the pair falls below the threshold.

    Raises:
        InvalidArgument: no pair.
    """
    if len(quality) == 0:
        raise InvalidArgument("An error-versus-discard curve needs genuine pairs.")
    share = np.linspace(0.0, LAST, STEPS + 1)
    ranked = np.where(np.isnan(quality), -np.inf, quality)
    fnmr = _remaining(ranked, failed, share)
    best = _remaining(np.where(failed, 0.0, 1.0), failed, share)
    part = share <= PARTIAL
    rate = float(failed.mean())
    return Discard(
        discarded=share,
        fnmr=fnmr,
        auc=float(fnmr.mean()),
        partial_auc=float(fnmr[part].mean()),
        gain=_gain(rate, float(fnmr.mean()), float(best.mean())),
        partial_gain=_gain(rate, float(fnmr[part].mean()), float(best[part].mean())),
    )


def _remaining(quality: Floats, failed: NDArray[np.bool_], share: Floats) -> Floats:
    """The rate among what is left after leaving out each share."""
    values, place = np.unique(quality, return_inverse=True)
    count = np.bincount(place, minlength=len(values)).cumsum()
    errors = np.bincount(place, weights=failed, minlength=len(values)).cumsum()
    gone = share * len(quality)
    lost = np.interp(gone, np.concatenate([[0], count]), np.concatenate([[0.0], errors]))
    return np.asarray((errors[-1] - lost) / (len(quality) - gone))


def _gain(random: float, measured: float, best: float) -> float:
    return (random - measured) / (random - best) if random > best else 0.0
