"""Error rates of one threshold, part by part: quality, demographic group, data set."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.evaluate.comparisons import Comparisons
from mien.evaluate.lists import FaceList
from mien.evaluate.quality_model import CalibrationOptions, quality_edges
from mien.types import Result

__all__ = [
    "Labels",
    "Part",
    "breakdown",
    "group_labels",
    "interval",
    "quality_labels",
    "set_labels",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Which part each pair belongs to.

    Attributes:
        names: of the parts.
        number: ``(n,)`` index into ``names``; -1 for a pair that belongs to none.
    """

    names: tuple[str, ...]
    number: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Part(Result):
    """One part's error rates at the default operating point.

    Attributes:
        name: what the part is.
        impostor_pairs, genuine_pairs: how many.
        fmr, fnmr: by confidence; None without pairs.
        fmr_similarity, fnmr_similarity: by the raw similarity at the same overall rate.
    """

    name: str
    impostor_pairs: int
    genuine_pairs: int
    fmr: float | None
    fnmr: float | None
    fmr_similarity: float | None
    fnmr_similarity: float | None

    def to_dict(self) -> dict[str, Any]:
        """Counts and rates by name."""
        return {
            "name": self.name,
            "impostor_pairs": self.impostor_pairs,
            "genuine_pairs": self.genuine_pairs,
            "fmr": self.fmr,
            "fnmr": self.fnmr,
            "fmr_similarity": self.fmr_similarity,
            "fnmr_similarity": self.fnmr_similarity,
        }


def breakdown(pairs: Comparisons, aware: Floats, plain: Floats, labels: Labels) -> tuple[Part, ...]:
    """The error rates of each part.

    Args:
        pairs: all pairs.
        aware: ``(n,)`` quality-aware score minus its threshold.
        plain: ``(n,)`` similarity minus its threshold.
        labels: the parts; those without pairs are left out.
    """
    parts = []
    for number, name in enumerate(labels.names):
        inside = labels.number == number
        impostor, genuine = inside & ~pairs.same, inside & pairs.same
        if not inside.any():
            continue
        parts.append(
            Part(
                name=name,
                impostor_pairs=int(impostor.sum()),
                genuine_pairs=int(genuine.sum()),
                fmr=_share(aware[impostor] >= 0),
                fnmr=_share(aware[genuine] < 0),
                fmr_similarity=_share(plain[impostor] >= 0),
                fnmr_similarity=_share(plain[genuine] < 0),
            )
        )
    return tuple(parts)


def quality_labels(pairs: Comparisons) -> Labels:
    """Bins of the pair's smaller norm, lowest first, cut at quantiles of the impostor pairs."""
    exact = quality_edges(pairs.norm[~pairs.same])
    edges = np.round(exact, 1 if len(set(np.round(exact, 1))) == len(exact) else 3)
    if len(edges) == 0:
        return Labels((), np.full(len(pairs), -1, np.intp))
    text = [f"{edge:g}" for edge in edges]
    between = [f"norm {low} to {high}" for low, high in itertools.pairwise(text)]
    names = (f"norm below {text[0]}", *between, f"norm from {text[-1]}")
    number = np.where(np.isfinite(pairs.norm), np.digitize(pairs.norm, edges), -1)
    return Labels(names, number.astype(np.intp))


def group_labels(pairs: Comparisons, faces: FaceList) -> Labels:
    """Pairs of demographic labels, such as ``F-M``; faces without a label are left out."""
    return _pairs_of(pairs, faces.group)


def set_labels(pairs: Comparisons, faces: FaceList) -> Labels:
    """Pairs of data sets."""
    return _pairs_of(pairs, faces.dataset)


def interval(
    pairs: Comparisons,
    aware: Floats,
    person: NDArray[np.intp],
    options: CalibrationOptions,
    *,
    same: bool,
) -> tuple[float, float]:
    """95 % bootstrap interval over people of the FMR (``same`` False) or FNMR at logit 0.

    Pairs that share a person are not independent, so people are drawn, not pairs.
    """
    chosen = pairs.same == same
    wrong = ((aware >= 0) != pairs.same)[chosen].astype(np.float64)
    left, right = person[pairs.a[chosen]], person[pairs.b[chosen]]
    generator = np.random.default_rng(options.seed)
    people = int(person.max()) + 1
    rates = []
    for _ in range(options.resamples):
        drawn = generator.multinomial(people, np.full(people, 1 / people)).astype(np.float64)
        weight = drawn[left] if same else drawn[left] * drawn[right]
        if weight.sum() > 0:
            rates.append(float(weight @ wrong / weight.sum()))
    low, high = np.quantile(rates, [0.025, 0.975])
    return float(low), float(high)


def _pairs_of(pairs: Comparisons, label: Sequence[str]) -> Labels:
    values = sorted(set(label) - {""})
    if not values:
        return Labels((), np.full(len(pairs), -1, np.intp))
    code = np.array([values.index(one) if one else -1 for one in label], np.intp)
    low = np.minimum(code[pairs.a], code[pairs.b])
    high = np.maximum(code[pairs.a], code[pairs.b])
    number = np.where(low < 0, -1, low * len(values) + high)
    names = tuple(f"{one}-{other}" for one in values for other in values)
    return Labels(names, number.astype(np.intp))


def _share(chosen: NDArray[np.bool_]) -> float | None:
    return round(float(chosen.mean()), 7) if len(chosen) else None
