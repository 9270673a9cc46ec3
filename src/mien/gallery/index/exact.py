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
_Best = tuple[NDArray[np.int64], NDArray[np.float32]]  # ids and similarities of one probe

_FIRST_CAPACITY = 64
# BLAS spreads a product of more than this many numbers over threads, which spin while they wait:
# on a busy machine that costs milliseconds. A few dozen faces stay below, and need no FAISS.
_ONE_THREAD = 9_216
_BLAS_PROBES = 4  # from so many probes on, one matrix product is cheaper than a pass for each,
_BLAS_WORK = 20_000_000  # if there are at least so many multiplications
_MORE = 4  # how much further to look when entries of too few owners were found
_MAX_SCORES = 8_000_000  # at most 32 MB of similarities at a time


class ExactIndex:
    """Exact search in memory. Every write is visible to the next search.

    Args:
        kernel: what computes the inner products. ``auto`` takes BLAS for a tiny group and for
            many probes in a large one, and FAISS otherwise, on the calling thread (measured:
            docs/decisions/0007-vector-index.md).

    Example:
        >>> index = ExactIndex()
        >>> vector = np.array([[1, 0]], np.float32)
        >>> index.upsert(1, Entries(np.array([7]), np.array([3]), vector))
        >>> index.search(1, vector, k=1).ids.tolist()
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
        best = self._best(shelf.view, probes, k)
        if turns % 2 or shelf.turns != turns:  # an entry was between its old and its new vector
            with self._lock:
                best = self._best(shelf.view, probes, k)
        for i, (ids, scores) in enumerate(best):
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

    def _best(self, view: _View, probes: NDArray[np.float32], k: int) -> list[_Best]:
        if not view.count:
            return []
        work = view.count * probes.size
        suits_blas = work <= _ONE_THREAD or (len(probes) >= _BLAS_PROBES and work >= _BLAS_WORK)
        if self._kernel == "blas" or (self._kernel == "auto" and suits_blas):
            return _best_by_blas(view, probes, k)
        return [_best_by_faiss(view, probe[None], k) for probe in probes]


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """What a search reads: the first ``count`` rows of three buffers."""

    ids: NDArray[np.int64]
    owners: NDArray[np.int64]
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
        owners = np.concatenate([batch.owners for batch in batches])
        vectors = np.concatenate([batch.vectors for batch in batches])
        return cls(_View(ids, owners, vectors, len(ids)))

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
        view.owners[view.count : count] = entries.owners
        view.vectors[view.count : count] = entries.vectors
        self.newest = max(self.newest, int(entries.ids.max()))
        self.view = _View(view.ids, view.owners, view.vectors, count)

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
    owners = np.full(capacity, -1, np.int64)
    vectors = np.zeros((capacity, view.vectors.shape[1]), np.float32)
    ids[: len(kept)] = kept
    owners[: len(kept)] = view.owners[keep]
    vectors[: len(kept)] = view.vectors[keep]
    return _View(ids, owners, vectors, len(kept))


def _best_by_blas(view: _View, probes: NDArray[np.float32], k: int) -> list[_Best]:
    """All inner products of a block of probes at a time, then the best of each probe."""
    found = []
    step = max(1, _MAX_SCORES // view.count)
    for start in range(0, len(probes), step):
        similarity = probes[start : start + step] @ view.vectors[: view.count].T
        found += [_best_of_scores(view, scores, k) for scores in similarity]
    return found


def _best_of_scores(view: _View, scores: NDArray[np.float32], k: int) -> _Best:
    n, fetch = len(scores), _first_fetch(k)
    while fetch < n // 2:
        rows = np.argpartition(scores, n - fetch)[n - fetch :]
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        best = _first_of_owners(view, rows, scores[rows], k)
        if len(best[0]) == k:
            return best
        fetch *= _MORE
    rows = np.argsort(-scores, kind="stable")
    return _first_of_owners(view, rows, scores[rows], k)


def _best_by_faiss(view: _View, probe: NDArray[np.float32], k: int) -> _Best:
    """One pass over the vectors without an array of all inner products."""
    import faiss

    vectors = view.vectors[: view.count]
    fetch = min(_first_fetch(k), view.count)
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # of this thread: for one probe the others would only spin
    try:
        scores, rows = faiss.knn(probe, vectors, fetch, metric=faiss.METRIC_INNER_PRODUCT)
    finally:
        faiss.omp_set_num_threads(threads)
    best = _first_of_owners(view, rows[0], scores[0], k)
    if len(best[0]) == k or fetch == view.count:
        return best
    return _best_by_blas(view, probe, k)[0]


def _first_fetch(k: int) -> int:
    """Entries to look at first, so that k owners are among them as a rule."""
    return _MORE * k + 16


def _first_of_owners(
    view: _View, rows: NDArray[np.int64], scores: NDArray[np.float32], k: int
) -> _Best:
    """The best entry of each owner; rows come best first."""
    ids = view.ids[rows]  # after the vectors were read: see _Shelf.remove
    alive = np.flatnonzero(ids >= 0)
    _, first = np.unique(view.owners[rows[alive]], return_index=True)
    keep = alive[np.sort(first)[:k]]
    return ids[keep], scores[keep]
