"""Rows of jobs and of their items, and the lease that lets one worker at a time do a job."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, get_args

import sqlalchemy as sa

from mien.errors import LimitExceeded, NotFound
from mien.gallery.ledger import PERSON_ERASED, Job, JobState
from mien.gallery.records import job_gone, job_names
from mien.gallery.records.schema import applications, faces, job_items, jobs, meta
from mien.types import Result

__all__ = [
    "JobItem",
    "JobRow",
    "add_items",
    "create",
    "delete",
    "find",
    "finish",
    "items",
    "lease",
    "leased_by",
    "new_id",
    "page",
    "release",
    "set_progress",
    "start",
    "unfinished",
    "unfinished_anywhere",
]

ItemState = Literal["enrolled", "rejected"]
_ID = re.compile(r"[0-9a-f]{32}")
_OPEN = ("queued", "running")


@dataclass(frozen=True, slots=True)
class JobItem(Result):
    """What became of one photo of a job.

    Attributes:
        number: its place in the job, from 0.
        name: what it is called.
        person: whose it is said to be.
        state: ``enrolled`` or ``rejected``.
        reasons: why it was rejected, or what to look at.
        message: the same for people.
        sha256: of the photo's file, or None.
        face_id: id of the new face, or None.
    """

    number: int
    name: str
    person: str
    state: ItemState
    reasons: tuple[str, ...] = ()
    message: str = ""
    sha256: str | None = None
    face_id: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """``{"number", "image", "person", "state", "reasons", "message", "sha256", "face_id"}``."""
        return {
            "number": self.number,
            "image": self.name,
            "person": self.person,
            "state": self.state,
            "reasons": list(self.reasons),
            "message": self.message,
            "sha256": self.sha256,
            "face_id": self.face_id,
        }


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job and its number."""

    seq: int
    job: Job


