"""Tombstones: what must not come back from an older archive or backup, read in the audit log."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from mien.gallery.records.schema import audit
from mien.gallery.records.schema import persons as person_table

__all__ = ["Tombstones", "read"]

_AT_ONCE = 500
_ERASE, _WITHDRAW, _MERGE = "person.erase", "consent.withdraw", "person.merge"


@dataclass(frozen=True, slots=True)
class Tombstones:
    """What was erased or withdrawn.

    Attributes:
        persons: ids of the persons who were erased, and of those who had been merged into them;
            without those who are there again.
        faces: ids of the faces that went with them, whoever they belonged to before.
        consents: when which consent was withdrawn, by its id.
    """

    persons: frozenset[str] = frozenset()
    faces: frozenset[str] = frozenset()
    consents: Mapping[str, datetime] = field(default_factory=dict)

    def with_persons(self, ids: Iterable[str]) -> Tombstones:
        """These, and more persons."""
        return Tombstones(self.persons | frozenset(ids), self.faces, self.consents)

    def joined(self, other: Tombstones) -> Tombstones:
        """These and those."""
        return Tombstones(
            self.persons | other.persons,
            self.faces | other.faces,
            {**other.consents, **self.consents},
        )

    def __bool__(self) -> bool:
        return bool(self.persons or self.faces or self.consents)


def read(connection: sa.Connection, application_seq: int | None = None) -> Tombstones:
    """The tombstones in the log of an application; None: of all."""
    query = (
        sa.select(audit.c.action, audit.c.subject, audit.c.details, audit.c.at)
        .where(audit.c.action.in_((_ERASE, _WITHDRAW, _MERGE)))
        .order_by(audit.c.seq)
    )
    if application_seq is not None:
        query = query.where(audit.c.application_seq == application_seq)
    persons: set[str] = set()
    faces: set[str] = set()
    consents: dict[str, datetime] = {}
    merged: dict[str, set[str]] = {}
    for row in connection.execute(query):
        details = json.loads(row.details)
        if row.action == _MERGE:
            merged.setdefault(row.subject, set()).add(str(details.get("other")))
        elif row.action == _ERASE:
            persons.add(row.subject)
            faces.update(details.get("face_ids", ()))
        else:
            consents.setdefault(str(details.get("consent")), row.at)
    waiting = list(persons)
    while waiting:
        new = merged.get(waiting.pop(), set()) - persons
        persons |= new
        waiting += new
    persons -= _living(connection, sorted(persons))
    return Tombstones(frozenset(persons), frozenset(faces), consents)


def _living(connection: sa.Connection, ids: list[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        query = sa.select(person_table.c.id).where(person_table.c.id.in_(part))
        found.update(connection.execute(query).scalars())
    return found
