"""The change log: how an index that was filled earlier, here or elsewhere, catches up.

Every write to a group numbers the faces that it added or removed. The log says only *that* a face
changed; what it is now, the reader sees in the tables. So applying a change twice does no harm.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from mien.gallery.records.groups import GroupRow
from mien.gallery.records.schema import changes, groups

__all__ = ["KEPT", "announce", "changed"]

KEPT = 10_000
"""Changes that a group keeps at least; an index that is further behind is rebuilt."""


def announce(
    connection: sa.Connection,
    group_seq: int,
    faces: Sequence[tuple[int, int]],
    *,
    faces_by: int = 0,
    persons_by: int = 0,
) -> tuple[int, int]:
    """Log ``(person_seq, face_seq)`` pairs that changed, and count faces and persons.

    Returns:
        The numbers of persons and faces that the group now has.
    """
    after = connection.execute(
        groups.update()
        .where(groups.c.seq == group_seq)
        .values(
            version=groups.c.version + len(faces),
            faces=groups.c.faces + faces_by,
            persons=groups.c.persons + persons_by,
        )
        .returning(groups.c.version, groups.c.changes_from, groups.c.persons, groups.c.faces)
    ).one()
    first = after.version - len(faces) + 1
    if faces:
        connection.execute(
            changes.insert(),
            [
                {"group_seq": group_seq, "version": i, "person_seq": person, "face_seq": face}
                for i, (person, face) in enumerate(faces, first)
            ],
        )
    if after.version - after.changes_from >= 2 * KEPT:
        _prune(connection, group_seq, after.version - KEPT)
    return after.persons, after.faces


def changed(connection: sa.Connection, row: GroupRow, *, after: int) -> list[tuple[int, int]]:
    """Pairs of person and face that changed after the version ``after``, each once."""
    query = (
        sa.select(changes.c.person_seq, changes.c.face_seq)
        .where(changes.c.group_seq == row.seq, changes.c.version > after)
        .distinct()
    )
    return [(person, face) for person, face in connection.execute(query)]


def _prune(connection: sa.Connection, group_seq: int, upto: int) -> None:
    connection.execute(
        changes.delete().where(changes.c.group_seq == group_seq, changes.c.version <= upto)
    )
    connection.execute(groups.update().where(groups.c.seq == group_seq).values(changes_from=upto))
