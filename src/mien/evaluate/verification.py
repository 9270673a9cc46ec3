"""Measures of 1:1 verification. A pair matches when its score is at or above the threshold.

Every function takes ``genuine`` and ``impostor`` scores, higher is more alike; a pair that could
not be compared has the score ``-inf``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from mien.errors import InvalidArgument

__all__ = [
    "Accuracy",
    "Roc",
    "auc",
    "best_threshold",
    "equal_error_rate",
    "fold_accuracy",
    "roc",
    "tar_at_fmr",
    "threshold_at_fmr",
]

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Roc:
    """Operating points from strict to lax, one for every distinct score.

    Attributes:
        fmr, tar: false-match and true-accept rate; they start at (0, 0) and end at (1, 1).
        threshold: what gives them; the first is infinite.
    """

    fmr: Scores
    tar: Scores
    threshold: Scores


def roc(genuine: Scores, impostor: Scores) -> Roc:
    """The receiver operating characteristic.

    Raises:
        InvalidArgument: no genuine or no impostor pair.
    """
    _both(genuine, impostor)
    scores = np.concatenate([genuine, impostor])
    same = np.concatenate([np.ones(len(genuine)), np.zeros(len(impostor))])
    order = np.argsort(-scores, kind="stable")
    scores, same = scores[order], same[order]
    last = np.append(scores[1:] != scores[:-1], True)  # of each run of equal scores
    accepted = np.cumsum(same)[last]
    false = np.cumsum(1 - same)[last]
    return Roc(
        fmr=np.concatenate([[0.0], false / len(impostor)]),
        tar=np.concatenate([[0.0], accepted / len(genuine)]),
        threshold=np.concatenate([[np.inf], scores[last]]),
    )


def auc(genuine: Scores, impostor: Scores) -> float:
    """Probability that a genuine pair scores above an impostor pair; ties count half."""
    _both(genuine, impostor)
    ranks = rankdata(np.concatenate([genuine, impostor]))[: len(genuine)]
    n = len(genuine)
    return float((ranks.sum() - n * (n + 1) / 2) / (n * len(impostor)))


def equal_error_rate(genuine: Scores, impostor: Scores) -> float:
    """Where FMR and FNMR are equal, on the straight lines between the points of the ROC."""
    curve = roc(genuine, impostor)
    gap = curve.fmr - (1 - curve.tar)  # from -1 up to 1
    after = int(np.argmax(gap >= 0))
    low, high = gap[after - 1], gap[after]
    share = -low / (high - low)
    return float(curve.fmr[after - 1] + share * (curve.fmr[after] - curve.fmr[after - 1]))


def threshold_at_fmr(impostor: Scores, fmr: float) -> float:
    """The threshold that at most ``floor(fmr * n)`` of the n impostor pairs pass (floor rule).

    It lies halfway between the last score that passes and the first that does not; where nothing
    may pass it is the next number above the best impostor.
    """
    if len(impostor) == 0:
        raise InvalidArgument("No impostor pair: no false-match rate can be measured.")
    allowed = int(np.floor(fmr * len(impostor) + 1e-9))
    if allowed >= len(impostor):
        return -np.inf
    top = np.partition(impostor, len(impostor) - 1 - allowed)[len(impostor) - 1 - allowed :]
    first_out = float(top[0])
    passing = top[1:][top[1:] > first_out]
    if len(passing) == 0 or not np.isfinite(first_out):
        return float(np.nextafter(first_out, np.inf))
    return (first_out + float(passing.min())) / 2


def tar_at_fmr(genuine: Scores, impostor: Scores, fmr: float) -> float:
    """Share of genuine pairs that pass where at most ``floor(fmr * n)`` impostors pass."""
    _both(genuine, impostor)
    return float(np.mean(genuine >= threshold_at_fmr(impostor, fmr)))


def best_threshold(scores: Scores, same: NDArray[np.bool_]) -> float:
    """The threshold with the most correct decisions; the middle one where several are best."""
    distinct, place = np.unique(scores, return_inverse=True)
    genuine = np.bincount(place, weights=same, minlength=len(distinct))
    impostor = np.bincount(place, weights=~same, minlength=len(distinct))
    # Entry k: everything from the k-th distinct score upwards matches.
    rejected_impostors = np.concatenate([[0.0], np.cumsum(impostor)])
    accepted_genuine = genuine.sum() - np.concatenate([[0.0], np.cumsum(genuine)])
    correct = rejected_impostors + accepted_genuine
    best = np.flatnonzero(correct == correct.max())
    k = int(best[len(best) // 2])
    if k == len(distinct):
        return float(np.nextafter(distinct[-1], np.inf))
    if k == 0 or not np.isfinite(distinct[k - 1]):
        return float(distinct[k])
    return float((distinct[k - 1] + distinct[k]) / 2)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Accuracy over folds.

    Attributes:
        mean, std: over the folds (``std`` divides by the number of folds).
        threshold: median of the folds' thresholds.
        folds: accuracy of each fold, at the threshold that is best on all the others.
    """

    mean: float
    std: float
    threshold: float
    folds: tuple[float, ...]


def fold_accuracy(scores: Scores, same: NDArray[np.bool_], fold: Sequence[str]) -> Accuracy:
    """Accuracy in each fold at the threshold that is best on the others (LFW, view 2).

    Source: Huang, Ramesh, Berg and Learned-Miller 2007, Labeled Faces in the Wild.

    Raises:
        InvalidArgument: fewer than two folds.
    """
    labels = np.asarray(fold)
    names = np.unique(labels)
    if len(names) < 2:
        raise InvalidArgument("Accuracy takes its threshold from other folds: two are needed.")
    accuracies, thresholds = [], []
    for name in names:
        inside = labels == name
        threshold = best_threshold(scores[~inside], same[~inside])
        thresholds.append(threshold)
        accuracies.append(float(np.mean((scores[inside] >= threshold) == same[inside])))
    return Accuracy(
        float(np.mean(accuracies)),
        float(np.std(accuracies)),
        float(np.median(thresholds)),
        tuple(accuracies),
    )


def _both(genuine: Scores, impostor: Scores) -> None:
    if len(genuine) == 0 or len(impostor) == 0:
        raise InvalidArgument("Both genuine and impostor pairs are needed.")
