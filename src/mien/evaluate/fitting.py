"""The two fits of a calibration: a weighted logistic regression and a Pareto tail."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import genpareto

from mien.errors import InvalidArgument
from mien.models.card import Tail

__all__ = ["fit_logistic", "fit_tail"]

Floats = NDArray[np.float64]

FEWEST_EXCEEDANCES = 30


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
        ``(k,)``.
    """
    sign = np.where(same, 1.0, -1.0)
    share = weight / weight.sum()

    def loss(w: Floats) -> tuple[float, Floats]:
        margin = sign * (features @ w)
        value = float(share @ np.logaddexp(0.0, -margin) + penalty @ w**2)
        gradient = -features.T @ (share * sign * expit(-margin)) + 2 * penalty * w
        return value, gradient

    start = np.zeros(features.shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000})
    return np.asarray(found.x, np.float64)


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
