"""ExactIndex: the vectors of each group in the memory of this process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mien.gallery.index.protocol import Consistency, Entries, Neighbours
from mien.gallery.index.ranking import Best, Kernel, best_owners
from mien.gallery.index.shelf import Plan, Shelf, View
from mien.gallery.index.threads import at_most
from mien.gallery.index.upkeep import Job, due

__all__ = ["ExactIndex", "Kernel"]

_log = logging.getLogger(__name__)


class ExactIndex:
    """Exact search in memory. Every write is visible to the next search.

    A small group is compared as float32. A large one is scanned as bytes, and what may be among
    the best is compared in full; how wrong a byte can be is known, so the answer is the same. A
    very large one that is searched often is first looked through by 4-bit product codes, which is
    as good as exact and not proven to be (docs/decisions/0012-coded-index.md).

    Args:
        kernel: what computes the inner products of float32. ``auto`` takes BLAS for a tiny group
            and for many probes in a large one, and FAISS otherwise, on the calling thread
            (measured: docs/decisions/0007-vector-index.md).
        plan: from which size on a group is kept how; None: as measured.

    Example:
        >>> index = ExactIndex()
        >>> vector = np.array([[1, 0]], np.float32)
        >>> index.upsert(1, Entries(np.array([7]), np.array([3]), vector))
        >>> index.search(1, vector, k=1).ids.tolist()
        [[7]]
    """

    def __init__(self, *, kernel: Kernel = "auto", plan: Plan | None = None) -> None:
        self._kernel: Kernel = kernel
        self._plan = plan or Plan()
        self._groups: dict[int, Shelf] = {}
        self._lock = threading.Lock()  # held by writers only
        self._worker: threading.Thread | None = None
        self._closed = False

    def upsert(self, group: int, entries: Entries) -> None:
        """See :class:`VectorIndex`. Amortised O(1) a vector."""
        if not len(entries):
            return
        with self._lock:
            shelf = self._groups.get(group)
            if shelf is None:
                made = Shelf.of([entries], self._plan)
                assert made is not None
                self._groups[group] = made
            else:
                shelf.put(entries)
                self._tend(shelf)

    def delete(self, group: int, ids: NDArray[np.int64]) -> int:
        """See :class:`VectorIndex`. The vectors are overwritten at once."""
        with self._lock:
            shelf = self._groups.get(group)
            if shelf is None:
                return 0
            gone = shelf.remove(ids)
            self._tend(shelf)
            return gone

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
        self._count(shelf, len(probes))
        return Neighbours(found, similarity)

    def rebuild(self, group: int, batches: Iterable[Entries]) -> None:
        """See :class:`VectorIndex`. Searches go on in the old vectors until it is done."""
        self._set(group, Shelf.of(batches, self._plan))

    def view(self, group: int) -> View | None:
        """All that is held of a group, as it is now; to be read only."""
        shelf = self._groups.get(group)
        return None if shelf is None else shelf.view

    def restore(self, group: int, view: View) -> None:
        """Replace all that is held of a group by what :meth:`view` gave."""
        self._set(group, Shelf(view))

    def settle(self) -> None:
        """Wait until nothing is being merged or coded."""
        while (worker := self._worker) is not None:
            worker.join()

    def close(self) -> None:
        """Stop merging and coding; searches and writes go on."""
        with self._lock:
            self._closed = True
        self.settle()

    def _best(self, view: View, probes: NDArray[np.float32], k: int) -> list[Best]:
        return best_owners(view, probes, k, kernel=self._kernel, looked_at=self._plan.looked_at)

    def _set(self, group: int, shelf: Shelf | None) -> None:
        with self._lock:
            if shelf is None:
                self._groups.pop(group, None)
            else:
                self._groups[group] = shelf
                self._tend(shelf)

    def _count(self, shelf: Shelf, probes: int) -> None:
        before = shelf.probes
        shelf.probes = before + probes
        if before < self._plan.product_searches <= shelf.probes:
            with self._lock:
                self._tend(shelf)

    # ---------------------------------------------------------------- upkeep, in a thread

    def _tend(self, shelf: Shelf) -> None:
        """Start the upkeep where something is due; under the lock."""
        if self._worker is not None or self._closed or not shelf.tended:
            return
        if due(shelf, self._plan) is not None:
            self._worker = threading.Thread(target=self._work, name="mien-index", daemon=True)
            self._worker.start()

    def _work(self) -> None:
        while (task := self._next()) is not None:
            shelf, job = task
            try:
                with at_most(1):  # the others are for searches
                    job.build()
            except Exception:
                _log.exception("The index could not be tidied up; searches go on as before.")
                with self._lock:
                    shelf.tended = False
                    shelf.removed = None
                continue
            with self._lock:
                job.publish(shelf)
            del shelf, job, task  # what was replaced must not live as long as the next job

    def _next(self) -> tuple[Shelf, Job] | None:
        with self._lock:
            if not self._closed:
                for shelf in self._groups.values():
                    job = due(shelf, self._plan) if shelf.tended else None
                    if job is not None:
                        shelf.removed = []
                        return shelf, job
            self._worker = None
            return None
