"""Upkeep: what makes segments of a shelf's newest rows, merges them, and gives them codes.

Each job is planned under the index's lock, built without it while searches and writes go on, and
published under it. What is removed meanwhile is removed from what was built, too.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mien.gallery.index.product import Codebook, ProductCodes
from mien.gallery.index.protocol import Entries
from mien.gallery.index.rows import Tail
from mien.gallery.index.segment import Segment
from mien.gallery.index.shelf import Plan, Shelf

__all__ = ["Job", "due"]

_FAN = 4  # so many segments of about one size are merged into one
_SAMPLE = 8192  # vectors that a codebook is trained on


class Job(ABC):
    """A piece of upkeep of one shelf."""

    @abstractmethod
    def build(self) -> None:
        """The long part, without the lock."""

    @abstractmethod
    def publish(self, shelf: Shelf) -> None:
        """The short part, under the lock."""


def due(shelf: Shelf, plan: Plan) -> Job | None:
    """What should be done next; to be asked under the lock."""
    view, dim = shelf.view, shelf.dim
    if view.tail.count * dim > plan.tail:
        return _Rewriting(shelf, plan, (), view.tail)
    for segment in view.segments:
        if segment.dead > len(segment) // 4:
            return _Rewriting(shelf, plan, (segment,), None)
    merged = _mergeable(view.segments, plan, dim)
    if merged:
        return _Rewriting(shelf, plan, merged, None)
    if may_have_codes(shelf, plan) and shelf.probes >= plan.product_searches:
        bare = [one for one in view.segments if _deserves_codes(one, plan)]
        if bare:
            return _Coding(shelf, bare[0])
    return None


def may_have_codes(shelf: Shelf, plan: Plan) -> bool:
    """Whether the group is large enough for product codes."""
    return shelf.view.count * shelf.dim >= plan.product_from and Codebook.fits(shelf.dim)


def _deserves_codes(segment: Segment, plan: Plan) -> bool:
    return segment.product is None and len(segment) * segment.dim >= plan.product_segment


def _mergeable(segments: tuple[Segment, ...], plan: Plan, dim: int) -> tuple[Segment, ...]:
    levels: dict[int, list[Segment]] = {}
    for segment in segments:
        level = int(math.log(max(1.0, len(segment) * dim / max(1, plan.tail)), _FAN))
        levels.setdefault(level, []).append(segment)
    for level in sorted(levels):
        group = levels[level][:_FAN]
        if len(group) == _FAN and sum(map(len, group)) * dim <= plan.segment:
            return tuple(group)
    return ()


@dataclass(slots=True, eq=False)
class _Rewriting(Job):
    """Segments, or the tail, into one new segment without dead rows."""

    shelf: Shelf
    plan: Plan
    segments: tuple[Segment, ...]
    tail: Tail | None
    built: list[Segment] = field(default_factory=list)

    def build(self) -> None:
        parts = [part for segment in self.segments for part in segment.living()]
        if self.tail is not None:
            parts.append(self.tail.living())
        entries = Entries(
            np.concatenate([part.ids for part in parts]),
            np.concatenate([part.owners for part in parts]),
            np.concatenate([part.vectors for part in parts]),
        )
        del parts
        if not len(entries):
            return
        segment = Segment.of(entries)
        if self.shelf.codebook is not None and _deserves_codes(segment, self.plan):
            segment.product = segment.encode(self.shelf.codebook)
        self.built.append(segment)

    def publish(self, shelf: Shelf) -> None:
        gone = _taken(shelf)
        for segment in self.built:
            segment.wipe(segment.find(gone))
        shelf.exchange(self.segments, self.built, rows=self.tail.count if self.tail else 0)


@dataclass(slots=True, eq=False)
class _Coding(Job):
    """Product codes for one segment."""

    shelf: Shelf
    segment: Segment
    codebook: Codebook | None = None
    codes: ProductCodes | None = None

    def build(self) -> None:
        self.codebook = self.shelf.codebook or Codebook.trained(_sample(self.shelf.view.segments))
        self.codes = self.segment.encode(self.codebook)

    def publish(self, shelf: Shelf) -> None:
        gone = _taken(shelf)
        assert self.codes is not None
        at = np.searchsorted(self.segment.ids, gone).clip(max=len(self.segment) - 1)
        self.codes.wipe(at[self.segment.ids[at] == gone])
        shelf.codebook = self.codebook
        self.segment.product = self.codes


def _taken(shelf: Shelf) -> NDArray[np.int64]:
    removed, shelf.removed = shelf.removed or [], None
    return np.unique(np.concatenate(removed)) if removed else np.zeros(0, np.int64)


def _sample(segments: tuple[Segment, ...]) -> NDArray[np.float32]:
    """Vectors of rows that are alive, evenly from all segments."""
    rng = np.random.default_rng(0)
    share = -(-_SAMPLE // len(segments))
    parts = []
    for segment in segments:
        rows = np.flatnonzero(segment.alive)
        rows = rng.choice(rows, min(share, len(rows)), replace=False)
        parts.append(segment.vectors(np.sort(rows)))
    return np.concatenate(parts)