def new_id() -> str:
    """32 hexadecimal digits that cannot be guessed; ids grow with the time."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.randbits(80):020x}"


def create(
    connection: sa.Connection,
    application_seq: int,
    job: Job,
    *,
    limit: int | None,
) -> None:
    """Insert a job.

    Raises:
        LimitExceeded: the application has ``limit`` unfinished jobs already.
    """
    if limit is not None:
        query = sa.select(sa.func.count()).select_from(jobs)
        mine = jobs.c.application_seq == application_seq
        if connection.execute(query.where(mine, jobs.c.state.in_(_OPEN))).scalar_one() >= limit:
            raise LimitExceeded(
                f"There are {limit} unfinished jobs: wait for one, or cancel one.",
                details={"limit": limit},
            )
    connection.execute(
        jobs.insert().values(
            id=job.id,
            application_seq=application_seq,
            kind=job.kind,
            state=job.state,
            options=json.dumps(dict(job.options), sort_keys=True),
            total=job.total,
            done=job.done,
            rejected=job.rejected,
            created_at=job.created_at,
        )
    )


def find(connection: sa.Connection, application_seq: int, job_id: str) -> JobRow:
    """The job of that id.

    Raises:
        NotFound: the application has none.
    """
    query = sa.select(jobs).where(jobs.c.application_seq == application_seq, jobs.c.id == job_id)
    row = connection.execute(query).one_or_none() if _ID.fullmatch(job_id) else None
    if row is None:
        raise NotFound(f"There is no job {job_id[:64]!r}.")
    return _row(row)


def page(
    connection: sa.Connection, application_seq: int, *, after: str | None, limit: int
) -> list[Job]:
    """Jobs, oldest first, those after the id ``after``."""
    query = sa.select(jobs).where(jobs.c.application_seq == application_seq)
    if after is not None:
        query = query.where(jobs.c.id > after)
    return [_row(row).job for row in connection.execute(query.order_by(jobs.c.id).limit(limit))]


def unfinished(connection: sa.Connection, row: JobRow) -> bool:
    """Whether there is something left to do."""
    return row.job.state in _OPEN


def unfinished_anywhere(connection: sa.Connection, now: datetime) -> list[tuple[str, str]]:
    """Name of the application and id of every unfinished job that nobody works on, oldest first."""
    query = (
        sa.select(applications.c.name, jobs.c.id)
        .join(applications, applications.c.seq == jobs.c.application_seq)
        .where(jobs.c.state.in_(_OPEN))
        .order_by(jobs.c.seq)
    )
    found = [(name, job_id) for name, job_id in connection.execute(query)]
    names = [_lease_name(job_id) for _, job_id in found]
    leases = sa.select(meta.c.name, meta.c.value).where(meta.c.name.in_(names))
    held = {name for name, value in connection.execute(leases) if _until(value) > now}
    return [pair for pair in found if _lease_name(pair[1]) not in held]


def leased_by(connection: sa.Connection, job_id: str, now: datetime) -> str | None:
    """Who works on a job, or None."""
    query = sa.select(meta.c.value).where(meta.c.name == _lease_name(job_id))
    value = connection.execute(query).scalar()
    return None if value is None or _until(value) <= now else str(json.loads(value)["worker"])


def lease(connection: sa.Connection, job_id: str, worker: str, until: datetime) -> None:
    """Give a job to a worker, or give it longer to the one who has it."""
    release(connection, job_id)
    value = json.dumps({"worker": worker, "until": until.isoformat()})
    connection.execute(meta.insert().values(name=_lease_name(job_id), value=value))


def release(connection: sa.Connection, job_id: str) -> None:
    """Let anybody take the job."""
    connection.execute(meta.delete().where(meta.c.name == _lease_name(job_id)))


def start(connection: sa.Connection, row: JobRow, now: datetime) -> JobRow:
    """Mark a job as running."""
    started = row.job.started_at or now
    values = {"state": "running", "started_at": started}
    connection.execute(jobs.update().where(jobs.c.seq == row.seq).values(**values))
    return JobRow(row.seq, replace(row.job, state="running", started_at=started))


def add_items(connection: sa.Connection, row: JobRow, found: Sequence[JobItem]) -> Job:
    """Write down items that are finished; those that are there already stay as they are."""
    numbers = [item.number for item in found]
    there = sa.select(job_items.c.number).where(
        job_items.c.job_seq == row.seq, job_items.c.number.in_(numbers)
    )
    known = set(connection.execute(there).scalars())
    stored = [item.face_id for item in found if item.face_id is not None]
    there = sa.select(faces.c.id).where(faces.c.id.in_(stored))
    alive = set(connection.execute(there).scalars())
    new = [_nameless(row.job, item, alive) for item in found if item.number not in known]
    if not new:
        return row.job
    connection.execute(
        job_items.insert(),
        [
            {
                "job_seq": row.seq,
                "number": item.number,
                "name": item.name,
                "sha256": item.sha256,
                "person": item.person,
                "state": item.state,
                "reasons": json.dumps([list(item.reasons), item.message], ensure_ascii=False),
                "face_id": item.face_id,
            }
            for item in new
        ],
    )
    done = row.job.done + len(new)
    rejected = row.job.rejected + sum(item.state == "rejected" for item in new)
    connection.execute(
        jobs.update().where(jobs.c.seq == row.seq).values(done=done, rejected=rejected)
    )
    return replace(row.job, done=done, rejected=rejected)


def set_progress(
    connection: sa.Connection, row: JobRow, *, done: int, total: int, rejected: int
) -> Job:
    """Say how far a job is."""
    values = {"done": done, "total": total, "rejected": rejected}
    connection.execute(jobs.update().where(jobs.c.seq == row.seq).values(**values))
    return replace(row.job, done=done, total=total, rejected=rejected)


def items(connection: sa.Connection, row: JobRow, *, after: int, limit: int) -> list[JobItem]:
    """Items in their order, those after the number ``after`` (-1: from the first)."""
    query = (
        sa.select(job_items)
        .where(job_items.c.job_seq == row.seq, job_items.c.number > after)
        .order_by(job_items.c.number)
        .limit(limit)
    )
    return [_item(one) for one in connection.execute(query)]


def finish(
    connection: sa.Connection, row: JobRow, state: JobState, now: datetime, error: str | None
) -> Job:
    """End a job, and let go of it."""
    options = job_gone.without(row.job)
    values = {
        "state": state,
        "finished_at": now,
        "error": error,
        "options": json.dumps(options, sort_keys=True),
    }
    connection.execute(jobs.update().where(jobs.c.seq == row.seq).values(**values))
    release(connection, row.job.id)
    return replace(row.job, options=options, state=state, finished_at=now, error=error)


def delete(
    connection: sa.Connection, application_seq: int, *, job_seq: int | None, before: datetime
) -> int:
    """Delete finished jobs with their items: one, or all that ended before a moment."""
    ended = sa.select(jobs.c.seq).where(
        jobs.c.application_seq == application_seq, jobs.c.state.not_in(_OPEN)
    )
    if job_seq is not None:
        ended = ended.where(jobs.c.seq == job_seq)
    else:
        ended = ended.where(jobs.c.finished_at < before)
    seqs = list(connection.execute(ended).scalars())
    connection.execute(job_items.delete().where(job_items.c.job_seq.in_(seqs)))
    connection.execute(jobs.delete().where(jobs.c.seq.in_(seqs)))
    return len(seqs)


def _nameless(job: Job, item: JobItem, alive: set[str]) -> JobItem:
    """An item without the names of who went before it was written down."""
    gone = item.face_id is not None and item.face_id not in alive
    if gone or PERSON_ERASED in item.reasons or job_gone.is_gone(job, item.person):
        item = replace(item, name=job_names.ERASED, person="", sha256=None)
    about = job_names.LOOKS_LIKE
    if any(job_gone.is_gone(job, one.removeprefix(about)) for one in item.reasons):
        kept = tuple(about if one.startswith(about) else one for one in item.reasons)
        item = replace(item, reasons=kept, message="")
    return item


def _lease_name(job_id: str) -> str:
    return f"lease of job {job_id}"


def _until(value: str) -> datetime:
    facts: Mapping[str, str] = json.loads(value)
    return datetime.fromisoformat(facts["until"])


def _row(row: sa.Row[*tuple[Any, ...]]) -> JobRow:
    assert row.state in get_args(JobState)
    job = Job(
        id=row.id,
        kind=row.kind,
        state=row.state,
        options=json.loads(row.options),
        total=row.total,
        done=row.done,
        rejected=row.rejected,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        error=row.error,
    )
    return JobRow(row.seq, job)


def _item(row: sa.Row[*tuple[Any, ...]]) -> JobItem:
    reasons, message = json.loads(row.reasons)
    return JobItem(
        row.number,
        row.name,
        row.person,
        row.state,
        tuple(reasons),
        message,
        row.sha256,
        row.face_id,
    )
