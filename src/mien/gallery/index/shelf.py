"""Shelf: all that the index holds of one group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.gallery.index.product import Codebook
from mien.gallery.index.protocol import Entries
from mien.gallery.index.rows import Rows, Tail
from mien.gallery.index.segment import Segment

__all__ = ["Plan", "Shelf", "View"]


@dataclass(frozen=True, slots=True)
class Plan:
    """From which size on a group is kept how, in numbers: entries times the length of a vector.

    The defaults are measured: docs/decisions/0012-coded-index.md.

    Attributes:
        tail: more numbers than this are not kept as float32 but in coded segments.
        segment: numbers in one segment at most.
        product_from: a group of so many numbers may have product codes;
        product_segment: its segments of so many get them,
        product_searches: when so many probes have been compared by bytes.
        looked_at: entries of a group that are chosen by product codes and compared by bytes.
    """

    tail: int = 2**21
    segment: int = 2**25
    product_from: int = 2**24
    product_segment: int = 2**22
    product_searches: int = 512
    looked_at: int = 4000


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What a search reads."""

    segments: tuple[Segment, ...]
    tail: Tail

    @property
    def count(self) -> int:
        """Rows, dead ones too."""
        return sum(map(len, self.segments)) + self.tail.count

    @property
    def numbers(self) -> int:
        """Numbers in all rows."""
        return self.count * int(self.tail.vectors.shape[1])

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return sum(segment.nbytes for segment in self.segments) + self.tail.nbytes


class Shelf:
    """Segments, and the newest rows as float32. Written under the index's lock, read without.

    Attributes:
        view: what a search reads, whole at any moment.
        turns: odd while entries are being replaced.
        probes: how many were searched by bytes.
        codebook: of all product codes, or None.
        removed: ids that were removed since a job of upkeep began; None: there is none.
        tended: whether there should be upkeep.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self.turns = 0
        self.probes = 0
        coded = [segment.product for segment in view.segments if segment.product]
        self.codebook: Codebook | None = coded[0].codebook if coded else None
        self.removed: list[NDArray[np.int64]] | None = None
        self.tended = True
        self._rows = Rows(view.tail)
        highest = [int(segment.ids[-1]) for segment in view.segments]
        self._newest = max([int(view.tail.ids[: view.tail.count].max(initial=-1)), *highest])

    @classmethod
    def of(cls, batches: Iterable[Entries], plan: Plan) -> Shelf | None:
        """Of entries in batches, of which only a segment's worth is held uncoded; None: of none."""
        segments: list[Segment] = []
        waiting: list[Entries] = []
        rows, dim = 0, 0
        for batch in batches:
            if not len(batch):
                continue
            dim = batch.vectors.shape[1]
            waiting.append(batch)
            rows += len(batch)
            most = max(1, plan.segment // dim)
            while rows >= most:
                whole = _joined(waiting)
                segments.append(Segment.of(_part(whole, slice(most))))
                waiting = [_part(whole, slice(most, None))]
                rows -= most
        if not dim:
            return None
        if rows * dim > plan.tail:
            segments.append(Segment.of(_joined(waiting)))
            waiting = []
        rest = _joined(waiting) if waiting else None
        tail = Tail(rest.ids, rest.owners, rest.vectors, len(rest)) if rest else Tail.empty(dim)
        return cls(View(tuple(segments), tail))

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return int(self.view.tail.vectors.shape[1])

    def put(self, entries: Entries) -> None:
        """Add entries; one whose id is there replaces the old one."""
        known = self._has(entries.ids)
        self.turns += known
        self.remove(entries.ids)
        self._rows.append(entries)
        self._newest = max(self._newest, int(entries.ids.max()))
        self.view = View(self.view.segments, self._rows.tail)
        self.turns += known

    def remove(self, ids: NDArray[np.int64]) -> int:
        """Forget ids, and overwrite their vectors; how many were there."""
        ids = np.unique(ids[(ids >= 0) & (ids <= self._newest)])
        if not len(ids):
            return 0
        gone = 0
        for segment in self.view.segments:
            rows = segment.find(ids)
            if len(rows):
                segment.wipe(rows)
                gone += len(rows)
        rows = self._rows.find(ids)
        if len(rows):
            self._rows.wipe(rows)
            gone += len(rows)
        if self.removed is not None:
            self.removed.append(ids)
        elif len(rows) and self._rows.compact():
            self.view = View(self.view.segments, self._rows.tail)
        return gone

    def exchange(self, old: tuple[Segment, ...], new: list[Segment], *, rows: int) -> None:
        """Put segments in the place of others and of the first ``rows`` rows of the tail."""
        kept = [segment for segment in self.view.segments if segment not in old]
        if rows:
            rest = self._rows.tail.living(rows)
            self._rows = Rows(Tail(rest.ids, rest.owners, rest.vectors, len(rest)))
        self.view = View((*kept, *new), self._rows.tail)

    def _has(self, ids: NDArray[np.int64]) -> bool:
        ids = ids[ids <= self._newest]  # new entries have new, higher numbers
        if not len(ids):
            return False
        there = any(len(segment.find(ids)) for segment in self.view.segments)
        return there or bool(len(self._rows.find(ids)))


def _joined(batches: list[Entries]) -> Entries:
    if len(batches) == 1:
        (one,) = batches
        return Entries(one.ids.copy(), one.owners.copy(), one.vectors.copy())
    return Entries(
        np.concatenate([batch.ids for batch in batches]),
        np.concatenate([batch.owners for batch in batches]),
        np.concatenate([batch.vectors for batch in batches]),
    )


def _part(entries: Entries, part: slice) -> Entries:
    return Entries(entries.ids[part], entries.owners[part], entries.vectors[part])
