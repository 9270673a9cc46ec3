"""From the score to a probability that the face is a live one.

``benchmarks/fit_liveness.py`` fits a rising line through few points by the logarithmic loss, where
live faces and attacks count alike, and so does each set of live photos and each kind of attack
(cross-validation: docs/liveness.md). So it holds where every second face is an attack and
the attacks are such as were simulated; see :func:`at_prior` for other places.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mien.errors import InvalidArgument

__all__ = ["at_prior", "probability"]

_POINTS: dict[frozenset[str], tuple[tuple[float, ...], tuple[float, ...]]] = {
    frozenset({"minifasnet-v1se", "minifasnet-v2"}): (
        (0.0, 0.02, 0.5, 0.7, 1.0),
        (0.001, 0.362, 0.367, 0.79, 0.812),
    ),
    frozenset({"student"}): (
        (0.0, 0.02, 0.5, 0.7, 1.0),
        (0.001, 0.203, 0.68, 0.767, 0.827),
    ),
}
"""Scores and their probabilities, by the nets that spoke."""


def probability(score: float, nets: Iterable[str]) -> float | None:
    """How probable it is that a face of that score is live, where every second one is an attack.

    Args:
        score: 0..1.
        nets: names of those that spoke.

    Returns:
        0..1; None: these nets were not calibrated together.

    Example:
        >>> probability(0.02, ["minifasnet-v2", "minifasnet-v1se"])
        0.362
    """
    points = _POINTS.get(frozenset(nets))
    return None if points is None else float(np.interp(score, *points))


def at_prior(told: float, attacks: float) -> float:
    """The probability where another share of the faces are attacks (Bayes).

    Args:
        told: of :func:`probability`.
        attacks: their share, above 0 and below 1.

    Raises:
        InvalidArgument: no such share.

    Example:
        >>> round(at_prior(0.812, 0.01), 4)  # one face in a hundred
        0.9977
    """
    if not 0 < attacks < 1:
        raise InvalidArgument("The share of attacks must be above 0 and below 1.")
    live = told * (1 - attacks)
    return live / (live + (1 - told) * attacks)
