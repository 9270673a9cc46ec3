"""Rows of liveness sessions, of what was seen in their frames, and of frames that were seen."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from mien.errors import NotFound
from mien.gallery.records.schema import (
    applications,
    challenge_digests,
    challenge_parts,
    challenges,
)

__all__ = [
    "OPEN",
    "ChallengeRecord",
    "add_digests",
    "add_part",
    "count_since",
    "create",
    "delete",
    "find",
    "find_anywhere",
    "finish",
    "known",
    "parts",
    "purge",
]

OPEN = ("waiting", "running")
_AT_ONCE = 500
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class ChallengeRecord:
    """A session as it is stored.

    Attributes:
        seq: its number.
        id: 32 hexadecimal digits.
        token_hash: SHA-256 of the device's token.
        subject: who or what it is about, as the caller calls it.
        state: ``waiting``, ``running``, ``passed``, ``failed`` or ``expired``.
        plan: as it was made.
        parts: batches of frames that were taken.
        frames: frames that were taken.
        result: the result's document, or None.
    """

    seq: int
    id: str
    token_hash: bytes
    subject: str | None
    state: str
    plan: Mapping[str, Any]
    parts: int
    frames: int
    created_at: datetime
    expires_at: datetime
    finished_at: datetime | None
    result: Mapping[str, Any] | None

    @property
    def over(self) -> bool:
        """Whether no frame is taken any more."""
        return self.state not in OPEN


def create(
    connection: sa.Connection,
    application_seq: int,
    *,
    challenge_id: str,
    token_hash: bytes,
    subject: str | None,
    plan: Mapping[str, Any],
    times: tuple[datetime, datetime],
) -> None:
    """Insert a session; ``times``: when it was made and when it expires."""
    connection.execute(
        challenges.insert().values(
            id=challenge_id,
            application_seq=application_seq,
            token_hash=token_hash,
            subject=subject,
            state="waiting",
            plan=json.dumps(dict(plan), sort_keys=True, ensure_ascii=False),
            parts=0,
            frames=0,
            created_at=times[0],
            expires_at=times[1],
        )
    )


def find(
    connection: sa.Connection, application_seq: int, challenge_id: str, now: datetime
) -> ChallengeRecord:
    """The session of that id; an open one whose time is up is ``expired``.

    Raises:
        NotFound: the application has none.
    """
    table = challenges
    query = sa.select(table).where(
        table.c.application_seq == application_seq, table.c.id == challenge_id
    )
    row = connection.execute(query).one_or_none() if _ID.fullmatch(challenge_id) else None
    if row is None:
        raise NotFound("There is no such liveness session, or it was deleted.")
    state = "expired" if row.state in OPEN and row.expires_at <= now else row.state
    return ChallengeRecord(
        row.seq,
        row.id,
        bytes(row.token_hash),
        row.subject,
        state,
        json.loads(row.plan),
        row.parts,
        row.frames,
        row.created_at,
        row.expires_at,
        row.finished_at,
        None if row.result is None else json.loads(row.result),
    )


def find_anywhere(connection: sa.Connection, challenge_id: str) -> tuple[str, bytes] | None:
    """The application's name and the token's hash of a session of any application."""
    query = (
        sa.select(applications.c.name, challenges.c.token_hash)
        .join(applications, applications.c.seq == challenges.c.application_seq)
        .where(challenges.c.id == challenge_id)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else (str(row.name), bytes(row.token_hash))


def count_since(
    connection: sa.Connection, application_seq: int, since: datetime, *, subject: str | None = None
) -> int:
    """Sessions that were made since then, of one subject or of all."""
    table = challenges
    query = sa.select(sa.func.count()).where(
        table.c.application_seq == application_seq, table.c.created_at > since
    )
    if subject is not None:
        query = query.where(table.c.subject == subject)
    return int(connection.execute(query).scalar_one())


def add_part(
    connection: sa.Connection, record: ChallengeRecord, sealed: bytes, *, frames: int
) -> None:
    """Keep what was seen in the frames of one request."""
    connection.execute(
        challenge_parts.insert().values(
            challenge_seq=record.seq, number=record.parts, sealed=sealed
        )
    )
    connection.execute(
        challenges.update()
        .where(challenges.c.seq == record.seq)
        .values(state="running", parts=record.parts + 1, frames=record.frames + frames)
    )


def parts(connection: sa.Connection, record: ChallengeRecord) -> list[bytes]:
    """What was kept, in order."""
    table = challenge_parts
    query = sa.select(table.c.sealed).where(table.c.challenge_seq == record.seq)
    return [bytes(row) for row in connection.execute(query.order_by(table.c.number)).scalars()]


def finish(
    connection: sa.Connection,
    record: ChallengeRecord,
    *,
    state: str,
    result: Mapping[str, Any],
    now: datetime,
) -> None:
    """Write down the result and forget what was seen."""
    text = json.dumps(dict(result), ensure_ascii=False)
    connection.execute(
        challenges.update()
        .where(challenges.c.seq == record.seq)
        .values(state=state, result=text, finished_at=now)
    )
    connection.execute(
        challenge_parts.delete().where(challenge_parts.c.challenge_seq == record.seq)
    )


def known(
    connection: sa.Connection, application_seq: int, digests: Collection[bytes]
) -> set[bytes]:
    """Which of these frames another session of the application was given."""
    wanted, table = sorted({*digests}), challenge_digests
    found: set[bytes] = set()
    for start in range(0, len(wanted), _AT_ONCE):
        query = sa.select(table.c.digest).where(
            table.c.application_seq == application_seq,
            table.c.digest.in_(wanted[start : start + _AT_ONCE]),
        )
        found |= {bytes(digest) for digest in connection.execute(query).scalars()}
    return found


def add_digests(
    connection: sa.Connection, application_seq: int, digests: Collection[bytes], now: datetime
) -> None:
    """Remember frames; those that are known already stay as they are."""
    new = {*digests} - known(connection, application_seq, digests)
    if new:
        connection.execute(
            challenge_digests.insert(),
            [
                {"application_seq": application_seq, "digest": digest, "seen_at": now}
                for digest in sorted(new)
            ],
        )


def delete(connection: sa.Connection, record: ChallengeRecord) -> None:
    """Delete a session with everything that was kept of it but the hashes of its frames."""
    connection.execute(challenges.delete().where(challenges.c.seq == record.seq))


def purge(
    connection: sa.Connection, application_seq: int, *, before: datetime, now: datetime
) -> int:
    """Delete what is older than ``before``; forget what expired sessions saw.

    Returns:
        How many sessions were deleted.
    """
    table, digests = challenges, challenge_digests
    mine = table.c.application_seq == application_seq
    late = sa.select(table.c.seq).where(mine, table.c.expires_at <= now)
    connection.execute(challenge_parts.delete().where(challenge_parts.c.challenge_seq.in_(late)))
    old = (digests.c.application_seq == application_seq, digests.c.seen_at < before)
    connection.execute(digests.delete().where(*old))
    ended = sa.func.coalesce(table.c.finished_at, table.c.expires_at)
    return int(connection.execute(table.delete().where(mine, ended < before)).rowcount)
