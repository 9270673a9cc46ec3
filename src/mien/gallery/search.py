"""Search: keeps the index level with the records, and turns its faces into persons."""

from __future__ import annotations

import contextlib
import threading
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mien.errors import GalleryUnavailable, NotFound
from mien.gallery.index import Neighbours, VectorIndex
from mien.gallery.model import Hit
from mien.gallery.records import changes, groups, vectors
from mien.gallery.records.database import Database
from mien.gallery.records.groups import GroupRow

__all__ = ["Searcher"]


class Searcher:
    """Searches the groups of a database. Safe to call from several threads at once.

    A group's vectors are loaded at its first search. Before every search the group's version (one
    indexed read, which finds the group anyway) is compared with the one that the index has; only
    what changed since is read. So the writes of every process are seen by the next search.
    """

    def __init__(self, database: Database, index: VectorIndex) -> None:
        self._database = database
        self._index = index
        self._versions: dict[int, int] = {}
        self._locks: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)
        self._guard = threading.Lock()

    def search(self, row: GroupRow, probes: NDArray[np.float32], *, k: int) -> list[list[Hit]]:
        """The k persons most like each probe, ``(n, d)``, best first."""
        k = min(k, row.group.persons)
        if not k or not row.group.faces:
            return [[] for _ in probes]
        self._freshen(row)
        return self._named(row, self._index.search(row.seq, probes, k=k))

    def wipe(self, group_seqs: Iterable[int]) -> None:
        """Drop what was deleted from those groups that are loaded, at once."""
        for seq in group_seqs:
            if seq in self._versions:
                # The deletion is committed: if this fails, the next search does it.
                with contextlib.suppress(GalleryUnavailable):
                    self._catch_up(seq)

    def _freshen(self, row: GroupRow) -> None:
        seen = self._versions.get(row.seq)
        if seen == row.version:
            return
        if seen is None:
            self._forget_deleted_groups()
        if not self._catch_up(row.seq):
            raise NotFound(f"There is no group {row.group.name!r}.")

    def _catch_up(self, seq: int) -> bool:
        """Bring the index level with the records; False if the group is gone."""
        with self._guard:
            lock = self._locks[seq]
        with lock, self._database.snapshot() as connection:
            row = groups.find_by_seq(connection, seq)
            if row is None:
                self._forget(seq)
                return False
            seen = self._versions.get(seq)
            if seen == row.version:
                return True
            by_person = row.group.scoring == "mean"
            entries = vectors.person_entries if by_person else vectors.face_entries
            if seen is None or not row.changes_from <= seen <= row.version:
                self._index.rebuild(seq, entries(connection, row))
            else:
                pairs = changes.changed(connection, row, after=seen)
                touched = sorted({pair[0 if by_person else 1] for pair in pairs})
                gone = set(touched)
                for batch in entries(connection, row, touched):
                    self._index.upsert(seq, batch)
                    gone.difference_update(batch.ids.tolist())
                self._index.delete(seq, np.array(sorted(gone), np.int64))
            self._versions[seq] = row.version
            return True

    def _forget_deleted_groups(self) -> None:
        loaded = list(self._versions)
        with self._database.reading() as connection:
            gone = set(loaded) - groups.existing(connection, loaded)
        for seq in gone:
            self._catch_up(seq)

    def _forget(self, seq: int) -> None:
        self._versions.pop(seq, None)
        self._index.rebuild(seq, ())

    def _named(self, row: GroupRow, found: Neighbours) -> list[list[Hit]]:
        """What was found, with names; entries that have just been deleted are left out."""
        wanted = np.unique(found.ids[found.ids >= 0]).tolist()
        by_person = row.group.scoring == "mean"
        owners_of = vectors.person_owners if by_person else vectors.face_owners
        with self._database.reading() as connection:
            owners = owners_of(connection, row, wanted)
        return [
            [
                Hit(owner.person, owner.person_id, owner.face_id, _clipped(score), owner.norm)
                for number, score in zip(ids, similarity, strict=True)
                if (owner := owners.get(number)) is not None
            ]
            for ids, similarity in zip(found.ids.tolist(), found.similarity.tolist(), strict=True)
        ]


def _clipped(similarity: float) -> float:
    """Float32 rounding must not make a similarity of more than 1."""
    return max(-1.0, min(1.0, similarity))
