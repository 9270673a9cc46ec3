"""Follower: keeps an index level with the records, and its snapshots free of what was deleted."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from mien import config
from mien.errors import GalleryUnavailable, MienError, NotFound
from mien.gallery.agreement import disagreement
from mien.gallery.index import ExactIndex, VectorIndex
from mien.gallery.index.snapshot import Facts
from mien.gallery.index.snapshots import Snapshots
from mien.gallery.records import changes, groups, lineage, vectors
from mien.gallery.records.database import Database
from mien.gallery.records.groups import GroupRow
from mien.gallery.records.secrets import index_name

__all__ = ["Follower", "SnapshotPolicy"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SnapshotPolicy:
    """When a snapshot is written.

    Attributes:
        least: numbers (faces times the length of a vector) of a group that is worth one.
        behind: changes since the last one, after which a closing gallery writes another.
        far_behind: changes after which one is written while the gallery is open,
        quiet_s: if the last one was written, or deleted, so long ago.
        patch_s: what is deleted is overwritten in the snapshot; when it was so shortly before,
            the snapshot is deleted instead: many deletions are cheaper so.
    """

    least: int = 2**20
    behind: float = 500
    far_behind: float = changes.KEPT // 2
    quiet_s: float = 60.0
    patch_s: float = 2.0


@dataclass(slots=True)
class _Saved:
    """What is known of a group's snapshot."""

    version: int | None = None  # None: there is none
    at: float = -1e9  # when it was written or deleted, monotonic seconds
    patched_at: float = -1e9


