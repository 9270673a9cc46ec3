"""The two fits of a calibration: a weighted logistic regression and a Pareto tail."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import genpareto

from mien.errors import InvalidArgument
from mien.models.card import Tail

__all__ = ["fit_logistic", "fit_tail"]

Floats = NDArray[np.float64]

FEWEST_EXCEEDANCES = 30
NEWTON_STEPS = 100
CONVERGED = 1e-7


def fit_logistic(
    features: Floats, same: NDArray[np.bool_], weight: Floats, penalty: Floats
) -> Floats:
    """Weights ``w`` that maximise the weighted likelihood of ``same`` under ``sigmoid(x.w)``.

    Args:
        features: ``(n, k)``.
        same: ``(n,)``.
        weight: ``(n,)``, importance of each pair.
        penalty: ``(k,)``, added as ``penalty * w**2`` to the mean negative log-likelihood.

    Returns:
        ``(k,)``, found by Newton's method.
    """
    target, share = same.astype(np.float64), weight / weight.sum()
    sign = 2 * target - 1

    def loss(w: Floats) -> float:
        return float(share @ np.logaddexp(0.0, -sign * (features @ w)) + penalty @ w**2)

    w = np.zeros(features.shape[1])
    value = loss(w)
    for _ in range(NEWTON_STEPS):
        p = expit(features @ w)
        gradient = features.T @ (share * (p - target)) + 2 * penalty * w
        curvature = (features * (share * p * (1 - p))[:, None]).T @ features
        curvature += np.diag(2 * penalty + 1e-12)
        step = np.linalg.solve(curvature, gradient)
        while loss(w - step) > value and np.abs(step).max() > CONVERGED:
            step = step / 2
        w = w - step
        value = loss(w)
        if np.abs(step).max() <= CONVERGED:
            break
    return w


def fit_tail(impostor: Floats, rate: float) -> Tail:
    """A generalised Pareto tail for the ``rate`` highest share of the impostor scores.

    A tail with a negative shape ends at a finite score, beyond which no impostor could ever
    come. A sample cannot show that, and a threshold that trusts it fails open, so the shape is at
    least 0 (an exponential tail).

    Raises:
        InvalidArgument: fewer than 30 scores in the tail.
    """
    count = int(np.floor(rate * len(impostor)))
    if count < FEWEST_EXCEEDANCES:
        raise InvalidArgument(
            f"A tail needs {FEWEST_EXCEEDANCES} impostor pairs or more, not {count}: "
            "calibrate with photos of more people."
        )
    ordered = np.sort(impostor)
    start = float(ordered[-count - 1])
    excess = ordered[-count:] - start
    shape, _, scale = genpareto.fit(excess, floc=0.0)
    if shape <= 0:
        shape, scale = 0.0, float(excess.mean())
    return Tail(start=start, rate=count / len(impostor), shape=float(shape), scale=float(scale))
