"""Marks: by which a copy of a group's faces recognises the history that it was taken from.

A database that was restored from a backup counts its changes on from an older number, so that the
number alone does not say that a copy is of this history. The last changes before it do: the faces
that they name have random ids.
"""

from __future__ import annotations

import sqlalchemy as sa

from mien.gallery.records.groups import GroupRow
from mien.gallery.records.schema import changes, faces, groups
from mien.gallery.records.vault import vault_of

__all__ = ["Mark", "data_key", "marks", "recognised"]

_KEPT = 200
_AT_ONCE = 500

Mark = tuple[int, int, int, str]
"""Number of a change, person, face, and the face's id ("" where it is gone)."""


def marks(connection: sa.Connection, row: GroupRow) -> tuple[Mark, ...]:
    """The newest changes of a group, as it is in this transaction."""
    rows = _changes(connection, row, below=row.version, limit=_KEPT)
    ids = _ids(connection, {face for _, _, face in rows})
    return tuple((number, person, face, ids.get(face, "")) for number, person, face in rows)


def recognised(connection: sa.Connection, row: GroupRow, known: tuple[Mark, ...]) -> bool:
    """Whether the group has that history, and maybe more since.

    Changes that are no longer in the log are passed over; there must be one that is.
    """
    kept = [mark for mark in known if row.changes_from < mark[0] <= row.version]
    if not kept:
        return False
    newest = max(mark[0] for mark in kept)
    now = _changes(connection, row, below=newest, limit=len(kept))
    if now != [mark[:3] for mark in kept]:
        return False
    ids = _ids(connection, {face for _, _, face, _ in kept})
    return all(ids.get(face, "") in (there, "") for _, _, face, there in kept)


def data_key(connection: sa.Connection, row: GroupRow) -> bytes | None:
    """The key that a copy is encrypted with: the application's; None where it has none yet.

    Raises:
        KeyMissing, KeyMismatch: the master key is not the gallery's.
    """
    query = sa.select(groups.c.application_seq).where(groups.c.seq == row.seq)
    application = int(connection.execute(query).scalar_one())
    return vault_of(connection).data_key(connection, application)


def _changes(
    connection: sa.Connection, row: GroupRow, *, below: int, limit: int
) -> list[tuple[int, int, int]]:
    query = (
        sa.select(changes.c.version, changes.c.person_seq, changes.c.face_seq)
        .where(changes.c.group_seq == row.seq, changes.c.version <= below)
        .order_by(changes.c.version.desc())
        .limit(limit)
    )
    return [(number, person, face) for number, person, face in connection.execute(query)]


def _ids(connection: sa.Connection, seqs: set[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    wanted = sorted(seqs)
    for start in range(0, len(wanted), _AT_ONCE):
        query = sa.select(faces.c.seq, faces.c.id).where(
            faces.c.seq.in_(wanted[start : start + _AT_ONCE])
        )
        found.update((seq, name) for seq, name in connection.execute(query))
    return found
