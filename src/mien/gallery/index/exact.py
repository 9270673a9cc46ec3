"""ExactIndex: all vectors of a group in one contiguous array, compared one by one."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mien.gallery.index.protocol import Consistency, Entries, Neighbours

__all__ = ["ExactIndex", "Kernel"]

Kernel = Literal["auto", "blas", "faiss"]

_FIRST_CAPACITY = 64
_FAISS_FROM = 50_000  # vectors; below, one BLAS call is as fast and needs no import of FAISS
_MAX_SCORES = 8_000_000  # at most 32 MB of similarities at a time


class ExactIndex:
    """Exact search in memory. Every write is visible to the next search.

    Args:
        kernel: what computes the inner products. ``auto`` takes FAISS for a single probe in a
            large group, where it needs no array of all similarities, and BLAS otherwise
            (measured: docs/decisions/0007-vector-index.md).

    Example:
        >>> index = ExactIndex()
        >>> index.upsert(1, Entries(np.array([7]), np.array([[1, 0]], np.float32)))
        >>> index.search(1, np.array([[1, 0]], np.float32), k=1).ids.tolist()
        [[7]]
    """

    def __init__(self, *, kernel: Kernel = "auto") -> None:
        self._kernel: Kernel = kernel
        self._groups: dict[int, _Shelf] = {}
        self._lock = threading.Lock()  # held by writers only

    def upsert(self, group: int, entries: Entries) -> None:
        """See :class:`VectorIndex`. Amortised O(1) a vector."""
        if not len(entries):
            return
        with self._lock:
            shelf = self._groups.get(group)
            if shelf is None:
                self._groups[group] = _Shelf.of([entries])
            else:
                shelf.put(entries)

    def delete(self, group: int, ids: NDArray[np.int64]) -> int:
        """See :class:`VectorIndex`. The vectors are overwritten at once."""
        with self._lock:
            shelf = self._groups.get(group)
            return 0 if shelf is None else shelf.remove(ids)

    def search(
        self,
        group: int,
        probes: NDArray[np.float32],
        *,
        k: int,
        consistency: Consistency = "read_your_writes",
    ) -> Neighbours:
        """See :class:`VectorIndex`; here both kinds of consistency are the same."""
        shelf = self._groups.get(group)
        found = np.full((len(probes), k), -1, np.int64)
        similarity = np.full((len(probes), k), -np.inf, np.float32)
        if shelf is None or not len(probes) or k < 1:
            return Neighbours(found, similarity)
        turns = shelf.turns
        rows = self._alive(shelf.view, probes, k)
        if turns % 2 or shelf.turns != turns:  # an entry was between its old and its new vector
            with self._lock:
                rows = self._alive(shelf.view, probes, k)
        for i, (ids, scores) in enumerate(rows):
            found[i, : len(ids)] = ids
            similarity[i, : len(ids)] = scores
        return Neighbours(found, similarity)

    def rebuild(self, group: int, batches: Iterable[Entries]) -> None:
        """See :class:`VectorIndex`. Searches go on in the old vectors until it is done."""
        full = [batch for batch in batches if len(batch)]
        shelf = _Shelf.of(full) if full else None
        with self._lock:
            if shelf is None:
                self._groups.pop(group, None)
            else:
                self._groups[group] = shelf

    def _alive(
        self, view: _View, probes: NDArray[np.float32], k: int
    ) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Ids and similarities of at most k entries of each probe, without tombstones."""
        fetch = min(view.count, k)
        if not fetch:
            return []
        while True:
            rows, scores = self._nearest(probes, view.vectors[: view.count], fetch)
            ids = view.ids[rows]  # after the vectors were read: see _Shelf.remove
            alive = ids >= 0
            least = int(alive.sum(axis=1).min())
            if least >= k or fetch == view.count:
                break
            fetch = min(view.count, fetch * 2 + (k - least))
        kept = [np.flatnonzero(row)[:k] for row in alive]
        return [(ids[i, keep], scores[i, keep]) for i, keep in enumerate(kept)]

    def _nearest(
        self, probes: NDArray[np.float32], vectors: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        large = len(probes) == 1 and len(vectors) >= _FAISS_FROM
        if self._kernel == "faiss" or (self._kernel == "auto" and large):
            return _nearest_faiss(probes, vectors, k)
        return _nearest_blas(probes, vectors, k)


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """What a search reads: the first ``count`` rows of two buffers."""

    ids: NDArray[np.int64]
    vectors: NDArray[np.float32]
    count: int


class _Shelf:
    """Append-only rows with tombstones, so that searches need no lock.

    Rows below ``view.count`` are never moved or reused while a view can see them: appending
    writes behind the count and then publishes a new view; growing and compacting copy into new
    buffers.
    """

    def __init__(self, view: _View) -> None:
        self.view = view
        self.dead = 0
        self.turns = 0  # odd while entries are being replaced
        self.newest = int(view.ids[: view.count].max(initial=-1))

    @classmethod
    def of(cls, batches: list[Entries]) -> _Shelf:
        ids = np.concatenate([batch.ids for batch in batches])
        vectors = np.concatenate([batch.vectors for batch in batches])
        return cls(_View(ids, vectors, len(ids)))

    def put(self, entries: Entries) -> None:
        known = bool(len(self._rows(entries.ids)))
        self.turns += known
        self.remove(entries.ids)
        self._append(entries)
        self.turns += known

    def _append(self, entries: Entries) -> None:
        view = self.view
        count = view.count + len(entries)
        if count > len(view.ids):
            view = _resized(view, slice(view.count), max(2 * len(view.ids), count))
        view.ids[view.count : count] = entries.ids
        view.vectors[view.count : count] = entries.vectors
        self.newest = max(self.newest, int(entries.ids.max()))
        self.view = _View(view.ids, view.vectors, count)

    def remove(self, ids: NDArray[np.int64]) -> int:
        view, rows = self.view, self._rows(ids)
        if not len(rows):
            return 0
        # The id goes before the vector is wiped: a search that read a half-wiped vector reads
        # the ids afterwards and drops the row.
        view.ids[rows] = -1
        view.vectors[rows] = 0
        self.dead += len(rows)
        if self.dead > max(_FIRST_CAPACITY, view.count // 4):
            alive = np.flatnonzero(view.ids[: view.count] >= 0)
            self.view = _resized(view, alive, max(_FIRST_CAPACITY, 5 * len(alive) // 4))
            self.dead = 0
        return len(rows)

    def _rows(self, ids: NDArray[np.int64]) -> NDArray[np.intp]:
        ids = ids[(ids >= 0) & (ids <= self.newest)]  # new entries have new, higher numbers
        if not len(ids):
            return np.zeros(0, np.intp)
        return np.flatnonzero(np.isin(self.view.ids[: self.view.count], ids))


def _resized(view: _View, keep: slice | NDArray[np.intp], capacity: int) -> _View:
    kept = view.ids[keep]
    ids = np.full(capacity, -1, np.int64)
    vectors = np.zeros((capacity, view.vectors.shape[1]), np.float32)
    ids[: len(kept)] = kept
    vectors[: len(kept)] = view.vectors[keep]
    return _View(ids, vectors, len(kept))


def _nearest_blas(
    probes: NDArray[np.float32], vectors: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Rows and similarities of the k nearest, best first; in blocks of probes."""
    n = len(vectors)
    rows = np.empty((len(probes), k), np.int64)
    scores = np.empty((len(probes), k), np.float32)
    step = max(1, _MAX_SCORES // n)
    for start in range(0, len(probes), step):
        block = slice(start, start + step)
        similarity = probes[block] @ vectors.T
        best = np.argpartition(similarity, n - k, axis=1)[:, n - k :]
        order = np.argsort(-np.take_along_axis(similarity, best, axis=1), axis=1, kind="stable")
        rows[block] = np.take_along_axis(best, order, axis=1)
        scores[block] = np.take_along_axis(similarity, rows[block], axis=1)
    return rows, scores


def _nearest_faiss(
    probes: NDArray[np.float32], vectors: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The same through FAISS, on the calling thread only."""
    import faiss

    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # of this thread: its parallel regions would only spin
    try:
        scores, rows = faiss.knn(probes, vectors, k, metric=faiss.METRIC_INNER_PRODUCT)
    finally:
        faiss.omp_set_num_threads(threads)
    return rows, scores
