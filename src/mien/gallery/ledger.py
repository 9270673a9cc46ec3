"""What a gallery writes down about itself: consents, the audit log, jobs, what can be undone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from mien.types import Result

__all__ = ["PERSON_ERASED", "AuditEntry", "Consent", "Job", "JobState", "UndoEntry"]

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
"""Where a job stands."""

PERSON_ERASED = "person_erased"
"""Why a job's photo is not enrolled: the person was erased, or deleted, after it was sent."""


@dataclass(frozen=True, slots=True)
class Consent(Result):
    """A person's consent, and what became of it.

    Attributes:
        id: 32 hexadecimal digits.
        person_id: whose it is.
        group: the group that it is for, or None: every group.
        purpose: what for, in words.
        text_version, language: which text the person agreed to.
        evidence: where the proof is, in the caller's words, or None.
        given_at, expires_at, withdrawn_at: UTC; None: never.
    """

    id: str
    person_id: str
    group: str | None
    purpose: str
    text_version: str
    language: str
    evidence: str | None
    given_at: datetime
    expires_at: datetime | None = None
    withdrawn_at: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Whether it was in force at that moment."""
        ends = [end for end in (self.expires_at, self.withdrawn_at) if end is not None]
        return self.given_at <= at and all(at < end for end in ends)

    def to_dict(self) -> dict[str, Any]:
        """All attributes; times as ISO 8601 or None."""
        return _plain(self)


@dataclass(frozen=True, slots=True)
class AuditEntry(Result):
    """Who did what, without names, images or vectors.

    Attributes:
        seq: its number; numbers grow.
        at: UTC.
        actor: id of the key, or the command's user.
        action: such as ``person.erase``.
        subject: id of what it was done to.
        details: facts, JSON values only.
        hash: SHA-256 over this entry and the hash before it, in hexadecimal.
        application: name of the application, or None: the whole gallery.
    """

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    details: Mapping[str, Any]
    hash: str
    application: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """All attributes; the time as ISO 8601."""
        return _plain(self)


@dataclass(frozen=True, slots=True)
class Job(Result):
    """A piece of work that outlives the request that asked for it.

    Attributes:
        id: 32 hexadecimal digits.
        kind: what it does, such as ``enroll``.
        state: where it stands.
        options: as it was asked for, JSON values only.
        total, done, rejected: items: all, those that are finished, those of them that were refused.
        created_at, started_at, finished_at: UTC; None: not yet.
        error: why it failed, or None.
    """

    id: str
    kind: str
    state: JobState
    options: Mapping[str, Any]
    total: int
    done: int
    rejected: int
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """All attributes; times as ISO 8601 or None."""
        return _plain(self)


@dataclass(frozen=True, slots=True)
class UndoEntry(Result):
    """A change that can be taken back, or was.

    Attributes:
        id: 32 hexadecimal digits.
        group: the group that it was made in.
        kind: such as ``person.merge``.
        at: UTC.
        undone_at: UTC, or None: it can still be undone.
        persons: ids of the persons that it touched.
    """

    id: str
    group: str
    kind: str
    at: datetime
    undone_at: datetime | None = None
    persons: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """All attributes; times as ISO 8601 or None."""
        return _plain(self)


def _plain(entry: Any) -> dict[str, Any]:  # noqa: ANN401 - any of the entries above
    values = {name: getattr(entry, name) for name in entry.__dataclass_fields__}
    return {name: _json(value) for name, value in values.items()}


def _json(value: Any) -> Any:  # noqa: ANN401 - JSON values and times
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value
