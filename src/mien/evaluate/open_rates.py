"""Rates of open-set identification, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Interval", "Searched", "dir_at", "intervals"]

DRAWS = 1000
SUPPORT = 3  # a rate below 3 / trials cannot be claimed (the rule of three)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Searched:
    """One probe and what came of it.

    Attributes:
        name: the photo; identity: whose it is.
        known: the person is enrolled.
        detected: a face was found.
        rank: place of the person among the candidates, from 1; very large: not among them.
        top: score of the first candidate; -inf: none.
    """

    name: str
    identity: str
    known: bool
    detected: bool
    rank: int
    top: float


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a rate lies with 95 % confidence."""

    low: float
    high: float


def dir_at(known: Sequence[Searched], unknown: Sequence[Searched], fpir: float) -> float | None:
    """Detection-and-identification rate at the lowest threshold that keeps ``fpir``.

    Returns:
        Part of the known probes whose person is first and passes; None where there are fewer than
        ``3 / fpir`` strangers.
    """
    if len(unknown) < SUPPORT / fpir:
        return None
    tops = np.array([one.top for one in unknown])
    threshold = _threshold(tops, np.ones(len(tops)), fpir)
    return float(np.mean([one.rank == 1 and one.top > threshold for one in known]))


def intervals(
    known: Sequence[Searched],
    unknown: Sequence[Searched],
    fpirs: Mapping[str, float],
    passes: float | None,
    *,
    seed: int,
) -> dict[str, Interval]:
    """95 % intervals of the rates by bootstrap over people, not photos, who are drawn anew.

    Photos of one person are alike, so drawing photos would make the rates look surer than they
    are. The threshold of an FPIR is found anew in each draw.

    Args:
        known, unknown: the probes.
        fpirs: the rates that :func:`dir_at` is asked for, by name.
        passes: the default threshold, or None.
        seed: of the draws.
    """
    generator = np.random.default_rng(seed)
    first = np.array([one.rank == 1 for one in known])
    top = np.array([one.top for one in known])
    tops = np.array([one.top for one in unknown])
    supported = {name: fpir for name, fpir in fpirs.items() if len(unknown) >= SUPPORT / fpir}
    drawn: dict[str, list[float]] = {"rank1": [], **{name: [] for name in supported}}
    if passes is not None and len(unknown):
        drawn["fpir"] = []
    for _ in range(DRAWS):
        weight = _draw(known, generator)
        drawn["rank1"].append(float(np.average(first, weights=weight)))
        if not len(unknown):
            continue
        strangers = _draw(unknown, generator)
        for name, fpir in supported.items():
            threshold = _threshold(tops, strangers, fpir)
            drawn[name].append(float(np.average(first & (top > threshold), weights=weight)))
        if passes is not None:
            drawn["fpir"].append(float(np.average(tops >= passes, weights=strangers)))
    return {
        name: Interval(*(float(edge) for edge in np.percentile(values, [2.5, 97.5])))
        for name, values in drawn.items()
    }


def _draw(probes: Sequence[Searched], generator: np.random.Generator) -> Floats:
    """How often each probe is in a sample of as many people, drawn with repetition."""
    people, of_probe = np.unique([one.identity for one in probes], return_inverse=True)
    times = np.bincount(generator.integers(len(people), size=len(people)), minlength=len(people))
    weight: Floats = times[of_probe].astype(np.float64)
    return weight


def _threshold(tops: Floats, weight: Floats, fpir: float) -> float:
    """The score that strangers of at most this weight lie above."""
    order = np.argsort(-tops, kind="stable")
    above = np.cumsum(weight[order])
    allowed = fpir * above[-1] * (1 + 1e-12)
    place = int(np.searchsorted(above, allowed, side="right"))
    return float(tops[order[place]]) if place < len(order) else -math.inf
