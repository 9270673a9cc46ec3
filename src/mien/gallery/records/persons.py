"""Rows of persons and of their membership in groups."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from mien.errors import AlreadyExists, InvalidArgument, NotFound
from mien.gallery.model import GalleryLimits, Person
from mien.gallery.records import job_gone, job_names, repeats, undo
from mien.gallery.records.changes import announce
from mien.gallery.records.groups import GroupRow
from mien.gallery.records.schema import faces, groups, members, persons

__all__ = [
    "Membership",
    "PersonFacts",
    "PersonRow",
    "create",
    "delete",
    "exit_group",
    "find",
    "find_by_seq",
    "find_external",
    "insert",
    "join",
    "leave",
    "memberships",
    "page",
    "page_by_id",
    "refuse_taken_external",
    "rename",
    "update",
]


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A member of a group and its number."""

    seq: int
    person: Person


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """What the caller keeps with a person."""

    user_data: str | None = None
    external_id: str | None = None


class Membership(NamedTuple):
    """A group that a person is in: its number, its contract's, and the person's name in it."""

    group_seq: int
    contract_seq: int
    name: str


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
    """The member of that number.

    Raises:
        NotFound: there is none.
    """
    query = _MEMBERS.where(persons.c.seq == seq)
    found = connection.execute(query, _scope(row)).one_or_none()
    if found is None:
        raise NotFound(f"The person is no member of the group {row.group.name!r} any more.")
    return _row(found)


def find_external(connection: sa.Connection, row: GroupRow, external_id: str) -> PersonRow:
    """The member with that external id.

    Raises:
        NotFound: there is none.
    """
    query = _MEMBERS.where(persons.c.external_id == external_id)
    found = connection.execute(query, _scope(row)).one_or_none()
    if found is None:
        raise NotFound(
            f"There is no person with the external id {external_id!r} in the group "
            f"{row.group.name!r}."
        )
    return _row(found)


def page(
    connection: sa.Connection, row: GroupRow, *, anonymous: bool, after: str | None, limit: int
) -> list[Person]:
    """A group's persons by name, those after ``after``; either named or anonymous ones."""
    query = _MEMBERS.where(persons.c.anonymous.is_(anonymous))
    if after is not None:
        query = query.where(members.c.name > after)
    query = query.order_by(members.c.name).limit(limit)
    return [_row(found).person for found in connection.execute(query, _scope(row))]


def page_by_id(connection: sa.Connection, row: GroupRow, *, after: str, limit: int) -> list[Person]:
    """A group's named persons by id, those after ``after``."""
    query = _MEMBERS.where(persons.c.anonymous.is_(False), persons.c.id > after)
    query = query.order_by(persons.c.id).limit(limit)
    return [_row(found).person for found in connection.execute(query, _scope(row))]


def create(
    connection: sa.Connection,
    application_seq: int,
    row: GroupRow,
    name: str | None,
    *,
    limits: GalleryLimits,
    facts: PersonFacts | None = None,
) -> PersonRow:
    """A new person in a group; without a name an anonymous one, who is called by the id.

    Raises:
        AlreadyExists: the name is taken in the group, or the external id in the application.
        LimitExceeded: the group is full.
    """
    facts = facts or PersonFacts()
    person = Person(
        uuid.uuid4().hex,
        "" if name is None else name,
        0,
        datetime.now(UTC),
        anonymous=name is None,
        user_data=facts.user_data,
        external_id=facts.external_id,
    )
    seq = insert(connection, application_seq, person)
    join(connection, seq, row, name or person.id, limits=limits)
    return PersonRow(seq, replace(person, name=name or person.id))


def insert(connection: sa.Connection, application_seq: int, person: Person) -> int:
    """A person's row, in no group yet; returns its number.

    Raises:
        AlreadyExists: the external id is taken.
    """
    refuse_taken_external(connection, application_seq, person.external_id)
    values = persons.insert().values(
        id=person.id,
        application_seq=application_seq,
        anonymous=person.anonymous,
        created_at=person.created_at,
        user_data=person.user_data,
        external_id=person.external_id,
        last_seen_at=person.last_seen_at,
    )
    return int(connection.execute(values.returning(persons.c.seq)).scalar_one())


