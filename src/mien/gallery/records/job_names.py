"""Names in the records of jobs: gone with the person who had them."""

from __future__ import annotations

import json

import sqlalchemy as sa

from mien.gallery.records.schema import faces, job_items, jobs, members, persons

__all__ = ["ERASED", "LOOKS_LIKE", "forget"]

ERASED = "(erased)"
"""What stands in the place of a photo's name."""

LOOKS_LIKE = "looks_like:"
"""A reason that begins so names another person."""


def forget(connection: sa.Connection, gone: sa.Select[tuple[int]]) -> None:
    """Take the names of persons out of all job items, before the persons are deleted.

    An item is a person's if its face is, or if it was for one of the person's names: those that
    the person has in any group, and those that the items of the person's faces have. A photo's
    name goes too, because its folder is mostly the person's name, and so does its SHA-256. What
    is said of somebody else (``looks_like:NAME``) keeps its reason without the name. Another
    person of the same name in the application loses the name in the records as well: rather one
    name too few than one too many.

    Args:
        connection: of a transaction that writes.
        gone: selects the numbers of the persons.
    """
    applications = sa.select(persons.c.application_seq).where(persons.c.seq.in_(gone))
    scope = sa.select(jobs.c.seq).where(jobs.c.application_seq.in_(applications))
    if connection.execute(scope.limit(1)).first() is None:
        return
    own_faces = sa.select(faces.c.id).where(faces.c.person_seq.in_(gone))
    inside = job_items.c.job_seq.in_(scope)
    named = sa.union(
        sa.select(members.c.name).where(members.c.person_seq.in_(gone)),
        sa.select(persons.c.id).where(persons.c.seq.in_(gone)),
        sa.select(job_items.c.person).where(inside, job_items.c.face_id.in_(own_faces)),
    )
    names = {name for name in connection.execute(named).scalars() if name}
    key = (job_items.c.job_seq, job_items.c.number, job_items.c.reasons)
    about = sa.or_(job_items.c.face_id.in_(own_faces), job_items.c.person.in_(named))
    own = connection.execute(sa.select(*key).where(inside, about)).all()
    _write(
        connection,
        [
            {"job": job, "item": number, "reasons": _without(reasons, names)}
            for job, number, reasons in own
        ],
        {"name": ERASED, "person": "", "sha256": None},
    )
    others = sa.select(*key).where(inside, job_items.c.reasons.contains(LOOKS_LIKE))
    changed = [
        {"job": job, "item": number, "reasons": text}
        for job, number, reasons in connection.execute(others)
        if (text := _without(reasons, names)) != reasons
    ]
    _write(connection, changed, {})


def _write(
    connection: sa.Connection, rows: list[dict[str, object]], values: dict[str, str | None]
) -> None:
    if rows:
        found = sa.and_(
            job_items.c.job_seq == sa.bindparam("job"),
            job_items.c.number == sa.bindparam("item"),
        )
        change = job_items.update().where(found)
        connection.execute(change.values(**values, reasons=sa.bindparam("reasons")), rows)


def _without(text: str, names: set[str]) -> str:
    """An item's reasons and message, without the names."""
    reasons, message = json.loads(text)
    kept = [
        LOOKS_LIKE if reason.startswith(LOOKS_LIKE) and reason[len(LOOKS_LIKE) :] in names
        else reason
        for reason in reasons
    ]  # fmt: skip
    if any(name in message for name in names):
        message = ""
    return json.dumps([kept, message], ensure_ascii=False)
