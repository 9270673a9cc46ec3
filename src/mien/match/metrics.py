"""Similarity and distance of templates, for matrices and for pairs.

The four names and definitions are DeepFace's, so thresholds carry over:

==============  =====================================  ===========
``cosine``      ``1 - a.b / (|a| |b|)``                0..2
``euclidean``   ``|a - b|``                            0..
``euclidean_l2``  ``|a/|a| - b/|b||``                  0..2
``angular``     ``arccos(a.b / (|a| |b|)) / pi``       0..1
==============  =====================================  ===========

``similarity`` is ``1 - distance`` for every one of them: it grows with likeness, a template has
similarity 1 with itself, and for ``cosine`` it is the cosine. A zero vector has no direction: its
cosine with anything is 0. NaN stays NaN, which never passes a threshold.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import InvalidArgument, UnknownMetric
from mien.spelling import no_such

__all__ = ["METRICS", "distance", "paired_distance", "paired_similarity", "similarity"]

METRICS = ("cosine", "euclidean", "euclidean_l2", "angular")
"""Names that every function of this module accepts."""

BLOCK = 1024  # rows and columns that are widened to float64 at a time

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


def similarity(a: NDArray[Any], b: NDArray[Any], metric: str = "cosine") -> Float32:
    """How alike every row of ``a`` is to every row of ``b``; higher is more alike.

    Args:
        a: ``(n, d)``.
        b: ``(m, d)``.
        metric: one of :data:`METRICS`.

    Returns:
        ``(n, m)`` float32, ``1 - distance``. The work space beside it does not grow with n or
        m: it is a few blocks of 1024 rows.

    Raises:
        UnknownMetric: no metric of that name.
        InvalidArgument: not two matrices of equal width.

    Example:
        >>> similarity(np.eye(2), np.eye(2)).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    return _matrix(a, b, metric, of_similarity=True)


def distance(a: NDArray[Any], b: NDArray[Any], metric: str = "cosine") -> Float32:
    """How far every row of ``a`` is from every row of ``b``; see :func:`similarity`.

    Returns:
        ``(n, m)`` float32, never negative.
    """
    return _matrix(a, b, metric, of_similarity=False)


def paired_similarity(a: NDArray[Any], b: NDArray[Any], metric: str = "cosine") -> Float32:
    """How alike row i of ``a`` is to row i of ``b``; see :func:`similarity`.

    Args:
        a: ``(n, d)``.
        b: ``(n, d)``.
        metric: one of :data:`METRICS`.

    Returns:
        ``(n,)`` float32.
    """
    return _paired(a, b, metric, of_similarity=True)


def paired_distance(a: NDArray[Any], b: NDArray[Any], metric: str = "cosine") -> Float32:
    """How far row i of ``a`` is from row i of ``b``; see :func:`similarity`.

    Returns:
        ``(n,)`` float32, never negative.
    """
    return _paired(a, b, metric, of_similarity=False)


def _matrix(a: NDArray[Any], b: NDArray[Any], metric: str, *, of_similarity: bool) -> Float32:
    a, b = _checked(a, b, metric)
    answer = np.empty((len(a), len(b)), np.float32)
    for rows in _blocks(len(a)):
        left = a[rows].astype(np.float64)
        for columns in _blocks(len(b)):
            right = b[columns].astype(np.float64)
            if metric == "euclidean":
                value = _euclidean(left, right)
            else:
                value = _from_cosine(_unit(left) @ _unit(right).T, metric)
            answer[rows, columns] = 1 - value if of_similarity else value
    return answer


def _paired(a: NDArray[Any], b: NDArray[Any], metric: str, *, of_similarity: bool) -> Float32:
    a, b = _checked(a, b, metric)
    if len(a) != len(b):
        raise InvalidArgument(f"Pairs need as many rows in a as in b, not {len(a)} and {len(b)}.")
    answer = np.empty(len(a), np.float32)
    for rows in _blocks(len(a)):
        left, right = a[rows].astype(np.float64), b[rows].astype(np.float64)
        if metric == "euclidean":
            value = np.linalg.norm(left - right, axis=1)
        else:
            value = _from_cosine(np.einsum("nd,nd->n", _unit(left), _unit(right)), metric)
        answer[rows] = 1 - value if of_similarity else value
    return answer


def _checked(a: NDArray[Any], b: NDArray[Any], metric: str) -> tuple[NDArray[Any], NDArray[Any]]:
    if metric not in METRICS:
        raise UnknownMetric(no_such("metric", metric, METRICS))
    a, b = np.asarray(a), np.asarray(b)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise InvalidArgument(f"Templates must be (n, d) and (m, d), not {a.shape} and {b.shape}.")
    return a, b


def _blocks(rows: int) -> Iterator[slice]:
    return (slice(start, min(start + BLOCK, rows)) for start in range(0, rows, BLOCK))


def _unit(vectors: Float64) -> Float64:
    # Scaled by the largest entry first, so that tiny and huge vectors neither vanish nor overflow.
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0.0)
    scaled = vectors / np.where(largest == 0, 1.0, largest)
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.where(length == 0, 1.0, length))


def _from_cosine(cosine: Float64, metric: str) -> Float64:
    cosine = np.clip(cosine, -1.0, 1.0)
    if metric == "angular":
        return np.asarray(np.arccos(cosine) / np.pi)
    if metric == "euclidean_l2":
        return np.sqrt(2.0 - 2.0 * cosine)
    return np.asarray(1.0 - cosine)


def _euclidean(a: Float64, b: Float64) -> Float64:
    square = np.einsum("nd,nd->n", a, a)[:, None] + np.einsum("md,md->m", b, b)[None, :]
    square -= 2.0 * (a @ b.T)
    return np.asarray(np.sqrt(np.maximum(square, 0.0)))
