"""Search: finds the persons that probes are most like, in an index level with the records."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mien.errors import EmbeddingMismatch, NotFound
from mien.gallery.follower import Follower, SnapshotPolicy
from mien.gallery.index import Neighbours, VectorIndex
from mien.gallery.index.snapshots import Snapshots
from mien.gallery.model import Hit
from mien.gallery.records import groups, vectors
from mien.gallery.records.database import Database
from mien.gallery.records.groups import GroupRow
from mien.gallery.shared import SharedFollower, SharedIndex

__all__ = ["Searcher"]

_AGAIN = 16
"""So often is a search repeated whose persons were deleted, moved or merged under it."""


class Searcher:
    """Searches the groups of a database. Safe to call from several threads at once.

    A group's vectors are loaded at its first search: from its snapshot, where there is one, or
    else from the records. Before every search the group's version (one indexed read, which finds
    the group anyway) is compared with the one that the index has; only what changed since is
    read. Names are read when the vectors have been searched; where some of what was found is gone
    by then, the search is repeated. So a search sees every write that was acknowledged before it
    began, of whichever process; of writes that go on meanwhile it may see some and not others.

    Whoever opens a gallery calls :meth:`wipe` after each write that takes a face out of a group
    (deletes it, its person or the group, or moves it), and :meth:`close` before the database is
    closed.

    Args:
        database: of the records.
        index: what is searched.
        snapshots: where the index is kept between starts, encrypted with the key of each
            application; None: nowhere.
        policy: when snapshots are written; None: as it is best.
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
        self._follower: Follower | SharedFollower
        if isinstance(index, SharedIndex):
            self._follower = SharedFollower(database, index)
        else:
            self._follower = Follower(database, index, snapshots=snapshots, policy=policy)

    def search(self, row: GroupRow, probes: NDArray[np.float32], *, k: int) -> list[list[Hit]]:
        """The k persons most like each probe, ``(n, d)``, best first.

        Raises:
            NotFound: the group was deleted meanwhile.
            EmbeddingMismatch: the group was moved to another embedding contract meanwhile.
        """
        hits, is_whole = self._try(row, probes, k)
        for _ in range(_AGAIN):
            if is_whole:
                break
            # The person may be there with another face, or there are k others. If nobody wrote,
            # it is the index that holds what is not there: the same would be found again.
            newer = self._now(row)
            if newer.version == row.version:
                break
            row = newer
            hits, is_whole = self._try(row, probes, k)
        return hits

    def follow(self, group_seq: int) -> None:
        """Put what was just written into the index, so that the next search need not wait for it.

        It is no more than a help: a search reads what is missing anyway.
        """
        self._follower.follow(group_seq)

    def wipe(self, group_seqs: Iterable[int]) -> None:
        """Drop what was deleted from those groups, at once: from memory, and from snapshots.

        Raises:
            GalleryUnavailable: a snapshot can neither be changed nor deleted; it says which folder
                still holds what was deleted.
        """
        self._follower.wipe(group_seqs)

    def rebuild(self, row: GroupRow) -> bool:
        """Fill a group's index from the records alone; whether it is kept between starts."""
        return self._follower.rebuild(row)

    def fault(self, connection: sa.Connection, row: GroupRow) -> str | None:
        """What is wrong with what is kept of a group's index; None: nothing."""
        return self._follower.fault(connection, row)

    def close(self) -> None:
        """Write the snapshots that are due; the database must still be open."""
        self._follower.close()

    def _try(
        self, row: GroupRow, probes: NDArray[np.float32], k: int
    ) -> tuple[list[list[Hit]], bool]:
        """What one pass through index and records finds, and whether no write came between."""
        k = min(k, row.group.persons)
        if not k or not row.group.faces:
            return [[] for _ in probes], True
        self._follower.freshen(row)
        if not self._follower.holds(row):
            raise _moved(row)
        try:
            found = self._index.search(row.seq, probes, k=k)
        except Exception:
            if not self._follower.holds(row):  # vectors of another length
                raise _moved(row) from None
            raise
        if not self._follower.holds(row):
            raise _moved(row)
        return self._named(row, found)

    def _named(self, row: GroupRow, found: Neighbours) -> tuple[list[list[Hit]], bool]:
        """What was found, with names; and whether all of it still is there, each person once."""
        wanted = np.unique(found.ids[found.ids >= 0]).tolist()
        by_person = row.group.scoring == "mean"
        owners_of = vectors.person_owners if by_person else vectors.face_owners
        with self._database.reading() as connection:
            owners = owners_of(connection, row, wanted)
        hits: list[list[Hit]] = []
        for ids, similarity in zip(found.ids.tolist(), found.similarity.tolist(), strict=True):
            best: dict[str, Hit] = {}  # persons may have been merged since
            for number, score in zip(ids, similarity, strict=True):
                if (owner := owners.get(number)) is not None:
                    person, own = owner.person_id, (owner.face_id, _clipped(score), owner.norm)
                    best.setdefault(person, Hit(owner.person, person, *own))
            hits.append([*best.values()])
        return hits, sum(map(len, hits)) == int((found.ids >= 0).sum())

    def _now(self, row: GroupRow) -> GroupRow:
        with self._database.reading() as connection:
            newer = groups.find_by_seq(connection, row.seq)
        if newer is None:
            raise NotFound(f"There is no group {row.group.name!r}.")
        if newer.contract_seq != row.contract_seq:
            raise _moved(row)
        return newer


def _moved(row: GroupRow) -> EmbeddingMismatch:
    name = row.group.name
    return EmbeddingMismatch(
        f"The group {name!r} was moved to another recognition model during the search: search "
        "again, with a probe of that model.",
        details={"group": name, "given_model": row.group.contract.model},
    )


def _clipped(similarity: float) -> float:
    """Float32 rounding must not make a similarity of more than 1."""
    return max(-1.0, min(1.0, similarity))
