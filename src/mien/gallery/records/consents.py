"""Rows of consent: who agreed to what, when, and until when."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from mien.errors import ConsentMissing, NotFound
from mien.gallery.ledger import Consent
from mien.gallery.policy import GroupSettings
from mien.gallery.records.groups import GroupRow
from mien.gallery.records.persons import PersonRow
from mien.gallery.records.schema import consents, groups, members, persons

__all__ = ["find", "give", "need", "of_person", "uncovered", "withdraw"]

_ID = re.compile(r"[0-9a-f]{32}")
_CONSENTS = (
    sa.select(consents, persons.c.id.label("person_id"), groups.c.name.label("group"))
    .join(persons, persons.c.seq == consents.c.person_seq)
    .outerjoin(groups, groups.c.seq == consents.c.group_seq)
)


def give(
    connection: sa.Connection,
    application_seq: int,
    person: PersonRow,
    row: GroupRow | None,
    *,
    purpose: str,
    text_version: str,
    language: str,
    evidence: str | None,
    expires: datetime | None,
) -> Consent:
    """Write down that a person agreed; ``row``: for that group only, None: for every group."""
    consent = Consent(
        id=uuid.uuid4().hex,
        person_id=person.person.id,
        group=None if row is None else row.group.name,
        purpose=purpose,
        text_version=text_version,
        language=language,
        evidence=evidence,
        given_at=datetime.now(UTC),
        expires_at=expires,
    )
    connection.execute(
        consents.insert().values(
            id=consent.id,
            application_seq=application_seq,
            person_seq=person.seq,
            group_seq=None if row is None else row.seq,
            purpose=purpose,
            text_version=text_version,
            language=language,
            evidence=evidence,
            given_at=consent.given_at,
            expires_at=expires,
        )
    )
    return consent


def of_person(connection: sa.Connection, person_seq: int) -> list[Consent]:
    """All consents of a person, oldest first, those that ended too."""
    query = _CONSENTS.where(consents.c.person_seq == person_seq).order_by(consents.c.seq)
    return [_consent(row) for row in connection.execute(query)]


def find(connection: sa.Connection, application_seq: int, consent_id: str) -> tuple[int, Consent]:
    """The number of the person who gave a consent, and the consent.

    Raises:
        NotFound: the application has none of that id.
    """
    query = _CONSENTS.where(
        consents.c.application_seq == application_seq, consents.c.id == consent_id
    )
    row = connection.execute(query).one_or_none() if _ID.fullmatch(consent_id) else None
    if row is None:
        raise NotFound(f"There is no consent {consent_id[:64]!r}.")
    return row.person_seq, _consent(row)


def withdraw(connection: sa.Connection, consent_id: str, *, at: datetime) -> None:
    """End a consent; one that was withdrawn before keeps its time."""
    connection.execute(
        consents.update()
        .where(consents.c.id == consent_id, consents.c.withdrawn_at.is_(None))
        .values(withdrawn_at=at)
    )


def need(connection: sa.Connection, row: GroupRow, person: PersonRow) -> None:
    """Refuse a person without consent, where the group demands one.

    Raises:
        ConsentMissing: there is none in force.
    """
    if row.group.settings.consent != "required":
        return
    if row.seq in _covered(connection, person.seq, datetime.now(UTC), among={row.seq}):
        return
    raise ConsentMissing(
        f"The group {row.group.name!r} takes nobody without consent, and there is none in force "
        f"of {person.person.name!r}: record it first (mien consent give).",
        details={"group": row.group.name},
    )


def uncovered(connection: sa.Connection, person_seq: int, *, at: datetime) -> list[int]:
    """Numbers of the groups that demand consent, have the person, and lost the last consent."""
    query = (
        sa.select(groups.c.seq, groups.c.settings)
        .join(members, members.c.group_seq == groups.c.seq)
        .where(members.c.person_seq == person_seq)
    )
    demanding = {
        row.seq
        for row in connection.execute(query)
        if GroupSettings.from_stored(row.settings).consent == "required"
    }
    return sorted(demanding - _covered(connection, person_seq, at, among=demanding))


def _covered(
    connection: sa.Connection, person_seq: int, at: datetime, *, among: set[int]
) -> set[int]:
    """Those of some groups that a consent in force covers."""
    query = sa.select(consents.c.group_seq).where(
        consents.c.person_seq == person_seq,
        consents.c.withdrawn_at.is_(None),
        sa.or_(consents.c.expires_at.is_(None), consents.c.expires_at > at),
    )
    found = set(connection.execute(query).scalars())
    return among if None in found else among & found


def _consent(row: sa.Row[*tuple[Any, ...]]) -> Consent:
    return Consent(
        id=row.id,
        person_id=row.person_id,
        group=row.group,
        purpose=row.purpose,
        text_version=row.text_version,
        language=row.language,
        evidence=row.evidence,
        given_at=row.given_at,
        expires_at=row.expires_at,
        withdrawn_at=row.withdrawn_at,
    )
