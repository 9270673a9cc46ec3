"""Steps: the small changes of which every undo is made, each with its maker, and how they are run.

A step names persons and faces by their ids and groups by their numbers, all inside one application.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from mien.errors import NotFound
from mien.gallery.model import GalleryLimits, Person
from mien.gallery.policy import GroupSettings
from mien.gallery.records import consents, faces, groups, moves, persons, undo
from mien.gallery.records.faces import FaceFacts
from mien.gallery.records.groups import GroupFacts, GroupRow
from mien.gallery.records.persons import PersonFacts, PersonRow
from mien.gallery.records.schema import consents as consent_rows
from mien.gallery.records.schema import faces as face_rows
from mien.gallery.records.schema import persons as person_rows
from mien.gallery.records.undo import Step

__all__ = [
    "dissolve",
    "hand",
    "join",
    "join_again",
    "leave",
    "merge",
    "rename_group",
    "rename_person",
    "run",
    "set_face",
    "set_group",
    "set_person",
]


def rename_group(name: str) -> Step:
    """The group is called ``name`` again."""
    return {"do": "rename_group", "name": name}


def set_group(facts: GroupFacts) -> Step:
    """The group has those settings and user data again."""
    return {"do": "set_group", "settings": facts.settings.stored(), "user_data": facts.user_data}


def rename_person(person_id: str, name: str) -> Step:
    """The person is called ``name`` again in the group."""
    return {"do": "rename_person", "person": person_id, "name": name}


def set_person(person_id: str, facts: PersonFacts) -> Step:
    """The person has those facts again."""
    return {
        "do": "set_person",
        "person": person_id,
        "user_data": facts.user_data,
        "external_id": facts.external_id,
    }


def set_face(face_id: str, person_id: str, facts: FaceFacts) -> Step:
    """The face has those facts again."""
    return {
        "do": "set_face",
        "face": face_id,
        "person": person_id,
        "user_data": facts.user_data,
        "external_image_id": facts.external_image_id,
    }


def join(person_id: str, group_seq: int, name: str) -> Step:
    """The person is a member of that group again."""
    return {"do": "join", "person": person_id, "group": group_seq, "name": name}


def leave(person_id: str, group_seq: int) -> Step:
    """The person is no member of that group any more."""
    return {"do": "leave", "person": person_id, "group": group_seq}


def hand(face_ids: Sequence[str] | None, source_id: str, target_id: str) -> Step:
    """Faces that ``source_id`` has are ``target_id``'s again; None: all."""
    ids = None if face_ids is None else list(face_ids)
    return {"do": "hand", "faces": ids, "from": source_id, "to": target_id}


def join_again(part_id: str, whole_id: str) -> list[Step]:
    """Whatever ``part_id`` has is ``whole_id``'s, and ``part_id`` is gone."""
    return [
        hand(None, part_id, whole_id),
        {"do": "consents", "ids": None, "from": part_id, "to": whole_id},
        {"do": "remove", "person": part_id, "heir": whole_id},
    ]


def dissolve(connection: sa.Connection, person: PersonRow, heir_id: str) -> tuple[Step, list[Step]]:
    """Delete a person without faces, for now; the steps that bring the person and the groups back.

    Unlike a deletion this keeps the entries of other changes that name the person, until the heir
    is deleted.
    """
    undo.name_heir(connection, person.person.id, heir_id)
    inside = persons.memberships(connection, person.seq)
    own = person.person
    back = {
        "do": "restore",
        "person": own.id,
        "anonymous": own.anonymous,
        "created_at": own.created_at.isoformat(),
        "last_seen_at": own.last_seen_at and own.last_seen_at.isoformat(),
        "user_data": own.user_data,
        "external_id": own.external_id,
    }
    for member in inside:
        persons.exit_group(connection, person.seq, member.group_seq, member.contract_seq)
    connection.execute(person_rows.delete().where(person_rows.c.seq == person.seq))
    return back, [join(own.id, member.group_seq, member.name) for member in inside]


