"""The documented shapes of consent, erasure, export, retention and the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, Field

from mien.service.schemas import Answered, Options, Shape

__all__ = [
    "AuditCheckAnswer",
    "AuditPage",
    "AuditPageOptions",
    "AuditVerifyOptions",
    "ConsentAnswer",
    "ConsentList",
    "ErasureAnswer",
    "ExportAnswer",
    "NewConsent",
    "PurgeAnswer",
]


class NewConsent(Options):
    """What a person agreed to."""

    purpose: str = Field(max_length=1020, description="What for, in words; 1 to 255 characters.")
    text_version: str = Field(max_length=256, description="Version of the text; 1 to 64.")
    language: str = Field(max_length=140, description="Of the text, a BCP 47 tag such as `ko`.")
    evidence: str | None = Field(
        default=None, description="Where the proof is, such as the number of a signed form."
    )
    expires: AwareDatetime | None = Field(
        default=None, description="When it ends, with a time zone; null: when it is withdrawn."
    )
    every_group: bool = Field(default=False, description="For every group of the application.")


class AuditPageOptions(Options):
    """Which part of the audit log."""

    after: int = Field(
        default=0, ge=0, lt=2**53, description="The `next` of the page before this one."
    )
    limit: int = Field(default=100, ge=1, le=500, description="At most this many entries.")


class AuditVerifyOptions(Options):
    """What the log must still hold."""

    head: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        description="A hash that was noted elsewhere; the log must still have that entry.",
    )


class ConsentShape(Shape):
    """A consent, and what became of it."""

    id: str
    person_id: str
    group: str | None = Field(description="Null: every group.")
    purpose: str
    text_version: str
    language: str
    evidence: str | None
    given_at: datetime
    expires_at: datetime | None
    withdrawn_at: datetime | None


class ConsentAnswer(ConsentShape, Answered):
    """A consent."""


class ConsentList(Answered):
    """All consents of a person, oldest first, those that ended too."""

    consents: list[ConsentShape]


class ErasureAnswer(Answered):
    """What was destroyed with a person."""

    person_id: str
    faces: int
    images: int
    consents: int
    groups: int = Field(description="That the person was in.")


class PurgeAnswer(Answered):
    """What retention no longer allowed, and is deleted."""

    faces: int = Field(description="That were too old.")
    persons: int = Field(description="Who were not seen for too long.")


class AuditEntryShape(Shape):
    """Who did what; no names, images or vectors of persons."""

    seq: int
    at: datetime
    actor: str
    action: str = Field(description="Such as `person.erase`.")
    subject: str
    details: dict[str, Any]
    hash: str
    application: str | None


class AuditPage(Answered):
    """Entries of the application's audit log, oldest first."""

    next: int | None = Field(description="Send it as `after` for the next page; null at the end.")
    entries: list[AuditEntryShape]


class AuditCheckAnswer(Answered):
    """Whether the audit log is what was written."""

    ok: bool
    entries: int = Field(description="Good ones, from the first on.")
    head: str = Field(description="Hash of the last of them. Note it elsewhere.")
    at: int | None = Field(description="Where it is wrong first.")
    what: str | None


class ExportAnswer(Answered):
    """All that is kept of a person, templates and images too."""

    person: dict[str, Any]
    groups: list[dict[str, Any]]
    faces: list[dict[str, Any]] = Field(description="With their templates.")
    images: list[dict[str, Any]] = Field(description="With `data` in base64.")
    consents: list[dict[str, Any]]
    notes: list[dict[str, Any]] = Field(description="What dialects keep about the person.")
    log: list[AuditEntryShape]
