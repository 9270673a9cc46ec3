"""SharedFollower: keeps an index that several nodes share level with the records.

The index keeps a *mark* with each group: up to which change it holds the group, and of which
history, sealed with a key of the application. Whoever finds a group behind takes the group's turn,
reads the mark anew, applies what is missing and moves the mark. So each change is applied once, by
the first node that needs it; a node that ends half-way leaves the mark where it was, and the next
one repeats the rest, which does no harm.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import logging
import threading
from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol, runtime_checkable

import numpy as np
import sqlalchemy as sa

from mien.errors import GalleryUnavailable, KeyMismatch, NotFound
from mien.gallery.index import VectorIndex
from mien.gallery.index.factory import make_index
from mien.gallery.protect import open_sealed, seal
from mien.gallery.records import changes, groups, lineage, vectors
from mien.gallery.records.database import Database
from mien.gallery.records.groups import GroupRow
from mien.gallery.records.secrets import index_name, seed_of
from mien.gallery.records.turns import turn

__all__ = ["SharedFollower", "SharedIndex", "open_index"]

_log = logging.getLogger(__name__)

_MARKS = 20


def open_index(database: Database, url: str) -> VectorIndex:
    """The index that the setting ``index`` names, for the groups of a database.

    Raises:
        ConfigurationError: a URL that cannot be used.
    """
    return make_index(url, name=lambda: index_name(database), seed=seed_of(database))


@runtime_checkable
class SharedIndex(VectorIndex, Protocol):
    """An index outside of this process, which keeps a text with each group."""

    def mark(self, group: int) -> str | None:
        """The text, as this process read it some seconds ago; None: the group is not there."""
        ...

    def set_mark(self, group: int, text: str) -> None:
        """Replace the text; a rebuild empties it."""
        ...

    def forget_place(self, group: int) -> None:
        """Read anew what belongs to the group."""
        ...

    def groups(self) -> list[int]:
        """The groups that are there."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class SharedFollower:
    """Keeps a shared index level with the records. Safe to call from several threads at once.

    Args:
        database: of the records.
        index: what is kept level, here and by other nodes.
    """

    def __init__(self, database: Database, index: SharedIndex) -> None:
        self._database = database
        self._index = index
        self._seed = seed_of(database)
        self._versions: dict[int, int] = {}
        self._owed: set[int] = set()  # groups that could not be wiped when they should have been
        self._locks: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)
        self._guard = threading.Lock()
        self._looked = False

    def freshen(self, row: GroupRow) -> None:
        """Make the index hold at least what the records held when ``row`` was read.

        Raises:
            NotFound: the group has been deleted since.
            GalleryUnavailable: the index or the records cannot be used, or another node takes
                too long to fill the index.
        """
        if not self._looked:
            self._forget_deleted_groups()
            self._looked = True
        for seq in list(self._owed):
            self._catch_up(seq)
        level = self._versions.get(row.seq) == row.version
        if not (level and self._index.mark(row.seq)) and not self._catch_up(row.seq):
            raise NotFound(f"There is no group {row.group.name!r}.")

    def follow(self, group_seq: int) -> None:
        """Nothing: a server's writes are slow, and the next search makes them."""

    def holds(self, row: GroupRow) -> bool:
        """Whether the group still has the contract that ``row`` has.

        Any node may fill the index anew, but not before the records say so.
        """
        with self._database.reading() as connection:
            now = groups.find_by_seq(connection, row.seq)
        return now is not None and now.contract_seq == row.contract_seq

    def wipe(self, group_seqs: Iterable[int]) -> None:
        """Drop what was deleted from those groups; if the index is away, when it is back."""
        for seq in group_seqs:
            try:
                self._index.forget_place(seq)
                if self._index.mark(seq) is not None:
                    self._catch_up(seq)
            except GalleryUnavailable as error:
                self._owed.add(seq)
                _log.warning(
                    "Group %d: what was deleted goes from the index when it can be used: %s",
                    seq,
                    error,
                )

    def rebuild(self, row: GroupRow) -> bool:
        """Fill a group's index from the records alone; searches go on in the old vectors."""
        with self._guard:
            lock = self._locks[row.seq]
        with lock, turn(self._database, row.seq):
            self._index.forget_place(row.seq)
            if self._index.mark(row.seq) is not None:
                self._index.set_mark(row.seq, "")  # so nobody takes it for level
            self._versions.pop(row.seq, None)
        return self._catch_up(row.seq)

    def fault(self, _connection: sa.Connection, _row: GroupRow) -> str | None:
        """Nothing: a shared index has no snapshot, and is tried by searching."""
        return None

    def close(self) -> None:
        """Close the index."""
        self._index.close()

    def _catch_up(self, seq: int) -> bool:
        """Bring the index level with the records; False if the group is gone."""
        with self._guard:
            lock = self._locks[seq]
        with lock, turn(self._database, seq), self._database.snapshot() as connection:
            self._index.forget_place(seq)
            row = groups.find_by_seq(connection, seq)
            if row is None:
                self._versions.pop(seq, None)
                self._index.rebuild(seq, ())
            else:
                self._raise_to(connection, row)
                self._versions[seq] = row.version
            self._owed.discard(seq)
            return row is not None

    def _raise_to(self, connection: sa.Connection, row: GroupRow) -> None:
        """Apply what the index lacks, in the group's turn."""
        by_person = row.group.scoring == "mean"
        entries = vectors.person_entries if by_person else vectors.face_entries
        seen = self._seen(connection, row)
        if seen == row.version:
            return
        if seen is None:
            self._index.rebuild(row.seq, entries(connection, row))
        else:
            pairs = changes.changed(connection, row, after=seen)
            touched = sorted({pair[0 if by_person else 1] for pair in pairs})
            gone = set(touched)
            for batch in entries(connection, row, touched):
                self._index.upsert(row.seq, batch)
                gone.difference_update(batch.ids.tolist())
            self._index.delete(row.seq, np.array(sorted(gone), np.int64))
        facts = {
            "version": row.version,
            "scope": _scope(row),
            "marks": lineage.marks(connection, row)[:_MARKS],
        }
        sealed = seal(json.dumps(facts).encode(), key=self._key(row), context=_context(row))
        self._index.set_mark(row.seq, base64.b64encode(sealed).decode())

    def _seen(self, connection: sa.Connection, row: GroupRow) -> int | None:
        """Up to which change the index holds this group; None: it does not, or another history."""
        text = self._index.mark(row.seq)
        if not text:
            return None
        try:
            sealed = base64.b64decode(text, validate=True)
            facts = json.loads(open_sealed(sealed, key=self._key(row), context=_context(row)))
        except (KeyMismatch, binascii.Error):
            return None
        seen = int(facts["version"])
        known = tuple((number, person, face, name) for number, person, face, name in facts["marks"])
        there = facts["scope"] == _scope(row) and row.changes_from <= seen <= row.version
        return seen if there and lineage.recognised(connection, row, known) else None

    def _key(self, row: GroupRow) -> bytes:
        return hashlib.sha256(b"mien index mark" + self._seed(row.seq)).digest()

    def _forget_deleted_groups(self) -> None:
        there = set(self._index.groups())
        with self._database.reading() as connection:
            gone = there - groups.existing(connection, there)
        for seq in gone:
            self._catch_up(seq)


def _scope(row: GroupRow) -> str:
    group, contract = row.group, row.group.contract
    facts = (group.scoring, group.created_at.isoformat(), contract.model, contract.source_sha256)
    return " ".join((*facts, str(contract.preprocessing), str(contract.dim)))


def _context(row: GroupRow) -> bytes:
    return f"mien index mark of group {row.seq}".encode()