def update(connection: sa.Connection, application_seq: int, seq: int, facts: PersonFacts) -> None:
    """Replace what the caller keeps with a person.

    Raises:
        AlreadyExists: the external id is another person's.
    """
    refuse_taken_external(connection, application_seq, facts.external_id, but=seq)
    connection.execute(
        persons.update()
        .where(persons.c.seq == seq)
        .values(user_data=facts.user_data, external_id=facts.external_id)
    )


def rename(connection: sa.Connection, row: GroupRow, person: PersonRow, name: str) -> None:
    """Give a person another name in a group; an anonymous one is anonymous no more.

    Raises:
        AlreadyExists: the name is taken in the group.
    """
    _refuse_taken(connection, row, name)
    inside = (members.c.group_seq == row.seq, members.c.person_seq == person.seq)
    connection.execute(members.update().where(*inside).values(name=name))
    named = sa.exists().where(members.c.person_seq == persons.c.seq, members.c.name != persons.c.id)
    known = persons.update().where(persons.c.seq == person.seq)
    connection.execute(known.values(anonymous=sa.not_(named)))


def join(
    connection: sa.Connection, seq: int, target: GroupRow, name: str, *, limits: GalleryLimits
) -> None:
    """Make a person a member of ``target`` too, with all faces.

    Raises:
        AlreadyExists: a member of that name, or this person, is there already.
        LimitExceeded: ``target`` is full.
    """
    _refuse_taken(connection, target, name)
    inside = sa.select(members.c.name).filter_by(group_seq=target.seq, person_seq=seq)
    if connection.execute(inside).first() is not None:
        raise AlreadyExists(f"That person is in the group {target.group.name!r} already.")
    connection.execute(members.insert(), {"group_seq": target.seq, "person_seq": seq, "name": name})
    own = _faces_of(connection, seq, target.contract_seq)
    announce(connection, target.seq, own, faces_by=len(own), persons_by=1, limits=limits)


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
    exit_group(connection, person.seq, row.seq, row.contract_seq)


def exit_group(
    connection: sa.Connection, person_seq: int, group_seq: int, contract_seq: int
) -> None:
    """End a membership, even the last one."""
    own = _faces_of(connection, person_seq, contract_seq)
    connection.execute(
        members.delete().where(members.c.group_seq == group_seq, members.c.person_seq == person_seq)
    )
    announce(connection, group_seq, own, faces_by=-len(own), persons_by=-1)


def memberships(connection: sa.Connection, person_seq: int) -> list[Membership]:
    """The groups that a person is in."""
    query = (
        sa.select(members.c.group_seq, groups.c.contract_seq, members.c.name)
        .join(groups, groups.c.seq == members.c.group_seq)
        .where(members.c.person_seq == person_seq)
        .order_by(members.c.group_seq)
    )
    return [Membership(*found) for found in connection.execute(query)]


def delete(connection: sa.Connection, seq: int) -> list[int]:
    """Delete a person with all faces, in every group; returns those groups' numbers."""
    inside = memberships(connection, seq)
    job_gone.tell(connection, sa.select(persons.c.seq).where(persons.c.seq == seq))
    job_names.forget(connection, sa.select(persons.c.seq).where(persons.c.seq == seq))
    repeats.forget(connection, seq)
    for group in inside:
        exit_group(connection, seq, group.group_seq, group.contract_seq)
    undo.forget(connection, sa.select(persons.c.id).where(persons.c.seq == seq))
    connection.execute(persons.delete().where(persons.c.seq == seq))
    return [group.group_seq for group in inside]


def refuse_taken_external(
    connection: sa.Connection,
    application_seq: int,
    external_id: str | None,
    *,
    but: int | None = None,
) -> None:
    """Refuse an external id that a person of the application has, other than number ``but``.

    Raises:
        AlreadyExists: it is taken.
    """
    if external_id is None:
        return
    taken = sa.select(persons.c.seq, persons.c.id).filter_by(
        application_seq=application_seq, external_id=external_id
    )
    found = connection.execute(taken).one_or_none()
    if found is not None and found.seq != but:
        raise AlreadyExists(
            f"Another person has the external id {external_id!r}.",
            details={"person_id": found.id},
        )


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
