"""Records of requests that may come again, and the answers that they get then."""

from __future__ import annotations

import json
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from mien.gallery.records.schema import faces, groups, members, persons, repeats

__all__ = ["Row", "claim", "find", "finish", "forget", "forget_all", "release", "upkeep"]

_FEW = 50


class Row(NamedTuple):
    """What is known of a key.

    Attributes:
        request: SHA-256 of the request.
        answer: None: it is being worked on; empty: it was answered, and the answer is not kept.
        expires_at: when the key is free again; while it is worked on, when another may begin.
    """

    request: bytes
    answer: str | None
    expires_at: datetime


def find(connection: sa.Connection, application_seq: int, key: str) -> Row | None:
    """What is known of a key."""
    wanted = sa.select(repeats.c.request, repeats.c.answer, repeats.c.expires_at)
    row = connection.execute(wanted.where(*_at(application_seq, key))).one_or_none()
    return None if row is None else Row(*row)


def claim(
    connection: sa.Connection,
    application_seq: int,
    key: str,
    *,
    request: bytes,
    holder: str,
    until: datetime,
) -> None:
    """Begin to work on it, in the place of whoever had it before."""
    connection.execute(repeats.delete().where(*_at(application_seq, key)))
    connection.execute(
        repeats.insert().values(
            application_seq=application_seq,
            key=key,
            request=request,
            holder=holder,
            answer=None,
            expires_at=until,
        )
    )


def finish(
    connection: sa.Connection,
    application_seq: int,
    key: str,
    *,
    holder: str,
    answer: str,
    until: datetime,
) -> None:
    """Keep the answer, unless another has begun meanwhile."""
    own = (*_at(application_seq, key), repeats.c.holder == holder)
    connection.execute(repeats.update().where(*own).values(answer=answer, expires_at=until))


def release(connection: sa.Connection, application_seq: int, key: str, *, holder: str) -> None:
    """Nothing was done: the key is free again."""
    own = (*_at(application_seq, key), repeats.c.holder == holder)
    connection.execute(repeats.delete().where(*own))


def upkeep(connection: sa.Connection, application_seq: int, *, now: datetime, most: int) -> None:
    """Delete what has expired, and of the rest what goes beyond ``most``, the oldest first."""
    own = repeats.c.application_seq == application_seq
    connection.execute(repeats.delete().where(own, repeats.c.expires_at <= now))
    last = sa.select(repeats.c.expires_at).where(own).order_by(repeats.c.expires_at.desc())
    edge = connection.execute(last.offset(most - 1).limit(1)).scalar()
    if edge is not None:
        older = (own, repeats.c.expires_at <= edge, repeats.c.answer.is_not(None))
        connection.execute(repeats.delete().where(*older))


def forget(connection: sa.Connection, person_seq: int) -> None:
    """Take answers that name a person out, before the person is deleted; the keys stay.

    An answer names a person by the id, by a name in any group, or by a face. Of somebody with
    many faces and names, all answers of the application go: rather too many than one too few.
    """
    found = connection.execute(
        sa.select(persons.c.application_seq, persons.c.id).where(persons.c.seq == person_seq)
    ).one_or_none()
    if found is None:
        return
    named = sa.union_all(
        sa.select(members.c.name).where(members.c.person_seq == person_seq),
        sa.select(faces.c.id).where(faces.c.person_seq == person_seq),
    ).limit(_FEW + 1)
    terms = {found.id, *connection.execute(named).scalars()}
    own = repeats.c.application_seq == found.application_seq
    about: list[sa.ColumnElement[bool]] = []
    if len(terms) <= _FEW:
        written = [json.dumps(one, ensure_ascii=False)[1:-1] for one in sorted(terms)]
        about = [sa.or_(*(repeats.c.answer.contains(one, autoescape=True) for one in written))]
    connection.execute(repeats.update().where(own, *about, _kept()).values(answer=""))


def forget_all(connection: sa.Connection, group_seq: int) -> None:
    """Take all answers of a group's application out, before the group is deleted."""
    owner = sa.select(groups.c.application_seq).where(groups.c.seq == group_seq).scalar_subquery()
    own = repeats.c.application_seq == owner
    connection.execute(repeats.update().where(own, _kept()).values(answer=""))


def _kept() -> sa.ColumnElement[bool]:
    return repeats.c.answer.is_not(None)


def _at(application_seq: int, key: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (repeats.c.application_seq == application_seq, repeats.c.key == key)
