"""All comparisons between the faces of a list, within each half of its people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.errors import InvalidArgument
from mien.evaluate.lists import FaceList
from mien.evaluate.templates import Templates
from mien.match.metrics import similarity

__all__ = ["Comparisons", "compare_all", "halves"]

MOST_COMPARISONS = 4_000_000
ROWS = 512


@dataclass(frozen=True, slots=True, eq=False)
class Comparisons:
    """Pairs of faces; both people of a pair are in the same half.

    Attributes:
        a, b: ``(n,)`` indices of the faces.
        similarity: ``(n,)`` raw.
        norm: ``(n,)`` the smaller norm of the pair.
        same: ``(n,)`` one person.
        half: ``(n,)`` 0 or 1.
    """

    a: NDArray[np.intp]
    b: NDArray[np.intp]
    similarity: NDArray[np.float64]
    norm: NDArray[np.float64]
    same: NDArray[np.bool_]
    half: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.same)

    def take(self, chosen: NDArray[np.bool_]) -> Comparisons:
        """The pairs where ``chosen`` is true."""
        return Comparisons(
            self.a[chosen],
            self.b[chosen],
            self.similarity[chosen],
            self.norm[chosen],
            self.same[chosen],
            self.half[chosen],
        )


def halves(faces: FaceList, *, seed: int) -> NDArray[np.intp]:
    """Which half of the people each face belongs to, 0 or 1: nobody is in both.

    The list's folds are dealt out in turn; without folds, the people of each set are, in an
    order shuffled with ``seed``.

    Raises:
        InvalidArgument: one fold, or one person, only.
    """
    half_of: dict[str, int] = {}
    if faces.fold is not None:
        keys = faces.fold
        half_of = {fold: index % 2 for index, fold in enumerate(sorted(set(faces.fold)))}
    else:
        keys = faces.identity
        generator = np.random.default_rng(seed)
        sets = dict(zip(faces.identity, faces.dataset, strict=True))
        for dataset in sorted(set(faces.dataset)):
            people = sorted(person for person, where in sets.items() if where == dataset)
            for index, place in enumerate(generator.permutation(len(people))):
                half_of[people[place]] = index % 2
    half = np.array([half_of[key] for key in keys], np.intp)
    if len(set(half.tolist())) < 2:
        raise InvalidArgument("A calibration needs two halves of people: give two folds or more.")
    return half


def compare_all(
    faces: FaceList, templates: Templates, half: NDArray[np.intp], *, metric: str, seed: int
) -> Comparisons:
    """Compare all faces of each half with one another.

    Beyond four million comparisons the impostor pairs are a random sample, drawn with ``seed``;
    every genuine pair is kept.
    """
    _, person = np.unique(np.asarray(faces.identity), return_inverse=True)
    generator = np.random.default_rng(seed)
    members = [np.flatnonzero((half == h) & templates.found) for h in (0, 1)]
    total = sum(len(m) * (len(m) - 1) // 2 for m in members)
    keep = min(1.0, MOST_COMPARISONS / max(1, total))
    parts = []
    for h, member in enumerate(members):
        for start in range(0, len(member), ROWS):
            rows = member[start : start + ROWS]
            scores = similarity(templates.vector[rows], templates.vector[member], metric)
            i, j = np.nonzero(
                np.arange(len(member))[None, :] > np.arange(len(rows))[:, None] + start
            )
            a, b = rows[i], member[j]
            same = person[a] == person[b]
            kept = same | (generator.random(len(same)) < keep)
            parts.append(
                (a[kept], b[kept], scores[i[kept], j[kept]], same[kept], np.full(kept.sum(), h))
            )
    a, b, scores, same, where = (np.concatenate(column) for column in zip(*parts, strict=True))
    norm = np.minimum(templates.norm[a], templates.norm[b]).astype(np.float64)
    return Comparisons(a, b, scores.astype(np.float64), norm, same, where.astype(np.intp))
