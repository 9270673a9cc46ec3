"""Rows of a group as float32: all of a small group, the newest of a large one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.gallery.index.protocol import Entries

__all__ = ["Rows", "Tail"]

_FIRST_CAPACITY = 64


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """What a search reads: the first ``count`` rows of three buffers. A dead row's id is -1."""

    ids: NDArray[np.int64]
    owners: NDArray[np.int64]
    vectors: NDArray[np.float32]
    count: int

    @classmethod
    def empty(cls, dim: int) -> Tail:
        """No rows."""
        none = np.zeros(0, np.int64)
        return cls(none, none, np.zeros((0, dim), np.float32), 0)

    @property
    def nbytes(self) -> int:
        """Bytes of memory, of rows that are not used yet too."""
        return self.ids.nbytes + self.owners.nbytes + self.vectors.nbytes

    def living(self, start: int = 0) -> Entries:
        """Copies of the rows from ``start`` on that are alive."""
        part = slice(start, self.count)
        vectors = self.vectors[part].copy()
        alive = self.ids[part] >= 0
        return Entries(self.ids[part][alive], self.owners[part][alive], vectors[alive])


class Rows:
    """Append-only rows with tombstones, so that searches need no lock.

    Rows below ``tail.count`` are never moved or reused while a search can see them: appending
    writes behind the count and then publishes a new tail; growing and compacting copy into new
    buffers.
    """

    def __init__(self, tail: Tail) -> None:
        self.tail = tail
        self.dead = int((tail.ids[: tail.count] < 0).sum())

    def append(self, entries: Entries) -> None:
        """Add entries, amortised O(1) each."""
        tail = self.tail
        count = tail.count + len(entries)
        if count > len(tail.ids):
            tail = _resized(tail, slice(tail.count), max(2 * len(tail.ids), count))
        tail.ids[tail.count : count] = entries.ids
        tail.owners[tail.count : count] = entries.owners
        tail.vectors[tail.count : count] = entries.vectors
        self.tail = Tail(tail.ids, tail.owners, tail.vectors, count)

    def find(self, ids: NDArray[np.int64]) -> NDArray[np.intp]:
        """The rows of those ids."""
        return np.flatnonzero(np.isin(self.tail.ids[: self.tail.count], ids[ids >= 0]))

    def wipe(self, rows: NDArray[np.intp]) -> None:
        """Forget rows and overwrite their vectors; many tombstones are compacted.

        The id goes before the vector is wiped: a search that read a half-wiped vector reads the
        ids afterwards and drops the row.
        """
        tail = self.tail
        tail.ids[rows] = -1
        tail.vectors[rows] = 0
        self.dead += len(rows)

    def compact(self) -> bool:
        """Leave tombstones behind if there are many; whether it did."""
        tail = self.tail
        if self.dead <= max(_FIRST_CAPACITY, tail.count // 4):
            return False
        alive = np.flatnonzero(tail.ids[: tail.count] >= 0)
        self.tail = _resized(tail, alive, max(_FIRST_CAPACITY, 5 * len(alive) // 4))
        self.dead = 0
        return True


def _resized(tail: Tail, keep: slice | NDArray[np.intp], capacity: int) -> Tail:
    kept = tail.ids[keep]
    ids = np.full(capacity, -1, np.int64)
    owners = np.full(capacity, -1, np.int64)
    vectors = np.zeros((capacity, tail.vectors.shape[1]), np.float32)
    ids[: len(kept)] = kept
    owners[: len(kept)] = tail.owners[keep]
    vectors[: len(kept)] = tail.vectors[keep]
    return Tail(ids, owners, vectors, len(kept))
