"""MilvusIndex: the vectors of all groups in a Milvus, turned by a key of their application.

One collection holds all vectors of one length. A group's vectors have a *slot*, a number that is
theirs alone, and lie in the partition ``slot % 64``. The collection ``NAME_groups`` says which slot
is whose. A rebuild fills a new slot and then moves the group there, so that every search sees
either the old vectors or the new ones; the old slot is emptied a minute later, when no node looks
there any more.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mien.errors import InvalidArgument, LimitExceeded
from mien.gallery.index.milvus_client import Level, MilvusConnection, Row
from mien.gallery.index.milvus_place import MilvusOptions, Place
from mien.gallery.index.protocol import Consistency, Entries, Neighbours
from mien.gallery.protect.rotation import rotation

__all__ = ["MilvusIndex", "MilvusOptions"]

ID_BITS = 35
"""An entry's id is below 2**35 (34 thousand million); the other 28 bits of a key are its slot."""
PARTITIONS = 64
FETCH_MOST = 16_384
"""Milvus gives no more rows to a probe."""

_SLOTS = 2 ** (63 - ID_BITS)
_ROW_NUMBERS = 2**19  # numbers in the vectors of one write: 2 MB
_FETCH_NUMBERS = 200_000  # rows of all probes of one search
_ROUND = 4  # how many more rows each further round fetches
_REFRESH_S = 20.0  # after which a node asks again where a group is
_GRACE_S = 60.0  # after which nobody looks into a slot that was left
_IDS_AT_ONCE = 10_000
_LEVELS: dict[Consistency, Level] = {"read_your_writes": "Strong", "eventual": "Bounded"}