class Follower:
    """Keeps an index level with the records. Safe to call from several threads at once.

    Args:
        database: of the records.
        index: what is kept level.
        snapshots: where what the index holds is kept between starts, if it is an ``ExactIndex``;
            None: beside the database's file (``gallery.db-index``), or in the data folder.
        policy: when they are written.
    """

    def __init__(
        self,
        database: Database,
        index: VectorIndex,
        *,
        snapshots: Snapshots | None = None,
        policy: SnapshotPolicy | None = None,
    ) -> None:
        self._database = database
        self._index = index
        self._memory = index if isinstance(index, ExactIndex) else None
        self._snapshots = (snapshots or _place(database)) if self._memory is not None else None
        self._policy = policy or SnapshotPolicy()
        self._versions: dict[int, int] = {}
        self._contracts: dict[int, int] = {}  # of what the index holds; none while it is replaced
        self._saved: defaultdict[int, _Saved] = defaultdict(_Saved)
        self._locks: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)
        self._guard = threading.Lock()
        self._saver: threading.Thread | None = None
        self._closed = False

    def freshen(self, row: GroupRow) -> None:
        """Make the index hold at least what the records held when ``row`` was read.

        Raises:
            NotFound: the group has been deleted since.
        """
        seen = self._versions.get(row.seq)
        if seen != row.version:
            if seen is None:
                self._forget_deleted_groups()
            if not self._catch_up(row.seq):
                raise NotFound(f"There is no group {row.group.name!r}.")
        self._save_in_time(row.seq)

    def follow(self, group_seq: int) -> None:
        """Bring the index level with the records, if it holds the group; never raises."""
        if group_seq in self._versions:
            with contextlib.suppress(GalleryUnavailable):  # the next search says so
                self._catch_up(group_seq)

    def holds(self, row: GroupRow) -> bool:
        """Whether the index holds embeddings of the contract that ``row`` has.

        A search whose answer must be of one contract asks before and after it.
        """
        return self._contracts.get(row.seq) == row.contract_seq

    def wipe(self, group_seqs: Iterable[int]) -> None:
        """Drop what was deleted from those groups, at once: from memory, and from snapshots.

        Raises:
            GalleryUnavailable: a snapshot can neither be changed nor deleted.
        """
        for seq in group_seqs:
            self.follow(seq)  # the deletion is committed: if this fails, the next search does it
            self._erase(seq)

    def rebuild(self, row: GroupRow) -> bool:
        """Fill a group's index from the records alone, and write its snapshot anew.

        Returns:
            Whether there is a snapshot now; a small group needs none.
        """
        with self._lock_of(row.seq), self._database.snapshot() as connection:
            found = groups.find_by_seq(connection, row.seq)
            if found is None:
                self._forget(row.seq)
                return False
            self._drop(row.seq)
            self._versions.pop(row.seq, None)
            self._raise_to(connection, found)
        if self._behind(row.seq) > 0:
            self._save(row.seq)
        return self._saved[row.seq].version is not None

    def fault(self, connection: sa.Connection, row: GroupRow) -> str | None:
        """What is wrong with a group's snapshot; None: nothing, or there is none."""
        if self._snapshots is None:
            return None
        return disagreement(connection, row, self._snapshots, scope=_scope(row))

    def close(self) -> None:
        """Write the snapshots that are due; the database must still be open."""
        with self._guard:
            self._closed = True
            saver = self._saver
        if saver is not None:
            saver.join()
        if self._memory is not None:
            self._memory.close()
        for seq in list(self._versions):
            if self._behind(seq) > self._policy.behind:
                try:
                    self._save(seq)
                except MienError as error:
                    _log.warning("The index's snapshot of group %d is not written: %s", seq, error)

    # ---------------------------------------------------------------- the index

    def _catch_up(self, seq: int) -> bool:
        """Bring the index level with the records; False if the group is gone."""
        with self._lock_of(seq), self._database.snapshot() as connection:
            row = groups.find_by_seq(connection, seq)
            if row is None:
                self._forget(seq)
                return False
            self._raise_to(connection, row)
            return True

    def _raise_to(self, connection: sa.Connection, row: GroupRow) -> None:
        """As :meth:`_catch_up`, with the group's lock held and its row read."""
        seq, seen = row.seq, self._versions.get(row.seq)
        if seen == row.version:
            return
        if not self.holds(row):
            self._contracts.pop(seq, None)
        by_person = row.group.scoring == "mean"
        entries = vectors.person_entries if by_person else vectors.face_entries
        if seen is None:
            seen = self._restored(connection, row)
        if seen is None or not row.changes_from <= seen <= row.version:
            self._index.rebuild(seq, entries(connection, row))
        else:
            touched = _touched(connection, row, after=seen)
            gone = set(touched)
            for batch in entries(connection, row, touched):
                self._index.upsert(seq, batch)
                gone.difference_update(batch.ids.tolist())
            self._index.delete(seq, np.array(sorted(gone), np.int64))
        self._contracts[seq] = row.contract_seq
        self._versions[seq] = row.version

    def _forget_deleted_groups(self) -> None:
        loaded = set(self._versions)
        kept = set(self._snapshots.groups()) if self._snapshots is not None else set()
        with self._database.reading() as connection:
            gone = (loaded | kept) - groups.existing(connection, loaded | kept)
        for seq in gone & loaded:
            self._catch_up(seq)
        for seq in gone & kept:
            self._erase(seq)

    def _forget(self, seq: int) -> None:
        self._versions.pop(seq, None)
        self._contracts.pop(seq, None)
        self._index.rebuild(seq, ())

    def _lock_of(self, seq: int) -> threading.Lock:
        with self._guard:
            return self._locks[seq]

    # ---------------------------------------------------------------- its snapshots

    def _restored(self, connection: sa.Connection, row: GroupRow) -> int | None:
        """Fill the index from a snapshot; the number of the last change that is in it."""
        if self._snapshots is None or self._memory is None or not self._snapshots.exists(row.seq):
            return None
        key = lineage.data_key(connection, row)
        if key is None:
            return None

        def fits(facts: Facts) -> bool:
            there = row.changes_from <= facts.version <= row.version
            same = facts.scope == _scope(row)
            return there and same and lineage.recognised(connection, row, facts.marks)

        found = self._snapshots.load(row.seq, key=key, fits=fits)
        if found is None:
            return None
        facts, view = found
        self._memory.restore(row.seq, view)
        self._saved[row.seq] = _Saved(facts.version)
        return facts.version

    def _save_in_time(self, seq: int) -> None:
        """Write a snapshot in the background where one is due."""
        if self._snapshots is None or self._saver is not None:
            return
        is_quiet = time.monotonic() - self._saved[seq].at > self._policy.quiet_s
        if is_quiet and self._behind(seq) > self._policy.far_behind:
            with self._guard:
                if self._saver is None and not self._closed:
                    self._saver = threading.Thread(
                        target=self._save_behind, args=(seq,), name="mien-snapshot", daemon=True
                    )
                    self._saver.start()

    def _save_behind(self, seq: int) -> None:
        try:
            self._save(seq)
        except Exception:
            _log.exception("The index's snapshot of group %d could not be written.", seq)
        finally:
            self._saver = None

    def _behind(self, seq: int) -> float:
        """How many changes a group's snapshot is behind; 0 where none is wanted."""
        view = self._memory.view(seq) if self._memory is not None else None
        if self._snapshots is None or view is None or view.numbers < self._policy.least:
            return 0
        saved = self._saved[seq].version
        return np.inf if saved is None else self._versions.get(seq, saved) - saved

    def _save(self, seq: int) -> None:
        """Write a group's snapshot, as the group is now."""
        if self._snapshots is None or self._memory is None:
            return
        with self._lock_of(seq), self._database.snapshot() as connection:
            row = groups.find_by_seq(connection, seq)
            key = None if row is None else lineage.data_key(connection, row)
            if row is None or key is None:
                self._saved[seq].at = time.monotonic()
                return
            self._raise_to(connection, row)
            view = self._memory.view(seq)
            seen = lineage.marks(connection, row)
        if view is None:
            return
        facts = Facts(row.version, row.version, _scope(row), seen)
        # Searches and writes go on. Whoever deletes meanwhile does not know this file yet: so
        # before anybody else can read it, what was deleted since is deleted from it.
        written = self._snapshots.save(seq, view, facts, key=key, then=lambda: self._overwrite(seq))
        saved = self._saved[seq]
        saved.at = time.monotonic()
        if written and self._snapshots.exists(seq):
            saved.version = row.version

    def _erase(self, seq: int) -> None:
        """Overwrite in a group's snapshot what has changed since it was written, or delete it."""
        if self._snapshots is None:
            return
        self._snapshots.sweep(seq)
        if not self._snapshots.exists(seq):
            return
        saved, now = self._saved[seq], time.monotonic()
        if now - saved.patched_at < self._policy.patch_s:
            self._drop(seq)
            return
        try:
            with self._snapshots.alone(seq):
                self._overwrite(seq)
        except (MienError, OSError):  # such as a key that is not at hand
            self._drop(seq)
        saved.patched_at = now

    def _overwrite(self, seq: int) -> None:
        """The same, where nobody else has the file."""
        assert self._snapshots is not None
        with self._database.snapshot() as connection:
            row = groups.find_by_seq(connection, seq)
            key = None if row is None else lineage.data_key(connection, row)
            facts = None if key is None else self._snapshots.facts(seq, key=key)
            if row is None or key is None or facts is None or not _follows(facts, row):
                self._drop(seq)
            elif facts.erased < row.version:
                ids = np.array(_touched(connection, row, after=facts.erased), np.int64)
                self._snapshots.erase(seq, ids, upto=row.version, key=key)

    def _drop(self, seq: int) -> None:
        if self._snapshots is not None:
            self._snapshots.drop(seq)
        self._saved[seq] = _Saved(None, time.monotonic())


def _place(database: Database) -> Snapshots:
    """Beside the database's file; that of a server has a place in this machine's data folder."""
    if database.file is not None:
        return Snapshots(database.file.with_name(f"{database.file.name}-index"))
    return Snapshots(config.load().data_dir / "index" / index_name(database))


def _touched(connection: sa.Connection, row: GroupRow, *, after: int) -> list[int]:
    """Numbers in the index of the entries that changed after the change ``after``."""
    which = 0 if row.group.scoring == "mean" else 1
    return sorted({pair[which] for pair in changes.changed(connection, row, after=after)})


def _follows(facts: Facts, row: GroupRow) -> bool:
    """Whether all changes since a snapshot are still in the log."""
    return facts.scope == _scope(row) and row.changes_from <= facts.erased <= row.version


def _scope(row: GroupRow) -> str:
    group, contract = row.group, row.group.contract
    facts = (group.scoring, group.created_at.isoformat(), contract.model, contract.source_sha256)
    return " ".join((*facts, str(contract.preprocessing), str(contract.dim)))
