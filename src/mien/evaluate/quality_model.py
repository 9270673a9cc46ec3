"""The quality-aware score: fitted on one half of the people, measured on the other, in turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.errors import InvalidArgument
from mien.evaluate.comparisons import Comparisons
from mien.evaluate.fitting import fit_logistic
from mien.evaluate.verification import threshold_at_fmr
from mien.match.calibration import quality

__all__ = ["CalibrationOptions", "QualityModel", "cross_fit", "quality_edges"]

Floats = NDArray[np.float64]

PENALTIES = tuple(float(p) for p in 10.0 ** np.arange(-2.0, -6.1, -0.125))
SLOPE_PENALTY = 1e-6  # keeps the slope finite where all pairs are told apart
BIN_SHARES = (0.01, 0.05, 0.20, 0.50, 0.80)
FEWEST_EXPECTED = 5  # false matches in a bin, for its rate to be held to the limit


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationOptions:
    """How a calibration is made.

    Attributes:
        default_fmr: the 1:1 operating point that gets confidence 0.5.
        norm_reference: embedding norm at which quality is 0; None: the median of the sets'
            lower quartiles, so that most clear faces have a quality above 0.
        norm_clip: range of the quality ``ln(norm / norm_reference)`` that the fit may use.
        use_norm: whether the score may depend on the norms; False for models whose norm says
            nothing about a face's quality.
        max_fmr_ratio: no quality bin may have a false-match rate above this many times the
            nominal one; the quality terms are shrunk until that holds.
        seed: of every random draw.
        resamples: bootstrap samples of people, for the intervals.
    """

    default_fmr: float = 1e-3
    norm_reference: float | None = None
    norm_clip: tuple[float, float] = (-0.25, 0.2)
    use_norm: bool = True
    max_fmr_ratio: float = 2.0
    seed: int = 0
    resamples: int = 200

    def __post_init__(self) -> None:
        if not 0 < self.default_fmr <= 0.01:
            raise InvalidArgument("default_fmr must lie above 0 and be at most 0.01.")
        if self.norm_reference is not None and self.norm_reference <= 0:
            raise InvalidArgument("norm_reference must be positive.")
        if not self.norm_clip[0] < 0 < self.norm_clip[1]:
            raise InvalidArgument("norm_clip must begin below 0 and end above it.")
        if self.max_fmr_ratio < 1:
            raise InvalidArgument("max_fmr_ratio cannot be below 1.")
        if self.resamples < 1:
            raise InvalidArgument("resamples must be 1 or more.")


@dataclass(frozen=True, slots=True, eq=False)
class QualityModel:
    """A fitted score ``weights . [s, s*q, q, 1]``.

    Attributes:
        weights: of the model that is shipped, fitted on everybody; its logit 0 is the
            out-of-fold threshold at the default rate.
        logit: ``(n,)`` out-of-fold logits of all comparisons, on the same scale.
        norm_reference, norm_clip: what defines q.
        penalty: how strongly the quality terms were shrunk.
        worst_ratio: the largest FMR of a quality bin over the nominal one, out of fold.
    """

    weights: Floats
    logit: Floats
    norm_reference: float
    norm_clip: tuple[float, float]
    penalty: float
    worst_ratio: float


def cross_fit(
    comparisons: Comparisons, dataset: NDArray[np.intp], options: CalibrationOptions
) -> QualityModel:
    """Fit on each half of the people, score the other, and fit the model that is shipped.

    Both fits use one penalty on the quality terms: the smallest of a grid that keeps the
    out-of-fold FMR of every quality bin within ``max_fmr_ratio``. Each half's model is brought to
    the shipped model's scale by its own training pairs (their thresholds at the default rate and
    at 100 times that), never by the pairs that it scores.

    Args:
        comparisons: all pairs.
        dataset: ``(faces,)`` number of each face's set; sets have equal weight.
        options: see :class:`CalibrationOptions`.
    """
    reference = options.norm_reference or 1.0
    features = _features(comparisons, reference, options)
    importance = _importance(comparisons, dataset)
    chosen: tuple[float, Floats, float] | None = None
    known = options.use_norm and np.isfinite(comparisons.norm).any()
    for penalty in PENALTIES if known else PENALTIES[:1]:
        logit = _out_of_fold(comparisons, features, importance, penalty, options)
        ratio = _worst_ratio(comparisons, logit, options)
        if chosen is None or ratio <= options.max_fmr_ratio or ratio < chosen[2]:
            chosen = (penalty, logit, ratio)
        elif chosen[2] <= options.max_fmr_ratio:
            break
    assert chosen is not None
    penalty, logit, ratio = chosen
    raw = _fit(features, comparisons.same, importance, penalty)
    shipped = _rescaled(raw, features[~comparisons.same], options, gap=None)
    gap = _gap(features[~comparisons.same] @ shipped, options)
    logit = logit * gap  # out-of-fold logits come in units of that gap
    zero = threshold_at_fmr(logit[~comparisons.same], options.default_fmr)
    shipped[3] -= zero
    return QualityModel(shipped, logit - zero, reference, options.norm_clip, penalty, ratio)


def quality_edges(norm: Floats) -> Floats:
    """Edges of the quality bins: 1, 5, 20, 50 and 80 % of the pairs lie below them."""
    finite = norm[np.isfinite(norm)]
    return np.quantile(finite, BIN_SHARES) if len(finite) else np.zeros(0)


def _features(c: Comparisons, reference: float, options: CalibrationOptions) -> Floats:
    q = np.nan_to_num(quality(c.norm, reference, options.norm_clip), nan=0.0)
    if not options.use_norm:
        q = np.zeros_like(q)
    return np.column_stack([c.similarity, c.similarity * q, q, np.ones(len(c))])


def _importance(c: Comparisons, dataset: NDArray[np.intp]) -> Floats:
    """Equal weight for every set, and in each set for genuine and impostor pairs."""
    importance = np.zeros(len(c))
    for number in np.unique(dataset):
        share = (dataset[c.a] == number).astype(np.float64) + (dataset[c.b] == number)
        for kind in (True, False):
            of_kind = share * (c.same == kind)
            if of_kind.sum() > 0:
                importance += of_kind / of_kind.sum()
    return importance


def _fit(features: Floats, same: NDArray[np.bool_], importance: Floats, penalty: float) -> Floats:
    shrink = np.array([SLOPE_PENALTY, penalty, penalty, 0.0])
    return fit_logistic(features, same, importance, shrink)


def _out_of_fold(
    c: Comparisons,
    features: Floats,
    importance: Floats,
    penalty: float,
    options: CalibrationOptions,
) -> Floats:
    logit = np.empty(len(c))
    for half in (0, 1):
        fitted_on = c.half == half
        raw = _fit(features[fitted_on], c.same[fitted_on], importance[fitted_on], penalty)
        weights = _rescaled(raw, features[fitted_on & ~c.same], options, gap=1.0)
        logit[~fitted_on] = features[~fitted_on] @ weights
    return logit


def _rescaled(
    weights: Floats, impostor: Floats, options: CalibrationOptions, *, gap: float | None
) -> Floats:
    """``weights`` with logit 0 at the default rate and, unless None, the given gap."""
    logit = impostor @ weights
    factor = 1.0 if gap is None else gap / _gap(logit, options)
    answer = weights * factor
    answer[3] -= factor * threshold_at_fmr(logit, options.default_fmr)
    return answer


def _gap(impostor: Floats, options: CalibrationOptions) -> float:
    lax = min(0.5, 100 * options.default_fmr)
    return threshold_at_fmr(impostor, options.default_fmr) - threshold_at_fmr(impostor, lax)


def _worst_ratio(c: Comparisons, logit: Floats, options: CalibrationOptions) -> float:
    impostor = ~c.same
    place = np.digitize(c.norm[impostor], quality_edges(c.norm[impostor]))
    worst = 0.0
    for fmr in (options.default_fmr, 10 * options.default_fmr):
        passed = logit[impostor] >= threshold_at_fmr(logit[impostor], fmr)
        for number in range(len(BIN_SHARES) + 1):
            inside = place == number
            if inside.sum() * fmr >= FEWEST_EXPECTED:
                worst = max(worst, float(passed[inside].mean()) / fmr)
    return worst
