"""The k nearest owners of probes in what a search reads of a group."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mien.gallery.index.fixed import quantised
from mien.gallery.index.rows import Tail
from mien.gallery.index.segment import Segment
from mien.gallery.index.shelf import View
from mien.gallery.index.threads import at_most

__all__ = ["Best", "Kernel", "best_owners"]

Kernel = Literal["auto", "blas", "faiss"]
Best = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Ids and similarities of one probe, best first."""

# BLAS spreads a product of more than this many numbers over threads, which spin while they wait:
# on a busy machine that costs milliseconds. A few dozen faces stay below, and need no FAISS.
_ONE_THREAD = 9_216
_BLAS_PROBES = 4  # from so many probes on, one matrix product is cheaper than a pass for each,
_BLAS_WORK = 20_000_000  # if there are at least so many multiplications
_MANY_PROBES = 16  # from so many on, FAISS uses all threads
_ALL = 1 << 16
_SPARE = 160  # entries compared in full beyond those: what the bytes may have got wrong
_MORE = 4  # how much further to look when entries of too few owners were found
_MAX_SCORES = 8_000_000  # at most 32 MB of similarities at a time
_PRODUCT_SHARE = 250  # one entry of so many is looked at by bytes, where there are product codes,
_PRODUCT_LEAST = 1000  # but not fewer than this


def best_owners(
    view: View, probes: NDArray[np.float32], k: int, *, kernel: Kernel, looked_at: int
) -> list[Best]:
    """The k nearest owners of each probe ``(n, d)`` by their nearest entry."""
    if view.segments:
        return _Search(view, probes, k, looked_at).run()
    tail = view.tail
    if not tail.count:
        return []
    work = tail.count * probes.size
    suits_blas = work <= _ONE_THREAD or (len(probes) >= _BLAS_PROBES and work >= _BLAS_WORK)
    if kernel == "blas" or (kernel == "auto" and suits_blas):
        return _by_blas(tail, probes, k)
    return [_by_faiss(tail, probe[None], k) for probe in probes]


# ---------------------------------------------------------------- float32


