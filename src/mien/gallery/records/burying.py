"""Taking out of a restored gallery what was erased, or withdrawn, since its backup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from mien.gallery.records import audit, consents, kept, persons
from mien.gallery.records.changes import announce
from mien.gallery.records.faces import groups_with
from mien.gallery.records.schema import consents as consent_table
from mien.gallery.records.schema import faces as face_table
from mien.gallery.records.schema import persons as person_table
from mien.gallery.records.tombstones import Tombstones

__all__ = ["Buried", "bury"]

_AT_ONCE = 500


@dataclass(slots=True)
class Buried:
    """How many persons, faces and consents were taken out."""

    persons: int = 0
    faces: int = 0
    consents: int = 0


def bury(connection: sa.Connection, stones: Tombstones, *, actor: str) -> Buried:
    """Erase again who is there again, and write it into the log that is there now.

    Args:
        connection: of a transaction that writes to the whole gallery.
        stones: what must not be there.
        actor: who acts, for the log.
    """
    buried = Buried()
    for part in _parts(sorted(stones.persons)):
        query = sa.select(person_table).where(person_table.c.id.in_(part))
        for row in connection.execute(query).all():
            gone = kept.face_ids(connection, row.seq)
            persons.delete(connection, row.seq)
            audit.append(
                connection,
                application_seq=row.application_seq,
                actor=actor,
                action="person.erase",
                subject=row.id,
                details={"again": True, "face_ids": gone},
            )
            buried.persons += 1
            buried.faces += len(gone)
    for part in _parts(sorted(stones.faces)):
        query = sa.select(face_table).where(face_table.c.id.in_(part))
        for row in connection.execute(query).all():
            inside = groups_with(connection, row.person_seq, row.contract_seq)
            connection.execute(face_table.delete().where(face_table.c.seq == row.seq))
            for group_seq in inside:
                announce(connection, group_seq, [(row.person_seq, row.seq)], faces_by=-1)
            buried.faces += 1
    _withdraw(connection, stones, buried, actor)
    return buried


def _withdraw(connection: sa.Connection, stones: Tombstones, buried: Buried, actor: str) -> None:
    for part in _parts(sorted(stones.consents)):
        query = (
            sa.select(consent_table, person_table.c.id.label("person_id"))
            .join(person_table, person_table.c.seq == consent_table.c.person_seq)
            .where(consent_table.c.id.in_(part), consent_table.c.withdrawn_at.is_(None))
        )
        for row in connection.execute(query).all():
            moment = stones.consents[row.id]
            consents.withdraw(connection, row.id, at=moment)
            left = consents.uncovered(connection, row.person_seq, at=moment)
            kept.take_out(connection, row.person_seq, left)
            audit.append(
                connection,
                application_seq=row.application_seq,
                actor=actor,
                action="consent.withdraw",
                subject=row.person_id,
                details={"again": True, "consent": row.id, "groups_left": len(left)},
            )
            buried.consents += 1


def _parts(items: Sequence[str]) -> Iterator[Sequence[str]]:
    return (items[i : i + _AT_ONCE] for i in range(0, len(items), _AT_ONCE))
