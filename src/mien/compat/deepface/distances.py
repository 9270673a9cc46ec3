"""DeepFace's four distances, for two embeddings or for two batches of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.compat.deepface.exceptions import InvalidEmbeddingsShapeError, UnimplementedError, error
from mien.errors import InvalidArgument, UnknownMetric
from mien.match import metrics

__all__ = [
    "DistanceMetric",
    "find_angular_distance",
    "find_cosine_distance",
    "find_distance",
    "find_euclidean_distance",
]

DistanceMetric = str | Callable[[NDArray[Any], NDArray[Any]], Any]
"""A metric's name, or a function of two embeddings."""

DECIMALS = 6


def find_distance(
    alpha_embedding: ArrayLike,
    beta_embedding: ArrayLike,
    distance_metric: DistanceMetric = "cosine",
) -> Any:  # noqa: ANN401 - a caller's own metric may answer anything
    """The distance of two embeddings, or of every pair of two batches.

    Args:
        alpha_embedding: ``(d,)`` or ``(n, d)``.
        beta_embedding: ``(d,)`` or ``(m, d)``.
        distance_metric: ``cosine``, ``euclidean``, ``euclidean_l2``, ``angular``, or a function
            that gets both as arrays.

    Returns:
        A float of six decimals, or ``(m, n)``: a row for each of ``beta_embedding``. What a
        function of the caller's answers is not changed.

    Raises:
        UnknownMetric: no metric of that name; also DeepFace's ``UnimplementedError``.
        InvalidArgument: shapes that do not fit; also ``InvalidEmbeddingsShapeError``.
    """
    alpha, beta = np.asarray(alpha_embedding), np.asarray(beta_embedding)
    if not isinstance(distance_metric, str):
        return distance_metric(alpha, beta)
    if distance_metric not in metrics.METRICS:
        raise error(
            UnknownMetric,
            UnimplementedError,
            f"Invalid distance_metric passed: {distance_metric!r}. "
            f"Choose one of {', '.join(metrics.METRICS)}.",
        )
    if alpha.ndim != beta.ndim or alpha.ndim not in (1, 2) or alpha.shape[-1] != beta.shape[-1]:
        raise error(
            InvalidArgument,
            InvalidEmbeddingsShapeError,
            f"Embeddings must be (d,) and (d,), or (n, d) and (m, d), not {alpha.shape} and "
            f"{beta.shape}.",
        )
    found = metrics.distance(np.atleast_2d(beta), np.atleast_2d(alpha), distance_metric)
    rounded = np.round(found.astype(np.float64), DECIMALS)
    return float(rounded[0, 0]) if alpha.ndim == 1 else rounded


def find_cosine_distance(source_representation: ArrayLike, test_representation: ArrayLike) -> Any:  # noqa: ANN401
    """One minus the cosine; see :func:`find_distance`."""
    return find_distance(source_representation, test_representation, "cosine")


def find_angular_distance(source_representation: ArrayLike, test_representation: ArrayLike) -> Any:  # noqa: ANN401
    """The angle in half turns, 0..1; see :func:`find_distance`."""
    return find_distance(source_representation, test_representation, "angular")


def find_euclidean_distance(
    source_representation: ArrayLike, test_representation: ArrayLike
) -> Any:  # noqa: ANN401
    """The length of the difference; see :func:`find_distance`."""
    return find_distance(source_representation, test_representation, "euclidean")