def _by_blas(tail: Tail, probes: NDArray[np.float32], k: int) -> list[Best]:
    """All inner products of a block of probes at a time, then the best of each probe."""
    found = []
    step = max(1, _MAX_SCORES // tail.count)
    for start in range(0, len(probes), step):
        similarity = probes[start : start + step] @ tail.vectors[: tail.count].T
        found += [_of_scores(tail, scores, k) for scores in similarity]
    return found


def _of_scores(tail: Tail, scores: NDArray[np.float32], k: int) -> Best:
    n, fetch = len(scores), _first_fetch(k)
    while fetch < n // 2:
        rows = np.argpartition(scores, n - fetch)[n - fetch :]
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        best = _of_tail(tail, rows, scores[rows], k)
        if len(best[0]) == k:
            return best
        fetch *= _MORE
    rows = np.argsort(-scores, kind="stable")
    return _of_tail(tail, rows, scores[rows], k)


def _by_faiss(tail: Tail, probe: NDArray[np.float32], k: int) -> Best:
    """One pass over the vectors without an array of all inner products."""
    fetch = min(_first_fetch(k), tail.count)
    scores, rows = _tail_nearest(tail, probe, fetch)
    best = _of_tail(tail, rows[0], scores[0], k)
    if len(best[0]) == k or fetch == tail.count:
        return best
    return _by_blas(tail, probe, k)[0]


def _tail_nearest(
    tail: Tail, probes: NDArray[np.float32], fetch: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    import faiss

    with _threads(len(probes)):
        scores, rows = faiss.knn(
            probes, tail.vectors[: tail.count], fetch, metric=faiss.METRIC_INNER_PRODUCT
        )
    return scores, rows


def _of_tail(tail: Tail, rows: NDArray[np.int64], scores: NDArray[np.float32], k: int) -> Best:
    ids = tail.ids[rows]  # after the vectors were read: see Rows.wipe
    return _first_of_owners(ids, tail.owners[rows], scores, k)


def _first_fetch(k: int) -> int:
    """Entries to look at first, so that k owners are among them as a rule."""
    return _MORE * k + 16


def _first_of_owners(
    ids: NDArray[np.int64], owners: NDArray[np.int64], scores: NDArray[np.float32], k: int
) -> Best:
    """The best entry of each owner; entries come best first, those of an id below 0 are dead."""
    alive = np.flatnonzero(ids >= 0)
    _, first = np.unique(owners[alive], return_index=True)
    keep = alive[np.sort(first)[:k]]
    return ids[keep], scores[keep]


def _threads(probes: int) -> AbstractContextManager[None]:
    return at_most(_ALL if probes >= _MANY_PROBES else 1)


# ---------------------------------------------------------------- coded segments


@dataclass(slots=True, eq=False)
class _Found:
    """What one part of a view gave: ``(n, fetch)`` similarities and rows, best first.

    ``ceiling`` ``(n,)`` is what no other row of the part is more similar than.
    """

    similarity: NDArray[np.float32]
    rows: NDArray[np.int64]
    doubt: NDArray[np.float32]
    ceiling: NDArray[np.float32]


class _Search:
    """One search in a view with segments.

    The high plane of a segment gives similarities that are wrong by a known amount at most. So
    enough candidates are compared in full when the k-th best owner is more similar than anything
    else can be; if not, more are fetched. The answer is exact, except for what product codes,
    where there are some, did not let through.
    """

    def __init__(self, view: View, probes: NDArray[np.float32], k: int, looked_at: int) -> None:
        self._view = view
        self._probes = np.ascontiguousarray(probes, np.float32)
        self._whole, self._steps = quantised(self._probes)
        lost = self._probes - self._whole * self._steps[:, None]
        self._lost = np.linalg.norm(lost, axis=1)
        self._lengths = np.linalg.norm(self._probes, axis=1)
        self._k = k
        share = max(_PRODUCT_LEAST, view.count // _PRODUCT_SHARE)
        self._looked_at = min(looked_at, share) / view.count

    def run(self) -> list[Best]:
        best: dict[int, Best] = {}
        left = np.arange(len(self._probes))
        fetch, first = _first_fetch(self._k) + _SPARE, True
        while len(left):
            with _threads(len(left)):
                parts = [
                    self._by_codes(segment, left) if first else self._by_bytes(segment, left, fetch)
                    for segment in self._view.segments
                ]
                if self._view.tail.count:
                    parts.append(self._in_tail(left, fetch))
            unsure = []
            for at, probe in enumerate(left.tolist()):
                best[probe], sure = self._compared(parts, at, probe, fetch)
                if not sure:
                    unsure.append(probe)
            left = np.array(unsure, np.intp)
            fetch, first = fetch * _MORE, False
        return [best[i] for i in range(len(self._probes))]

    def _by_codes(self, segment: Segment, probes: NDArray[np.intp]) -> _Found:
        """The best of a segment, which its product codes choose, where it has some.

        Of many segments each gives its share; should it be too little, that is seen.
        """
        share = len(segment) / self._view.count
        fetch = _first_fetch(self._k) + int(min(1.0, 2 * share) * _SPARE)
        looked_at = max(int(self._looked_at * len(segment) * 1.25) + 128, 2 * fetch)
        return self._in_segment(segment, probes, fetch, looked_at)

    def _by_bytes(self, segment: Segment, probes: NDArray[np.intp], fetch: int) -> _Found:
        """The best of a segment, all of which is scanned."""
        return self._in_segment(segment, probes, fetch, None)

    def _in_segment(
        self, segment: Segment, probes: NDArray[np.intp], fetch: int, looked_at: int | None
    ) -> _Found:
        some = min(fetch, len(segment))
        similarity, rows = segment.nearest(
            self._whole[probes], self._steps[probes], fetch=some, looked_at=looked_at
        )
        doubt = segment.doubt(self._lengths[probes], self._lost[probes])
        ceiling = similarity[:, -1] + doubt
        if some == len(segment):
            ceiling = np.full(len(probes), -np.inf, np.float32)
        return _Found(similarity, rows, doubt, ceiling)

    def _in_tail(self, probes: NDArray[np.intp], fetch: int) -> _Found:
        tail = self._view.tail
        some = min(fetch, tail.count)
        similarity, rows = _tail_nearest(tail, self._probes[probes], some)
        ceiling = similarity[:, -1]
        if some == tail.count:
            ceiling = np.full(len(probes), -np.inf, np.float32)
        return _Found(similarity, rows, np.zeros(len(probes), np.float32), ceiling)

    def _compared(self, parts: list[_Found], at: int, probe: int, fetch: int) -> tuple[Best, bool]:
        """The best owners among the best candidates, compared in full; and whether they are it."""
        similarity = np.concatenate([part.similarity[at] for part in parts])
        rows = np.concatenate([part.rows[at] for part in parts])
        origin = np.repeat(np.arange(len(parts)), [len(part.rows[at]) for part in parts])
        ceiling = max(float(part.ceiling[at]) for part in parts)
        similarity[rows < 0] = -np.inf
        if len(rows) > fetch:
            order = np.argpartition(-similarity, fetch)
            doubt = max(float(part.doubt[at]) for part in parts)
            ceiling = max(ceiling, float(similarity[order[fetch]]) + doubt)
            chosen = order[:fetch]
            similarity, rows, origin = similarity[chosen], rows[chosen], origin[chosen]
        ids, owners = np.full(len(rows), -1, np.int64), np.full(len(rows), -1, np.int64)
        for number in np.unique(origin).tolist():
            mine = np.flatnonzero((origin == number) & (rows >= 0))
            self._look_up(number, probe, rows[mine], mine, (similarity, ids, owners))
        order = np.argsort(-similarity, kind="stable")
        best = _first_of_owners(ids[order], owners[order], similarity[order], self._k)
        kth = float(best[1][-1]) if len(best[1]) == self._k else -np.inf
        return best, kth >= ceiling

    def _look_up(
        self,
        number: int,
        probe: int,
        rows: NDArray[np.int64],
        into: NDArray[np.intp],
        arrays: tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]],
    ) -> None:
        """Similarities, ids and owners of candidates of one part."""
        similarity, ids, owners = arrays
        if number == len(self._view.segments):
            tail = self._view.tail
            ids[into], owners[into] = tail.ids[rows], tail.owners[rows]
            return
        segment = self._view.segments[number]
        similarity[into] = segment.vectors(rows) @ self._probes[probe]
        # after the vectors were read: see Segment.wipe
        ids[into] = np.where(segment.alive[rows], segment.ids[rows], -1)
        owners[into] = segment.owners[rows]
