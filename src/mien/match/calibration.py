"""Calibration: similarity and quality become a confidence, error rates become thresholds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.errors import InvalidArgument
from mien.models.card import CalibrationFacts, ModelCard, Tail

__all__ = ["Calibration", "Threshold", "quality"]

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Threshold:
    """What a pair has to reach so that impostors pass at a chosen rate.

    Attributes:
        confidence: threshold on the confidence, 0..1.
        similarity: threshold on the raw similarity at the same rate, for callers without norms.
        fmr: false-match rate of one comparison that both stand for.
        extrapolated: the rate lies below what the calibration's impostor pairs can support.
    """

    confidence: float
    similarity: float
    fmr: float
    extrapolated: bool


class Calibration:
    """A recognition model's calibration (see :class:`mien.models.card.CalibrationFacts`).

    ``confidence`` is continuous and grows with the similarity at fixed quality; it is 0.5 at the
    default 1:1 operating point (``facts.default_fmr``).

    Raises:
        InvalidArgument: facts that cannot be: a confidence that would fall as the similarity
            grows, operating points out of order or below the floor, an impossible tail.
    """

    def __init__(self, facts: CalibrationFacts) -> None:
        _check(facts)
        self.facts = facts
        self._log_fmr = np.log([point.fmr for point in facts.points])
        self._logit = np.array([point.logit for point in facts.points])
        self._similarity = np.array([point.similarity for point in facts.points])

    @classmethod
    def from_card(cls, card: ModelCard) -> Calibration | None:
        """The calibration of ``card``; None where it has none."""
        return None if card.calibration is None else cls(card.calibration)

    def logit(self, similarity: ArrayLike, norm_a: ArrayLike, norm_b: ArrayLike) -> Float64:
        """Log-odds before they are squeezed into 0..1; see :meth:`confidence`."""
        facts = self.facts
        s = np.asarray(similarity, np.float64)
        norm = np.minimum(np.asarray(norm_a, np.float64), np.asarray(norm_b, np.float64))
        q = quality(norm, facts.norm_reference, facts.norm_clip)
        w = facts.weights
        aware = s * (w[0] + w[1] * q) + (w[2] * q + w[3])
        return np.where(np.isnan(q), facts.plain[0] * s + facts.plain[1], aware)

    def confidence(self, similarity: ArrayLike, norm_a: ArrayLike, norm_b: ArrayLike) -> Float64:
        """How sure the model is that two faces are one person's, 0..1.

        Args:
            similarity: raw similarities.
            norm_a, norm_b: embedding norms of both faces before normalisation, broadcast against
                ``similarity``; a NaN on either side gives the calibration on similarity alone.

        Returns:
            float64 of the broadcast shape. NaN where the similarity is NaN, which passes nothing.
        """
        return _sigmoid(self.logit(similarity, norm_a, norm_b))

    def ceiling(self, similarity: ArrayLike) -> Float64:
        """The highest confidence that a pair of this similarity can have, whatever its norms.

        The log-odds are linear in the quality, so the highest lies at an end of its range. Who
        stays below a threshold here needs no closer look.
        """
        facts = self.facts
        s = np.asarray(similarity, np.float64)
        w = facts.weights
        ends = [s * (w[0] + w[1] * q) + (w[2] * q + w[3]) for q in facts.norm_clip]
        return _sigmoid(np.maximum.reduce([*ends, facts.plain[0] * s + facts.plain[1]]))

    def threshold(self, fmr: float) -> Threshold:
        """The threshold at which one comparison in ``1 / fmr`` of two people passes.

        Between measured operating points it is interpolated in ``log fmr``; below the last of
        them it follows the fitted tail, and below ``fmr_floor`` (3 / impostor pairs) it is
        extrapolated and says so. Above the first it continues the first segment, which is
        stricter than asked.

        Raises:
            InvalidArgument: ``fmr`` is not between 0 and 1.
        """
        fmr = _rate(fmr, "fmr")
        facts = self.facts
        return Threshold(
            confidence=float(_sigmoid(np.float64(self._at(fmr, self._logit, facts.tail)))),
            similarity=self._at(fmr, self._similarity, facts.plain_tail),
            fmr=fmr,
            extrapolated=fmr < facts.fmr_floor,
        )

    def identification_threshold(self, fpir: float, gallery_size: int) -> Threshold:
        """The threshold at which a stranger is named with probability ``fpir``.

        A probe is compared with every face of the gallery, so each comparison gets
        ``fmr = 1 - (1 - fpir) ** (1 / gallery_size)``. That takes the comparisons as independent
        and the people as like those of the calibration. Several faces of one person make the true
        rate lower; people who look more alike than the calibration's make it higher (measured:
        docs/reference/calibration-sface.md).

        Args:
            fpir: false-positive identification rate, between 0 and 1.
            gallery_size: faces in the gallery; 0 counts as 1.

        Raises:
            InvalidArgument: ``fpir`` is not between 0 and 1, or the size is negative.
        """
        fpir = _rate(fpir, "fpir")
        if gallery_size < 0:
            raise InvalidArgument("gallery_size cannot be negative.")
        return self.threshold(-math.expm1(math.log1p(-fpir) / max(1, gallery_size)))

    def _at(self, fmr: float, scores: Float64, tail: Tail) -> float:
        wanted = math.log(fmr)
        last = float(self._log_fmr[-1])
        if wanted < last:  # the tail, joined to the last measured point
            joint = float(scores[-1]) - _tail_score(tail, math.exp(last))
            return joint + _tail_score(tail, fmr)
        if wanted > self._log_fmr[0]:
            slope = (scores[1] - scores[0]) / (self._log_fmr[1] - self._log_fmr[0])
            return float(scores[0] + slope * (wanted - self._log_fmr[0]))
        return float(np.interp(-wanted, -self._log_fmr, scores))


def quality(norm: ArrayLike, reference: float, clip: tuple[float, float]) -> Float64:
    """``clip(ln(norm / reference), *clip)``: how clear a face is; NaN stays NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        q = np.log(np.maximum(np.asarray(norm, np.float64), 0.0) / reference)
    return np.clip(q, clip[0], clip[1])