class MilvusIndex:
    """A :class:`VectorIndex` in Milvus: Lite, a server or a cluster.

    Vectors and probes are turned by a secret rotation before they leave this process; Milvus sees
    numbers only: of groups, of persons and of faces. Reading one's own writes costs a wait for
    Milvus's clock (``Strong``); ``eventual`` may not see the last seconds (``Bounded``).

    Several nodes may share one, if those who write the same group do so one at a time.

    Args:
        connection: to Milvus; closed with the index.
        seed: gives the 32 secret bytes of the rotation of a group's application.
        options: how the vectors are kept.
        clock: wall-clock seconds that all nodes share, roughly.

    Example:
        >>> connection = MilvusConnection("http://127.0.0.1:19530")
        >>> index = MilvusIndex(connection, seed=lambda group: bytes(32))
        >>> index.close()
    """

    def __init__(
        self,
        connection: MilvusConnection,
        *,
        seed: Callable[[int], bytes],
        options: MilvusOptions | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._milvus = connection
        self._seed = seed
        self._options = options or MilvusOptions()
        self._clock = clock
        self._rotation = lru_cache(maxsize=64)(rotation)
        self._places: dict[int, Place] = {}
        self._locks: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)
        self._guard = threading.Lock()

    # ---------------------------------------------------------------- the protocol

    def upsert(self, group: int, entries: Entries) -> None:
        """See :class:`VectorIndex`.

        Raises:
            GalleryUnavailable: Milvus cannot be used.
            LimitExceeded: an id of 2**35 or more.
            InvalidArgument: vectors of another length than the group's.
        """
        if not len(entries):
            return
        with self._lock(group):
            place = self._found(group, "Strong")
            dim = entries.vectors.shape[1]
            if place is None or place.slot < 0:
                place = self._written(group, replace(place or Place(0, dim), slot=self._new_slot()))
            if place.dim != dim:
                raise InvalidArgument(f"The group's vectors have {place.dim} numbers, not {dim}.")
            self._fill(group, place.slot, entries)
            self._sweep(group, place)

    def delete(self, group: int, ids: NDArray[np.int64]) -> int:
        """See :class:`VectorIndex`. A search that begins afterwards does not find them."""
        wanted = [int(i) for i in np.unique(ids) if 0 <= i < 2**ID_BITS]
        if not wanted:
            return 0
        with self._lock(group):
            place = self._found(group, "Strong")
            if place is None:
                return 0
            gone = self._take_out(place.slot, place.dim, wanted)
            for slot, dim, _ in place.left:
                self._take_out(slot, dim, wanted)
            self._sweep(group, place)
            return gone

    def search(
        self,
        group: int,
        probes: NDArray[np.float32],
        *,
        k: int,
        consistency: Consistency = "read_your_writes",
    ) -> Neighbours:
        """See :class:`VectorIndex`."""
        found = np.full((len(probes), max(k, 0)), -1, np.int64)
        similarity = np.full((len(probes), max(k, 0)), -np.inf, np.float32)
        if not len(probes) or k < 1:
            return Neighbours(found, similarity)
        place = self._found(group, "Strong")
        if place is None or place.slot < 0:
            return Neighbours(found, similarity)
        if probes.shape[1] != place.dim:
            raise InvalidArgument(
                f"The group's vectors have {place.dim} numbers, not {probes.shape[1]}."
            )
        turned = self._turned(group, probes)
        for i, best in enumerate(self._best(place, turned, k, _LEVELS[consistency])):
            for j, (number, score) in enumerate(best):
                found[i, j], similarity[i, j] = number, score
        return Neighbours(found, similarity)

    def rebuild(self, group: int, batches: Iterable[Entries]) -> None:
        """See :class:`VectorIndex`. Searches go on in the old vectors until it is done."""
        with self._lock(group):
            place = self._found(group, "Strong")
            slot, dim = -1, 0
            for batch in batches:
                if not len(batch):
                    continue
                if slot < 0:
                    slot, dim = self._new_slot(), batch.vectors.shape[1]
                    # If this process ends before it is done, somebody empties the new slot.
                    left = (*(place.left if place else ()), (slot, dim, self._clock()))
                    place = self._written(group, replace(place or Place(-1, dim), left=left))
                self._fill(group, slot, batch)
            if slot < 0 or place is None:
                self._forget(group, place)
                return
            left = tuple(entry for entry in place.left if entry[0] != slot)
            if place.slot >= 0:
                left = (*left, (place.slot, place.dim, self._clock()))
            moved = Place(slot, dim, moves=place.moves + 1, left=left)
            self._sweep(group, self._written(group, moved))

    # ---------------------------------------------------------------- what several nodes share

    def mark(self, group: int) -> str | None:
        """What :meth:`set_mark` left here, by whichever node; None: the group is not here.

        Read again when the last answer is twenty seconds old; :meth:`forget_place` makes the next
        one new.
        """
        place = self._found(group, "Strong")
        return None if place is None or place.slot < 0 else place.mark

    def set_mark(self, group: int, text: str) -> None:
        """Leave a text with a group until it is rebuilt; at most 32,000 bytes."""
        with self._lock(group):
            place = self._found(group, "Strong")
            if place is not None:
                self._written(group, replace(place, mark=text))

    def forget_place(self, group: int) -> None:
        """Ask Milvus anew where the group is, whatever this process knows."""
        self._places.pop(group, None)

    def groups(self) -> list[int]:
        """The groups that are here, by whichever node."""
        rows = self._milvus.query(self._groups(), "id >= 0", ["id"], level="Strong")
        return sorted(int(row["id"]) for row in rows)

    def close(self) -> None:
        """Close the connection."""
        self._milvus.close()

    # ---------------------------------------------------------------- searching

    def _best(
        self, place: Place, probes: NDArray[np.float32], k: int, level: Level
    ) -> Iterator[list[tuple[int, float]]]:
        """Of each probe the best entry of each owner; exact where Milvus is.

        More rows than k are fetched. Where they belong to fewer than k owners, the next round
        fetches more rows of other owners: their best ones come after all that was found.
        """
        first = min(FETCH_MOST, 2 * k + 14)
        at_once = max(1, _FETCH_NUMBERS // first)
        for start in range(0, len(probes), at_once):
            part = probes[start : start + at_once]
            for probe, hits in zip(part, self._hits(place, part, first, "", level), strict=True):
                fetch, owners = first, set[int]()
                best: list[tuple[int, float]] = []
                while True:
                    for number, owner, score in hits:
                        if owner not in owners and len(best) < k:
                            owners.add(owner)
                            best.append((number & (2**ID_BITS - 1), score))
                    if len(best) >= k or len(hits) < fetch:
                        break
                    fetch = min(FETCH_MOST, _ROUND * fetch)
                    others = f" and owner not in {sorted(owners)}"
                    hits = self._hits(place, probe[None], fetch, others, level)[0]
                yield best

    def _hits(
        self, place: Place, probes: NDArray[np.float32], fetch: int, also: str, level: Level
    ) -> list[list[tuple[int, int, float]]]:
        collection = self._collection(place.dim)
        params = {"nprobe": self._options.nprobe} if self._options.kind == "ivf_flat" else {}
        return self._milvus.search(
            collection,
            probes,
            limit=fetch,
            where=f"slot == {place.slot}{also}",
            partition=_partition(place.slot),
            params=params,
            level=level,
        )

    def _turned(self, group: int, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        matrix = self._rotation(self._seed(group), vectors.shape[1])
        return np.ascontiguousarray(np.asarray(vectors, np.float32) @ matrix)

    # ---------------------------------------------------------------- writing

    def _fill(self, group: int, slot: int, entries: Entries) -> None:
        if entries.ids.min() < 0 or entries.ids.max() >= 2**ID_BITS:
            raise LimitExceeded(
                f"An index in Milvus takes entries with numbers from 0 to {2**ID_BITS - 1}.",
                details={"limit": 2**ID_BITS},
            )
        turned = self._turned(group, entries.vectors)
        collection = self._collection(turned.shape[1])
        at_once = max(1, _ROW_NUMBERS // turned.shape[1])
        keys = (slot << ID_BITS) + entries.ids
        for start in range(0, len(entries), at_once):
            part = slice(start, start + at_once)
            rows: list[Row] = [
                {"id": key, "slot": slot, "owner": owner, "vector": vector}
                for key, owner, vector in zip(
                    keys[part].tolist(), entries.owners[part].tolist(), turned[part], strict=True
                )
            ]
            self._milvus.upsert(collection, rows, partition=_partition(slot))

    def _take_out(self, slot: int, dim: int, ids: Sequence[int]) -> int:
        """Delete entries; how many were there."""
        if slot < 0:
            return 0
        collection, partition, gone = self._collection(dim), _partition(slot), 0
        for start in range(0, len(ids), _IDS_AT_ONCE):
            keys = [(slot << ID_BITS) + number for number in ids[start : start + _IDS_AT_ONCE]]
            there = self._milvus.query(
                collection, f"id in {keys}", ["id"], level="Strong", partition=partition
            )
            gone += len(there)
            if there:
                found = sorted(int(row["id"]) for row in there)
                self._milvus.delete(collection, ids=found, partition=partition)
        return gone

    def _empty(self, slot: int, dim: int) -> None:
        if slot >= 0:
            collection, partition = self._collection(dim), _partition(slot)
            self._milvus.delete(collection, where=f"slot == {slot}", partition=partition)

    def _sweep(self, group: int, place: Place) -> None:
        """Empty the slots that were left so long ago that nobody looks there."""
        due = [entry for entry in place.left if self._clock() - entry[2] > _GRACE_S]
        for slot, dim, _ in due:
            self._empty(slot, dim)
        if due:
            left = tuple(entry for entry in place.left if entry not in due)
            self._written(group, replace(place, left=left))

    def _forget(self, group: int, place: Place | None) -> None:
        if place is None:
            return
        self._milvus.delete(self._groups(), ids=[group])
        self._places.pop(group, None)
        for slot, dim in [(place.slot, place.dim), *((s, d) for s, d, _ in place.left)]:
            self._empty(slot, dim)

    # ---------------------------------------------------------------- places

    def _found(self, group: int, level: Level) -> Place | None:
        """Where a group is, as this process knows it or Milvus says."""
        known, now = self._places.get(group), time.monotonic()
        if known is not None:
            if now - known.read_at < _REFRESH_S:
                return known
            read = self._read(group, "Bounded")
            if read is not None and read.moves >= known.moves:
                return read
        return self._read(group, level)

    def _read(self, group: int, level: Level) -> Place | None:
        at = time.monotonic()
        rows = self._milvus.query(self._groups(), f"id == {group}", ["data"], level=level)
        if not rows:
            if level == "Strong":
                self._places.pop(group, None)
            return None
        place = Place.of(rows[0]["data"], at)
        before = self._places.get(group)
        if before is None or place.moves >= before.moves:
            self._places[group] = place
        return place

    def _written(self, group: int, place: Place) -> Place:
        row: Row = {"id": group, "data": place.text(), "vector": [0.0, 0.0]}
        self._milvus.upsert(self._groups(), [row])
        self._places[group] = replace(place, read_at=time.monotonic())
        return place

    def _new_slot(self) -> int:
        """A number that no vector has; chosen at random, since nodes do not wait for each other."""
        while True:
            slot = secrets.randbelow(_SLOTS)
            where, partition = f"slot == {slot}", _partition(slot)
            names = self._vector_collections()
            if not any(self._count(name, where, partition) for name in names):
                return slot

    def _count(self, collection: str, where: str, partition: str) -> int:
        rows = self._milvus.query(
            collection, where, ["count(*)"], level="Strong", partition=partition
        )
        return int(rows[0]["count(*)"]) if rows else 0

    def _vector_collections(self) -> list[str]:
        begin = f"{self._options.name}_"
        names = [name for name in self._milvus.names() if name.startswith(begin)]
        lengths = [name[len(begin) :] for name in names]
        return [self._collection(int(length)) for length in lengths if length.isdecimal()]

    def _collection(self, dim: int) -> str:
        """The collection of vectors of that length, which is there and loaded."""
        name = f"{self._options.name}_{dim}"
        flat = self._options.kind == "flat"
        params = {} if flat else {"nlist": self._options.nlist}
        index = {"index_type": self._options.kind.upper(), "params": params}
        self._milvus.ensure(name, dim, text=False, index=index)
        return name

    def _groups(self) -> str:
        name = f"{self._options.name}_groups"
        self._milvus.ensure(name, 2, text=True, index={"index_type": "FLAT", "params": {}})
        return name

    def _lock(self, group: int) -> threading.Lock:
        with self._guard:
            return self._locks[group]


def _partition(slot: int) -> str:
    return f"p{slot % PARTITIONS:02d}"
