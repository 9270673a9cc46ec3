"""Rows of notes: what a dialect keeps about a group or a person of the gallery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from mien.errors import AlreadyExists
from mien.gallery.records.schema import groups, notes

__all__ = ["Note", "add", "change", "delete", "find", "of_keys", "of_person", "page"]


class Note(NamedTuple):
    """A note: its key in its space, the group that it is about (None: none), and its text."""

    key: str
    group: str | None
    document: str


def add(
    connection: sa.Connection,
    application_seq: int,
    space: str,
    note: Note,
    *,
    group_seq: int | None = None,
    person_seq: int | None = None,
) -> None:
    """Write a new note.

    Raises:
        AlreadyExists: there is one of that key.
    """
    if find(connection, application_seq, space, note.key) is not None:
        raise AlreadyExists(f"There is a note {note.key!r} already.")
    values = {
        "application_seq": application_seq,
        "space": space,
        "key": note.key,
        "group_seq": group_seq,
        "person_seq": person_seq,
        "document": note.document,
    }
    connection.execute(notes.insert(), values)


def find(connection: sa.Connection, application_seq: int, space: str, key: str) -> Note | None:
    """The note of that key."""
    query = _of(application_seq, space).where(notes.c.key == key)
    row = connection.execute(query).one_or_none()
    return None if row is None else Note(*row)


def page(
    connection: sa.Connection, application_seq: int, space: str, *, after: str, limit: int
) -> list[Note]:
    """Notes of a space by key, those after ``after``."""
    query = _of(application_seq, space).where(notes.c.key > after)
    rows = connection.execute(query.order_by(notes.c.key).limit(limit))
    return [Note(*row) for row in rows]


def of_keys(
    connection: sa.Connection, application_seq: int, space: str, keys: Sequence[str]
) -> dict[str, str]:
    """Key -> text of those of ``keys`` (at most 1000) that there are."""
    query = _of(application_seq, space).where(notes.c.key.in_(keys))
    return {row.key: row.document for row in connection.execute(query)}


def of_person(connection: sa.Connection, person_seq: int) -> list[dict[str, Any]]:
    """What is noted about a person: ``{"space", "key", "document"}`` each."""
    query = sa.select(notes.c.space, notes.c.key, notes.c.document)
    rows = connection.execute(query.where(notes.c.person_seq == person_seq).order_by(notes.c.seq))
    return [dict(row._mapping) for row in rows]


def change(
    connection: sa.Connection, application_seq: int, space: str, key: str, document: str
) -> None:
    """Replace the text of a note that is there."""
    query = notes.update().where(*_where(application_seq, space), notes.c.key == key)
    connection.execute(query.values(document=document))


def delete(connection: sa.Connection, application_seq: int, space: str, key: str) -> None:
    """Delete a note, if it is there."""
    where = (*_where(application_seq, space), notes.c.key == key)
    connection.execute(notes.delete().where(*where))


def _of(application_seq: int, space: str) -> sa.Select[Any]:
    return (
        sa.select(notes.c.key, groups.c.name.label("group"), notes.c.document)
        .join(groups, groups.c.seq == notes.c.group_seq, isouter=True)
        .where(*_where(application_seq, space))
    )


def _where(application_seq: int, space: str) -> tuple[sa.ColumnElement[bool], ...]:
    return notes.c.application_seq == application_seq, notes.c.space == space
