"""Clustering: which of many unknown faces are one person's?

Agglomerative clustering by average linkage: the two clusters whose faces are, on average, most
alike are joined, again and again, until no two reach the threshold. Average linkage does not chain
(one look-alike pair does not join two families' albums), and needs no number of clusters.

Two faces of one photo are two people, so clusters that share a photo are never joined (a
*cannot-link* constraint: Wagstaff et al. 2001, "Constrained k-means clustering with background
knowledge"); callers may forbid further pairs, such as persons that somebody has told apart.

Only pairs of faces that reach a floor of similarity are candidates, the nearest few of each face,
so that a hundred thousand faces need no matrix of all pairs.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mien.errors import InvalidArgument

__all__ = ["NEIGHBOURS", "cluster"]

NEIGHBOURS = 64
_FLOOR = 0.6  # candidates reach this part of the threshold
_BLOCK = 1024

Labels = NDArray[np.intp]


def cluster(
    vectors: NDArray[np.float32],
    *,
    threshold: float,
    photos: Iterable[int] | None = None,
    apart: Iterable[tuple[int, int]] = (),
    neighbours: int = NEIGHBOURS,
) -> Labels:
    """Group faces by person.

    Args:
        vectors: ``(n, d)`` embeddings of unit length.
        threshold: mean similarity (inner product) that the faces of two clusters must have to be
            joined, between 0 and 1; higher gives more and purer clusters.
        photos: ``n`` numbers, the photo of each face: faces of one photo are never joined. None:
            every face is from a photo of its own.
        apart: pairs of faces (their places in ``vectors``) that must not be joined.
        neighbours: candidates of each face, at least 1.

    Returns:
        ``(n,)`` labels: 0 is the largest cluster, then by size, then by first face. A face that is
        like no other is a cluster of its own.

    Raises:
        InvalidArgument: arrays that do not fit together, or numbers out of range.

    Example:
        >>> faces = np.array([[1, 0], [0, 1], [0.8, 0.6], [0, 1]], np.float32)
        >>> cluster(faces, threshold=0.7).tolist()
        [0, 1, 0, 1]
    """
    vectors = np.ascontiguousarray(vectors, np.float32)
    count = len(vectors)
    of_photo = list(range(count)) if photos is None else [int(photo) for photo in photos]
    forbidden = [(int(a), int(b)) for a, b in apart]
    if vectors.ndim != 2 or len(of_photo) != count or not np.isfinite(vectors).all():
        raise InvalidArgument("Clustering needs finite vectors (n, d) and n photos.")
    if not 0 < threshold < 1 or neighbours < 1:
        raise InvalidArgument("Clustering needs 0 < threshold < 1 and at least one neighbour.")
    if any(not 0 <= face < count for pair in forbidden for face in pair):
        raise InvalidArgument("A pair to keep apart names a face that there is not.")
    groups = _Groups(vectors, of_photo, forbidden)
    for a, b in _candidates(vectors, threshold * _FLOOR, neighbours):
        groups.meet(a, b)
    groups.join_all(threshold)
    return groups.labels()


def _candidates(
    vectors: NDArray[np.float32], floor: float, neighbours: int
) -> Iterable[tuple[int, int]]:
    """Pairs ``a < b`` of which one is among the nearest of the other, and as like as ``floor``."""
    count = len(vectors)
    nearest = min(neighbours + 1, count)  # a face is its own nearest
    found: set[tuple[int, int]] = set()
    for start in range(0, count, _BLOCK):
        similarity = vectors[start : start + _BLOCK] @ vectors.T
        columns = np.argpartition(-similarity, nearest - 1, axis=1)[:, :nearest]
        close = np.take_along_axis(similarity, columns, axis=1) >= floor
        rows = np.broadcast_to(np.arange(start, start + len(similarity))[:, None], columns.shape)
        low, high = np.minimum(rows, columns)[close], np.maximum(rows, columns)[close]
        found.update((a, b) for a, b in zip(low.tolist(), high.tolist(), strict=True) if a != b)
    return sorted(found)


class _Groups:
    """Clusters while they grow; a cluster is named by one of its faces."""

    def __init__(
        self,
        vectors: NDArray[np.float32],
        photos: list[int],
        forbidden: list[tuple[int, int]],
    ) -> None:
        self.sums = vectors.astype(np.float64)
        self.members = [[face] for face in range(len(vectors))]
        self.photos = [{photo} for photo in photos]
        self.enemies: list[set[int]] = [set() for _ in self.members]
        self.neighbours: list[set[int]] = [set() for _ in self.members]
        self.parent = list(range(len(vectors)))
        self.age = [0] * len(vectors)  # grows with every join: candidates of before are stale
        for a, b in forbidden:
            self.enemies[a].add(b)
            self.enemies[b].add(a)

    def meet(self, a: int, b: int) -> None:
        """Two faces may be one person's."""
        self.neighbours[a].add(b)
        self.neighbours[b].add(a)

    def join_all(self, threshold: float) -> None:
        """Join the two most alike, until none are alike enough."""
        queue = [
            entry
            for a, near in enumerate(self.neighbours)
            for b in near
            if a < b and (entry := self._entry(a, b))[0] <= -threshold
        ]
        heapq.heapify(queue)
        while queue:
            _, age_a, age_b, a, b = heapq.heappop(queue)
            if age_a != self.age[a] or age_b != self.age[b] or not self._may_join(a, b):
                continue
            joined = self._join(a, b)
            for other in self.neighbours[joined]:
                entry = self._entry(joined, other)
                if entry[0] <= -threshold:
                    heapq.heappush(queue, entry)

    def labels(self) -> Labels:
        """See :func:`cluster`."""
        alive = [faces for name, faces in enumerate(self.members) if self.parent[name] == name]
        alive.sort(key=lambda faces: (-len(faces), min(faces)))
        labels = np.zeros(len(self.members), np.intp)
        for label, faces in enumerate(alive):
            labels[faces] = label
        return labels

    def _entry(self, a: int, b: int) -> tuple[float, int, int, int, int]:
        """Order in the queue: the most alike first, then by name, so that runs repeat."""
        pairs = len(self.members[a]) * len(self.members[b])
        return (-float(self.sums[a] @ self.sums[b]) / pairs, self.age[a], self.age[b], a, b)

    def _may_join(self, a: int, b: int) -> bool:
        return self.photos[a].isdisjoint(self.photos[b]) and b not in self.enemies[a]

    def _join(self, a: int, b: int) -> int:
        """Join two clusters under the larger one's name."""
        if len(self.members[a]) < len(self.members[b]):
            a, b = b, a
        self.members[a] += self.members[b]
        self.members[b] = []
        self.photos[a] |= self.photos[b]
        self.sums[a] += self.sums[b]
        self.parent[b] = a
        self.age[a] += 1
        self.age[b] = -1
        for links in (self.neighbours, self.enemies):
            for other in links[b]:
                links[other].discard(b)
                if other != a:
                    links[other].add(a)
            links[a] |= links[b]
            links[a] -= {a, b}
            links[b] = set()
        return a