def _sigmoid(logit: NDArray[Any] | np.float64) -> Float64:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logit, -700.0, 700.0))))


def _tail_score(tail: Tail, fmr: float) -> float:
    """The score that impostors pass with probability ``fmr``, from the tail's own formula."""
    log_ratio = math.log(tail.rate / fmr)
    if abs(tail.shape) < 1e-9:
        return tail.start + tail.scale * log_ratio
    return tail.start + tail.scale * math.expm1(tail.shape * log_ratio) / tail.shape


def _rate(value: float, name: str) -> float:
    value = float(value)
    if not 0.0 < value < 1.0:
        raise InvalidArgument(f"{name} must lie between 0 and 1, both excluded.")
    return value


def _check(facts: CalibrationFacts) -> None:
    w = facts.weights
    numbers = [*w, *facts.plain, *facts.norm_clip, facts.norm_reference, facts.fmr_floor]
    for point in facts.points:
        numbers += [point.fmr, point.logit, point.similarity]
    if not np.isfinite(numbers).all():
        raise InvalidArgument("A calibration must consist of finite numbers.")
    if not facts.norm_clip[0] < facts.norm_clip[1] or facts.norm_reference <= 0:
        raise InvalidArgument("A calibration needs a positive norm_reference and a norm_clip.")
    if min(w[0] + w[1] * facts.norm_clip[0], w[0] + w[1] * facts.norm_clip[1]) <= 0:
        raise InvalidArgument("A calibration's confidence must grow with the similarity.")
    if facts.plain[0] <= 0:
        raise InvalidArgument("A calibration's plain slope must be positive.")
    if len(facts.points) < 2:
        raise InvalidArgument("A calibration needs two operating points or more.")
    for before, after in zip(facts.points, facts.points[1:], strict=False):
        falls = after.fmr < before.fmr
        if not (falls and after.logit >= before.logit and after.similarity >= before.similarity):
            raise InvalidArgument("Operating points must go from lax to strict.")
    if not 0 < facts.points[-1].fmr < facts.points[0].fmr < 1:
        raise InvalidArgument("Operating points need rates between 0 and 1.")
    if facts.points[-1].fmr < facts.fmr_floor:
        raise InvalidArgument("A calibration cannot state a rate below its floor.")
    for tail in (facts.tail, facts.plain_tail):
        finite = np.isfinite([tail.start, tail.shape, tail.scale]).all()
        if not (finite and tail.scale > 0 and 0 < tail.rate < 1):
            raise InvalidArgument("A calibration's tail needs a positive scale and a rate.")
