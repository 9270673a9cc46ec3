"""Changes that can be taken back: what was done, and the steps that undo it.

An entry names persons and faces by their ids. It holds former names and user data, but never a
template; it goes when one of its persons is deleted.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from mien.errors import InvalidArgument, NotFound
from mien.gallery.ledger import UndoEntry
from mien.gallery.records.schema import groups, undo, undo_persons

if TYPE_CHECKING:
    from mien.gallery.records.groups import GroupRow

__all__ = ["Step", "UndoRow", "forget", "mark_undone", "name_heir", "newest", "page", "remember"]

Step = dict[str, Any]
"""One thing to do, JSON values only; ``do`` says what."""


@dataclass(frozen=True, slots=True)
class UndoRow:
    """An entry, its number, and the steps that undo it."""

    seq: int
    entry: UndoEntry
    steps: list[Step]


def remember(
    connection: sa.Connection,
    application_seq: int,
    row: GroupRow,
    kind: str,
    *,
    steps: Sequence[Step],
    person_ids: Iterable[str],
    keep: int,
) -> None:
    """Write down how a change is undone, and forget those of the group beyond ``keep``."""
    seq = connection.execute(
        undo.insert()
        .values(
            id=uuid.uuid4().hex,
            application_seq=application_seq,
            group_seq=row.seq,
            kind=kind,
            inverse=json.dumps(list(steps), ensure_ascii=False),
            at=datetime.now(UTC),
        )
        .returning(undo.c.seq)
    ).scalar_one()
    named = [{"undo_seq": seq, "person_id": one} for one in sorted(set(person_ids))]
    if named:
        connection.execute(undo_persons.insert(), named)
    old = sa.select(undo.c.seq).where(undo.c.group_seq == row.seq)
    old = old.order_by(undo.c.seq.desc()).offset(keep).limit(1)
    last = connection.execute(old).scalar()
    if last is not None:
        connection.execute(undo.delete().where(undo.c.group_seq == row.seq, undo.c.seq <= last))


def page(
    connection: sa.Connection, row: GroupRow, *, before: str | None, limit: int
) -> list[UndoEntry]:
    """A group's changes, newest first; those before the entry ``before``.

    Raises:
        NotFound: the group has no such entry.
    """
    query = sa.select(undo).where(undo.c.group_seq == row.seq)
    if before is not None:
        known = sa.select(undo.c.seq).where(undo.c.group_seq == row.seq, undo.c.id == before)
        seq = connection.execute(known).scalar()
        if seq is None:
            raise NotFound(f"There is no change {before!r} in the group {row.group.name!r}.")
        query = query.where(undo.c.seq < seq)
    found = connection.execute(query.order_by(undo.c.seq.desc()).limit(limit)).all()
    persons = _persons(connection, [one.seq for one in found])
    return [_entry(one, row, persons.get(one.seq, ())) for one in found]


def newest(connection: sa.Connection, row: GroupRow) -> UndoRow:
    """The newest change of a group that has not been undone.

    Raises:
        NotFound: there is none.
        InvalidArgument: a later change, made in another group, concerns one of its persons.
    """
    open_ones = sa.select(undo).where(undo.c.undone_at.is_(None))
    query = open_ones.where(undo.c.group_seq == row.seq).order_by(undo.c.seq.desc()).limit(1)
    found = connection.execute(query).one_or_none()
    if found is None:
        raise NotFound(f"There is nothing to undo in the group {row.group.name!r}.")
    persons = _persons(connection, [found.seq]).get(found.seq, ())
    later = (
        sa.select(groups.c.name)
        .join(undo, undo.c.group_seq == groups.c.seq)
        .join(undo_persons, undo_persons.c.undo_seq == undo.c.seq)
        .where(
            undo_persons.c.person_id.in_(persons),
            undo.c.seq > found.seq,
            undo.c.undone_at.is_(None),
        )
    )
    other = connection.execute(later.order_by(undo.c.seq.desc()).limit(1)).scalar()
    if other is not None:
        raise InvalidArgument(
            f"One of the persons was changed later in the group {other!r}: undo that first.",
            details={"group": other},
        )
    return UndoRow(found.seq, _entry(found, row, persons), json.loads(found.inverse))


def mark_undone(connection: sa.Connection, seq: int, at: datetime) -> None:
    """Keep that it was done and undone, and nothing else."""
    connection.execute(undo.update().where(undo.c.seq == seq).values(undone_at=at, inverse="[]"))


def name_heir(connection: sa.Connection, person_id: str, heir_id: str) -> None:
    """Let every entry that names a person who goes name the heir too, and go with the heir."""
    other = undo_persons.alias()
    known = sa.exists().where(
        other.c.undo_seq == undo_persons.c.undo_seq, other.c.person_id == heir_id
    )
    inherited = sa.select(undo_persons.c.undo_seq, sa.literal(heir_id)).where(
        undo_persons.c.person_id == person_id, sa.not_(known)
    )
    connection.execute(undo_persons.insert().from_select(["undo_seq", "person_id"], inherited))


def forget(connection: sa.Connection, person_ids: sa.Select[tuple[str]]) -> None:
    """Delete every entry that names one of those persons."""
    named = sa.select(undo_persons.c.undo_seq).where(undo_persons.c.person_id.in_(person_ids))
    connection.execute(undo.delete().where(undo.c.seq.in_(named)))


def _persons(connection: sa.Connection, seqs: Sequence[int]) -> dict[int, tuple[str, ...]]:
    query = (
        sa.select(undo_persons.c.undo_seq, undo_persons.c.person_id)
        .where(undo_persons.c.undo_seq.in_(seqs))
        .order_by(undo_persons.c.person_id)
    )
    found: dict[int, tuple[str, ...]] = {}
    for seq, person_id in connection.execute(query):
        found[seq] = (*found.get(seq, ()), person_id)
    return found


def _entry(found: sa.Row[*tuple[Any, ...]], row: GroupRow, persons: tuple[str, ...]) -> UndoEntry:
    return UndoEntry(found.id, row.group.name, found.kind, found.at, found.undone_at, persons)
