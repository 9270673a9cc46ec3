"""Agreement: whether the snapshot of an index holds what the records hold."""

from __future__ import annotations

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mien.errors import MienError
from mien.gallery.index import Entries
from mien.gallery.index.shelf import View
from mien.gallery.index.snapshots import Snapshots
from mien.gallery.records import changes, lineage, vectors
from mien.gallery.records.groups import GroupRow

__all__ = ["disagreement"]

_NEAR = 1e-3  # 24-bit fixed point is off by less than 1e-6


def disagreement(
    connection: sa.Connection, row: GroupRow, snapshots: Snapshots, *, scope: str
) -> str | None:
    """What is wrong with a group's snapshot; None: nothing, or there is none.

    Entries that changed since it was written are passed over: whoever loads it reads them anew.

    Args:
        connection: that sees one state.
        row: the group in that state.
        snapshots: where the snapshot is.
        scope: what it must have been made for.
    """
    key = lineage.data_key(connection, row)
    if key is None or not snapshots.exists(row.seq):
        return None
    try:
        facts, view = snapshots.look(row.seq, key=key)
    except (MienError, ValueError, KeyError, TypeError) as error:
        return error.message if isinstance(error, MienError) else "it is damaged"
    in_log = row.changes_from <= facts.version <= row.version
    if facts.scope != scope or not in_log or not lineage.recognised(connection, row, facts.marks):
        return "it is out of date, and will not be used"
    by_person = row.group.scoring == "mean"
    which = 0 if by_person else 1
    pairs = changes.changed(connection, row, after=facts.version)
    touched = np.array(sorted({pair[which] for pair in pairs}), np.int64)
    entries = vectors.person_entries if by_person else vectors.face_entries
    checked = 0
    for batch in entries(connection, row):
        wanted = ~np.isin(batch.ids, touched)
        part = Entries(batch.ids[wanted], batch.owners[wanted], batch.vectors[wanted])
        same = _same(view, part)
        if same < len(part):
            return f"{len(part) - same} of {len(part)} entries are missing or differ"
        checked += same
    living = sum(
        int((~np.isin(one.ids, touched)).sum())
        for one in [*(s for part in view.segments for s in part.living()), view.tail.living()]
    )
    if living != checked:
        return f"it holds {living - checked} entries that are not in the gallery"
    return None


def _same(view: View, wanted: Entries) -> int:
    """How many of the entries are in the view with their owner and vector."""
    good: NDArray[np.bool_] = np.zeros(len(wanted), np.bool_)
    order = np.argsort(wanted.ids)
    ids = wanted.ids[order]
    for segment in view.segments:
        rows = segment.find(ids)
        rows = rows[segment.alive[rows]]
        found = Entries(segment.ids[rows], segment.owners[rows], segment.vectors(rows))
        _mark(good, order, ids, found, wanted)
    tail = view.tail.living()
    _mark(good, order, ids, tail, wanted)
    return int(good.sum())


def _mark(
    good: NDArray[np.bool_],
    order: NDArray[np.intp],
    ids: NDArray[np.int64],
    found: Entries,
    wanted: Entries,
) -> None:
    there = np.isin(found.ids, ids)
    at = order[np.searchsorted(ids, found.ids[there])]
    owner = found.owners[there] == wanted.owners[at]
    off = np.abs(found.vectors[there] - wanted.vectors[at]).max(axis=1, initial=0.0)
    good[at[owner & (off <= _NEAR)]] = True