def merge(
    connection: sa.Connection,
    application_seq: int,
    kept: PersonRow,
    lost: PersonRow,
    *,
    limits: GalleryLimits,
) -> tuple[list[Step], set[int]]:
    """Make one person of two, and the steps that make two of them again.

    Returns:
        The steps, and the numbers of the groups that changed.

    Raises:
        LimitExceeded: a group is full.
    """
    face_ids = moves.faces_by_id(connection, lost.seq)
    consent_ids = _consents_of(connection, lost.seq)
    before = {member.group_seq for member in persons.memberships(connection, kept.seq)}
    touched = {member.group_seq for member in persons.memberships(connection, lost.seq)}
    moves.hand_over(connection, face_ids, lost.seq, kept.seq, limits=limits)
    _move_consents(connection, consent_ids, kept.seq)
    restore, joins = dissolve(connection, lost, kept.person.id)
    joined = [step for step in joins if step["group"] not in before]
    for step in joined:
        target = groups.find_by_seq(connection, step["group"])
        if target is not None:
            persons.join(connection, kept.seq, target, step["name"], limits=limits)
    _take_facts(connection, application_seq, kept, lost)
    kept_id, lost_id = kept.person.id, lost.person.id
    back = [
        set_person(kept_id, PersonFacts(kept.person.user_data, kept.person.external_id)),
        restore,
        *(leave(kept_id, step["group"]) for step in joined),
        hand(face_ids, kept_id, lost_id),
        {"do": "consents", "ids": consent_ids, "to": lost_id},
        *joins,
    ]
    return back, touched | before


def run(
    connection: sa.Connection,
    application_seq: int,
    row: GroupRow,
    steps: Sequence[Step],
    *,
    limits: GalleryLimits,
) -> set[int]:
    """Do the steps one after the other; the numbers of the groups that may have changed.

    Raises:
        NotFound: a person, face or group is gone.
        AlreadyExists: a name or an external id has been taken since.
        ConsentMissing, LimitExceeded: a group does not take the person.
        InvalidArgument: it would leave a person without a group.
    """
    work = _Work(connection, application_seq, row, limits, {row.seq})
    for step in steps:
        _DO[step["do"]](work, step)
    return work.touched


@dataclass(frozen=True, slots=True)
class _Work:
    """What every step needs, and the groups that changed."""

    connection: sa.Connection
    application_seq: int
    row: GroupRow
    limits: GalleryLimits
    touched: set[int]

    def person_seq(self, person_id: str) -> int:
        query = sa.select(person_rows.c.seq).filter_by(
            application_seq=self.application_seq, id=person_id
        )
        seq = self.connection.execute(query).scalar()
        if seq is None:
            raise NotFound(f"The person {person_id!r} is gone, so this cannot be undone.")
        return int(seq)

    def group(self, group_seq: int) -> GroupRow:
        found = groups.find_by_seq(self.connection, group_seq)
        if found is None:
            raise NotFound("A group is gone that the person was in, so this cannot be undone.")
        return found

    def member(self, person_id: str, group: GroupRow) -> PersonRow:
        return persons.find_by_seq(self.connection, group, self.person_seq(person_id))


def _rename_group(work: _Work, step: Step) -> None:
    groups.rename(work.connection, work.application_seq, work.row, step["name"])


def _set_group(work: _Work, step: Step) -> None:
    facts = GroupFacts(GroupSettings.from_stored(step["settings"]), step["user_data"])
    groups.update(work.connection, work.row, facts)


def _rename_person(work: _Work, step: Step) -> None:
    member = work.member(step["person"], work.row)
    persons.rename(work.connection, work.row, member, step["name"])


def _set_person(work: _Work, step: Step) -> None:
    seq = work.person_seq(step["person"])
    facts = PersonFacts(step["user_data"], step["external_id"])
    persons.update(work.connection, work.application_seq, seq, facts)


