"""Rows of persons and of their membership in groups."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from mien.errors import AlreadyExists, InvalidArgument, LimitExceeded, NotFound
from mien.gallery.model import Person
from mien.gallery.records.changes import announce
from mien.gallery.records.groups import GroupRow
from mien.gallery.records.schema import faces, groups, members, persons

__all__ = ["PersonRow", "create", "delete", "find", "find_by_seq", "join", "leave", "page"]


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A member of a group and its number."""

    seq: int
    person: Person


_FACES = (
    sa.select(sa.func.count())
    .where(
        faces.c.person_seq == persons.c.seq,
        faces.c.contract_seq == sa.bindparam("contract_seq"),
    )
    .correlate(persons)
    .scalar_subquery()
)
_MEMBERS = (
    sa.select(
        persons.c.seq,
        persons.c.id,
        members.c.name,
        persons.c.created_at,
        persons.c.anonymous,
        persons.c.user_data,
        persons.c.external_id,
        persons.c.last_seen_at,
        _FACES.label("faces"),
    )
    .join(members, members.c.person_seq == persons.c.seq)
    .where(members.c.group_seq == sa.bindparam("group_seq"))
)
_BY_NAME = _MEMBERS.where(members.c.name == sa.bindparam("name"))
_BY_ID = _MEMBERS.where(persons.c.id == sa.bindparam("id"))


def find(connection: sa.Connection, row: GroupRow, name_or_id: str) -> PersonRow:
    """The member of that name, or else of that id.

    Raises:
        NotFound: there is none.
    """
    scope = _scope(row)
    found = connection.execute(_BY_NAME, {**scope, "name": name_or_id}).one_or_none()
    if found is None:
        found = connection.execute(_BY_ID, {**scope, "id": name_or_id}).one_or_none()
    if found is None:
        raise NotFound(f"There is no person {name_or_id!r} in the group {row.group.name!r}.")
    return _row(found)


def find_by_seq(connection: sa.Connection, row: GroupRow, seq: int) -> PersonRow:
    """The member of that number, who must be there."""
    query = _MEMBERS.where(persons.c.seq == seq)
    return _row(connection.execute(query, _scope(row)).one())


def page(
    connection: sa.Connection, row: GroupRow, *, after: str | None, limit: int
) -> list[Person]:
    """A group's persons by name, those after ``after``; anonymous ones are left out."""
    query = _MEMBERS.where(persons.c.anonymous.is_(False))
    if after is not None:
        query = query.where(members.c.name > after)
    query = query.order_by(members.c.name).limit(limit)
    return [_row(found).person for found in connection.execute(query, _scope(row))]


def create(
    connection: sa.Connection, application_seq: int, row: GroupRow, name: str, *, limit: int
) -> PersonRow:
    """A new person in a group.

    Raises:
        AlreadyExists: the name is taken in the group.
        LimitExceeded: the group has ``limit`` persons.
    """
    now = datetime.now(UTC)
    person_id = uuid.uuid4().hex
    _refuse_taken(connection, row, name)
    seq = connection.execute(
        persons.insert()
        .values(id=person_id, application_seq=application_seq, anonymous=False, created_at=now)
        .returning(persons.c.seq)
    ).scalar_one()
    _enter(connection, row, seq, name, limit=limit, own=[])
    return PersonRow(seq, Person(person_id, name, 0, now))


def join(
    connection: sa.Connection,
    person: PersonRow,
    target: GroupRow,
    *,
    limit: int,
    face_limit: int,
) -> None:
    """Make a person a member of ``target`` too, under the same name, with all faces.

    Raises:
        AlreadyExists: a member of that name, or this person, is there already.
        LimitExceeded: ``target`` is full.
    """
    _refuse_taken(connection, target, person.person.name)
    inside = sa.select(members.c.name).filter_by(group_seq=target.seq, person_seq=person.seq)
    if connection.execute(inside).first() is not None:
        raise AlreadyExists(f"That person is in the group {target.group.name!r} already.")
    own = _faces_of(connection, person.seq, target.contract_seq)
    count = _enter(connection, target, person.seq, person.person.name, limit=limit, own=own)
    if count > face_limit:
        raise LimitExceeded(
            f"The group {target.group.name!r} may have {face_limit} faces: delete some first.",
            details={"limit": face_limit},
        )


def leave(connection: sa.Connection, row: GroupRow, person: PersonRow) -> None:
    """Take a person out of a group that is not the only one.

    Raises:
        InvalidArgument: it is the person's only group.
    """
    count = sa.select(sa.func.count()).where(members.c.person_seq == person.seq)
    if connection.execute(count).scalar_one() < 2:
        raise InvalidArgument(
            f"{person.person.name!r} is in no other group than {row.group.name!r}: delete the "
            "person instead."
        )
    own = _faces_of(connection, person.seq, row.contract_seq)
    connection.execute(
        members.delete().where(members.c.group_seq == row.seq, members.c.person_seq == person.seq)
    )
    announce(connection, row.seq, own, faces_by=-len(own), persons_by=-1)


def delete(connection: sa.Connection, seq: int) -> list[int]:
    """Delete a person with all faces, in every group; returns those groups' numbers."""
    inside = connection.execute(
        sa.select(members.c.group_seq, groups.c.contract_seq)
        .join(groups, groups.c.seq == members.c.group_seq)
        .where(members.c.person_seq == seq)
    ).all()
    for group_seq, contract_seq in inside:
        own = _faces_of(connection, seq, contract_seq)
        announce(connection, group_seq, own, faces_by=-len(own), persons_by=-1)
    connection.execute(persons.delete().where(persons.c.seq == seq))
    return [group_seq for group_seq, _ in inside]


def _enter(
    connection: sa.Connection,
    row: GroupRow,
    seq: int,
    name: str,
    *,
    limit: int,
    own: list[tuple[int, int]],
) -> int:
    connection.execute(members.insert(), {"group_seq": row.seq, "person_seq": seq, "name": name})
    count, face_count = announce(connection, row.seq, own, faces_by=len(own), persons_by=1)
    if count > limit:
        raise LimitExceeded(
            f"The group {row.group.name!r} may have {limit} persons: delete one first.",
            details={"limit": limit},
        )
    return face_count


def _refuse_taken(connection: sa.Connection, row: GroupRow, name: str) -> None:
    taken = (
        sa.select(persons.c.id)
        .join(members, members.c.person_seq == persons.c.seq)
        .where(members.c.group_seq == row.seq, members.c.name == name)
    )
    person_id = connection.execute(taken).scalar()
    if person_id is not None:
        raise AlreadyExists(
            f"There is a person {name!r} in the group {row.group.name!r} already.",
            details={"person_id": person_id},
        )


def _faces_of(
    connection: sa.Connection, person_seq: int, contract_seq: int
) -> list[tuple[int, int]]:
    query = sa.select(faces.c.seq).filter_by(person_seq=person_seq, contract_seq=contract_seq)
    return [(person_seq, face) for face in connection.execute(query).scalars()]


def _scope(row: GroupRow) -> dict[str, Any]:
    return {"group_seq": row.seq, "contract_seq": row.contract_seq}


def _row(row: sa.Row[*tuple[Any, ...]]) -> PersonRow:
    person = Person(
        row.id,
        row.name,
        row.faces,
        row.created_at,
        row.anonymous,
        row.user_data,
        row.external_id,
        row.last_seen_at,
    )
    return PersonRow(row.seq, person)
