"""The change log: how an index that was filled earlier, here or elsewhere, catches up.

Every write to a group numbers the faces that it added or removed. The log says only *that* a face
changed; what it is now, the reader sees in the tables. So applying a change twice does no harm.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from mien.errors import LimitExceeded
from mien.gallery.model import GalleryLimits
from mien.gallery.policy import GroupSettings
from mien.gallery.records.groups import GroupRow
from mien.gallery.records.schema import changes, faces, groups, members

__all__ = ["KEPT", "announce", "changed", "start_anew"]

KEPT = 10_000
"""Changes that a group keeps at least; an index that is further behind is rebuilt."""


def announce(
    connection: sa.Connection,
    group_seq: int,
    pairs: Sequence[tuple[int, int]],
    *,
    faces_by: int = 0,
    persons_by: int = 0,
    limits: GalleryLimits | None = None,
) -> None:
    """Log ``(person_seq, face_seq)`` pairs that changed, and count faces and persons.

    Args:
        connection: of a transaction that writes.
        group_seq: the group.
        pairs: those.
        faces_by: by how much the number of faces changes; persons_by: that of persons.
        limits: the gallery's; None: the group only loses.

    Raises:
        LimitExceeded: it has more than the gallery's limits or its own settings allow.
    """
    after = connection.execute(
        groups.update()
        .where(groups.c.seq == group_seq)
        .values(
            version=groups.c.version + len(pairs),
            faces=groups.c.faces + faces_by,
            persons=groups.c.persons + persons_by,
        )
        .returning(
            groups.c.name,
            groups.c.version,
            groups.c.changes_from,
            groups.c.persons,
            groups.c.faces,
            groups.c.settings,
        )
    ).one()
    if limits is not None:
        settings = GroupSettings.from_stored(after.settings)
        if persons_by > 0:
            most = _least(limits.persons_per_group, settings.max_persons)
            _refuse_more(after.name, "persons", after.persons, most)
        if faces_by > 0:
            most = _least(limits.faces_per_group, settings.max_faces)
            _refuse_more(after.name, "faces", after.faces, most)
    first = after.version - len(pairs) + 1
    if pairs:
        connection.execute(
            changes.insert(),
            [
                {"group_seq": group_seq, "version": i, "person_seq": person, "face_seq": face}
                for i, (person, face) in enumerate(pairs, first)
            ],
        )
    if after.version - after.changes_from >= 2 * KEPT:
        _prune(connection, group_seq, after.version - KEPT)


def changed(connection: sa.Connection, row: GroupRow, *, after: int) -> list[tuple[int, int]]:
    """Pairs of person and face that changed after the version ``after``, each once."""
    query = (
        sa.select(changes.c.person_seq, changes.c.face_seq)
        .where(changes.c.group_seq == row.seq, changes.c.version > after)
        .distinct()
    )
    return [(person, face) for person, face in connection.execute(query)]


def start_anew(connection: sa.Connection, row: GroupRow, *, limits: GalleryLimits) -> int:
    """Number a change that every index must be rebuilt for, and count the group's faces again.

    Args:
        connection: of a transaction that writes.
        row: the group, as it was before the change.
        limits: the gallery's.

    Returns:
        How many faces the group has.

    Raises:
        LimitExceeded: it has more faces than before, and than the limits allow.
    """
    inside = sa.select(members.c.person_seq).where(members.c.group_seq == row.seq)
    now = sa.select(groups.c.contract_seq).where(groups.c.seq == row.seq).scalar_subquery()
    own = (faces.c.person_seq.in_(inside), faces.c.contract_seq == now)
    counted = sa.select(sa.func.count()).select_from(faces).where(*own)
    count = int(connection.execute(counted).scalar_one())
    if count > row.group.faces:
        most = _least(limits.faces_per_group, row.group.settings.max_faces)
        _refuse_more(row.group.name, "faces", count, most)
    start = row.version + 1  # an index that has seen less than this is rebuilt
    connection.execute(changes.delete().where(changes.c.group_seq == row.seq))
    connection.execute(
        groups.update()
        .where(groups.c.seq == row.seq)
        .values(version=start, changes_from=start, faces=count)
    )
    first = connection.execute(
        sa.select(faces.c.person_seq, faces.c.seq).where(*own).limit(1)
    ).first()
    if first is not None:  # by which a snapshot recognises this history
        announce(connection, row.seq, [(first.person_seq, first.seq)])
    return count


def _least(limit: int, own: int | None) -> int:
    return limit if own is None else min(limit, own)


def _refuse_more(group: str, what: str, count: int, limit: int) -> None:
    if count > limit:
        raise LimitExceeded(
            f"The group {group!r} may have {limit} {what}: delete some first.",
            details={"limit": limit},
        )


def _prune(connection: sa.Connection, group_seq: int, upto: int) -> None:
    connection.execute(
        changes.delete().where(changes.c.group_seq == group_seq, changes.c.version <= upto)
    )
    connection.execute(groups.update().where(groups.c.seq == group_seq).values(changes_from=upto))
