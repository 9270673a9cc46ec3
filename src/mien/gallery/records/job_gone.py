"""Persons who went while a job was waiting or running: it does not bring them back."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import sqlalchemy as sa

from mien.errors import NotFound
from mien.gallery.ledger import PERSON_ERASED, Job
from mien.gallery.records.schema import faces, groups, job_items, jobs, members, persons

__all__ = ["is_gone", "refuse", "tell", "without"]

_GONE = "gone"
_OPEN = ("queued", "running")


def tell(connection: sa.Connection, gone: sa.Select[tuple[int]]) -> None:
    """Tell unfinished jobs who goes, before the persons are deleted.

    A job calls persons by name, so it is told the names that they have in its group, their ids, and
    what it has called them itself (they may have been renamed since). Only hashes are kept, and
    only until the job ends.

    Args:
        connection: of a transaction that writes.
        gone: selects the numbers of the persons.
    """
    applications = sa.select(persons.c.application_seq).where(persons.c.seq.in_(gone))
    waiting = sa.select(jobs.c.seq, jobs.c.id, jobs.c.application_seq, jobs.c.options).where(
        jobs.c.application_seq.in_(applications), jobs.c.state.in_(_OPEN)
    )
    for row in connection.execute(waiting).all():
        options = json.loads(row.options)
        names = _names(connection, gone, row, options.get("group"))
        if names:
            told = {_digest(row.id, name) for name in names} | set(options.get(_GONE, ()))
            text = json.dumps({**options, _GONE: sorted(told)}, sort_keys=True)
            connection.execute(jobs.update().where(jobs.c.seq == row.seq).values(options=text))


def refuse(connection: sa.Connection, application_seq: int, job_id: str, name: str) -> None:
    """Refuse to store for a job what is of a person who went after the job was made.

    Raises:
        NotFound: no such job any more, or a person who went, with the reason ``PERSON_ERASED``.
    """
    query = sa.select(jobs.c.options).where(
        jobs.c.application_seq == application_seq, jobs.c.id == job_id
    )
    text = connection.execute(query).scalar()
    if text is None:
        raise NotFound(f"There is no job {job_id!r}.")
    if _digest(job_id, name) in json.loads(text).get(_GONE, ()):
        raise NotFound(
            "The person was erased or deleted after the photo was sent.",
            details={"reason": PERSON_ERASED},
        )


def is_gone(job: Job, name: str) -> bool:
    """Whether a person went whom the job calls so."""
    return _digest(job.id, name) in job.options.get(_GONE, ())


def without(job: Job) -> dict[str, Any]:
    """The job's options without what it was told: it has ended."""
    return {name: value for name, value in job.options.items() if name != _GONE}


def _names(
    connection: sa.Connection,
    gone: sa.Select[tuple[int]],
    job: sa.Row[*tuple[Any, ...]],
    group: str | None,
) -> set[str]:
    inside = sa.select(groups.c.seq).where(
        groups.c.application_seq == job.application_seq, groups.c.name == group
    )
    own_faces = sa.select(faces.c.id).where(faces.c.person_seq.in_(gone))
    called = (job_items.c.job_seq == job.seq, job_items.c.face_id.in_(own_faces))
    named = sa.union(
        sa.select(members.c.name).where(
            members.c.person_seq.in_(gone), members.c.group_seq.in_(inside)
        ),
        sa.select(persons.c.id).where(persons.c.seq.in_(gone)),
        sa.select(job_items.c.person).where(*called),
    )
    return {name for name in connection.execute(named).scalars() if name}


def _digest(job_id: str, name: str) -> str:
    return hashlib.sha256(f"{job_id}\0{name}".encode()).hexdigest()[:32]