def _set_face(work: _Work, step: Step) -> None:
    query = sa.select(face_rows.c.seq).filter_by(
        id=step["face"], person_seq=work.person_seq(step["person"])
    )
    seq = work.connection.execute(query).scalar()
    if seq is None:
        raise NotFound(f"The face {step['face']!r} is gone, so this cannot be undone.")
    faces.update(work.connection, seq, FaceFacts(step["external_image_id"], step["user_data"]))


def _join(work: _Work, step: Step) -> None:
    target, seq = work.group(step["group"]), work.person_seq(step["person"])
    persons.join(work.connection, seq, target, step["name"], limits=work.limits)
    consents.need(work.connection, target, work.member(step["person"], target))
    work.touched.add(target.seq)


def _leave(work: _Work, step: Step) -> None:
    group = work.group(step["group"])
    persons.leave(work.connection, group, work.member(step["person"], group))
    work.touched.add(group.seq)


def _hand(work: _Work, step: Step) -> None:
    source, target = work.person_seq(step["from"]), work.person_seq(step["to"])
    own = moves.faces_by_id(work.connection, source, step["faces"])
    work.touched.update(moves.hand_over(work.connection, own, source, target, limits=work.limits))


def _restore(work: _Work, step: Step) -> None:
    seen = step["last_seen_at"]
    person = Person(
        step["person"],
        "",
        0,
        datetime.fromisoformat(step["created_at"]),
        step["anonymous"],
        step["user_data"],
        step["external_id"],
        None if seen is None else datetime.fromisoformat(seen),
    )
    persons.insert(work.connection, work.application_seq, person)


def _remove(work: _Work, step: Step) -> None:
    seq = work.person_seq(step["person"])
    undo.name_heir(work.connection, step["person"], step["heir"])
    inside = persons.memberships(work.connection, seq)
    for member in inside:
        persons.exit_group(work.connection, seq, member.group_seq, member.contract_seq)
    work.connection.execute(person_rows.delete().where(person_rows.c.seq == seq))
    work.touched.update(member.group_seq for member in inside)


def _consents(work: _Work, step: Step) -> None:
    ids = step["ids"]
    if ids is None:
        ids = _consents_of(work.connection, work.person_seq(step["from"]))
    _move_consents(work.connection, ids, work.person_seq(step["to"]))


_DO: dict[str, Callable[[_Work, Step], None]] = {
    "rename_group": _rename_group,
    "set_group": _set_group,
    "rename_person": _rename_person,
    "set_person": _set_person,
    "set_face": _set_face,
    "join": _join,
    "leave": _leave,
    "hand": _hand,
    "restore": _restore,
    "remove": _remove,
    "consents": _consents,
}


def _consents_of(connection: sa.Connection, person_seq: int) -> list[str]:
    query = sa.select(consent_rows.c.id).where(consent_rows.c.person_seq == person_seq)
    return list(connection.execute(query.order_by(consent_rows.c.seq)).scalars())


def _move_consents(connection: sa.Connection, ids: Sequence[str], person_seq: int) -> None:
    if ids:
        moved = consent_rows.update().where(consent_rows.c.id.in_(ids))
        connection.execute(moved.values(person_seq=person_seq))


def _take_facts(
    connection: sa.Connection, application_seq: int, kept: PersonRow, lost: PersonRow
) -> None:
    """Give a person what he lacks of the other's, and the later of both times of recognition."""
    own, other = kept.person, lost.person
    facts = PersonFacts(
        other.user_data if own.user_data is None else own.user_data,
        other.external_id if own.external_id is None else own.external_id,
    )
    persons.update(connection, application_seq, kept.seq, facts)
    seen = [at for at in (own.last_seen_at, other.last_seen_at) if at is not None]
    if seen:
        times = person_rows.update().where(person_rows.c.seq == kept.seq)
        connection.execute(times.values(last_seen_at=max(seen)))
