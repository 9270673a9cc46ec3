"""Privacy: consent, retention, export, erasure and the audit log of an application."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from mien.errors import InvalidArgument
from mien.gallery import checks
from mien.gallery.access import page_size
from mien.gallery.ledger import AuditEntry, Consent
from mien.gallery.privacy_answers import AuditCheck, Erasure, Purge
from mien.gallery.records import audit, consents, groups, kept, notes, persons
from mien.gallery.records.applications import ApplicationRow
from mien.gallery.records.audit import NewEntry
from mien.gallery.records.database import Database
from mien.gallery.records.groups import GroupRow
from mien.gallery.records.persons import PersonRow
from mien.gallery.search import Searcher

__all__ = ["AuditCheck", "Erasure", "Privacy", "Purge"]


class Privacy:
    """One application's duties towards the people in it; :attr:`mien.gallery.Gallery.privacy`.

    Every method that changes something writes it to the audit log in the same transaction.
    """

    def __init__(
        self,
        database: Database,
        searcher: Searcher,
        application: ApplicationRow,
        actor: str,
    ) -> None:
        self._database = database
        self._searcher = searcher
        self._application = application
        self._actor = actor

    # ------------------------------------------------------------------ consent

    def give_consent(
        self,
        group: str,
        person: str,
        *,
        purpose: str,
        text_version: str,
        language: str,
        evidence: str | None = None,
        expires: datetime | None = None,
        every_group: bool = False,
    ) -> Consent:
        """Write down that a person agreed.

        Args:
            group: the group that it is for; person: name or id of a person in it.
            purpose: what for, in words; at most 255 characters.
            text_version: version of the text that was agreed to (``mien.gallery.texts.VERSION``).
            language: of the text, a BCP 47 tag such as ``ko``.
            evidence: where the proof is, such as the number of a signed form.
            expires: when it ends, with a time zone; None: when it is withdrawn.
            every_group: it covers every group of the application.

        Raises:
            NotFound: no such group or person.
            InvalidArgument: an empty or overlong text, or an end without a zone or in the past.
        """
        facts = {
            "purpose": _short("purpose", purpose, 255),
            "text_version": _short("text_version", text_version, 64),
            "language": _short("language", language, 35),
            "evidence": None if evidence is None else _short("evidence", evidence, 4096),
        }
        if expires is not None:
            if expires.tzinfo is None or expires <= datetime.now(UTC):
                raise InvalidArgument("expires must lie in the future and have a time zone.")
            expires = expires.astimezone(UTC)
        with self._writing() as connection:
            row, found = self._find(connection, group, person)
            consent = consents.give(
                connection,
                self._application.seq,
                found,
                None if every_group else row,
                expires=expires,
                **facts,  # type: ignore[arg-type]  # only the evidence may be None
            )
            self._note(
                connection,
                "consent.give",
                found.person.id,
                consent=consent.id,
                text_version=consent.text_version,
                language=consent.language,
            )
        return consent

    def consents(self, group: str, person: str) -> list[Consent]:
        """All consents of a person, oldest first, those that ended too.

        Raises:
            NotFound: no such group or person.
        """
        with self._database.snapshot() as connection:
            _, found = self._find(connection, group, person)
            return consents.of_person(connection, found.seq)

    def withdraw_consent(self, consent_id: str) -> Consent:
        """End a consent, and with it the recognition that it allowed.

        In the same transaction the person leaves every group that demands consent and has no other
        one in force; who is then in no group is erased.

        Raises:
            NotFound: no such consent.
        """
        now = datetime.now(UTC)
        with self._writing() as connection:
            seq, _ = consents.find(connection, self._application.seq, consent_id)
            consents.withdraw(connection, consent_id, at=now)
            _, consent = consents.find(connection, self._application.seq, consent_id)
            left = consents.uncovered(connection, seq, at=now)
            touched = kept.take_out(connection, seq, left)
            self._note(
                connection,
                "consent.withdraw",
                consent.person_id,
                consent=consent_id,
                groups_left=len(left),
            )
        self._searcher.wipe(touched)
        return consent

    # ------------------------------------------------------------------ a person's rights

    def erase(self, group: str, person: str) -> Erasure:
        """Destroy all that is kept of a person: templates, images, consents, and the key.

        Copies of the templates elsewhere (backups, a database server's own log) can no longer be
        opened. What stays is the audit log's entry, which holds the person's random id.

        Raises:
            NotFound: no such group or person.
        """
        with self._writing() as connection:
            _, found = self._find(connection, group, person)
            counts = kept.counts(connection, found.seq)
            gone = kept.face_ids(connection, found.seq)
            touched = persons.delete(connection, found.seq)
            erasure = Erasure(found.person.id, *counts, groups=len(touched))
            self._note(
                connection,
                "person.erase",
                found.person.id,
                faces=erasure.faces,
                images=erasure.images,
                groups=erasure.groups,
                face_ids=gone,  # an older backup may hold them under another person's name
            )
        self._searcher.wipe(touched)
        self._database.forget_deleted()
        return erasure

    def export(self, group: str, person: str) -> dict[str, Any]:
        """All that is kept of a person, for the person: plain JSON values.

        Returns:
            ``{"person", "groups", "faces", "images", "consents", "notes", "log"}``; templates as
            lists of numbers, images as base64.

        Raises:
            NotFound: no such group or person.
        """
        with self._writing() as connection:
            _, found = self._find(connection, group, person)
            document = {
                "person": kept.person(connection, found.seq),
                "groups": kept.memberships(connection, found.seq),
                "faces": kept.faces_of(connection, found.seq),
                "images": [
                    {**facts, "data": base64.b64encode(data).decode()}
                    for facts, data in kept.images_of(connection, found.seq)
                ],
                "consents": [one.to_dict() for one in consents.of_person(connection, found.seq)],
                "notes": notes.of_person(connection, found.seq),
                "log": [
                    one.to_dict()
                    for one in audit.about(connection, self._application.seq, found.person.id)
                ],
            }
            self._note(connection, "person.export", found.person.id)
        return document

    def purge(self, *, now: datetime | None = None) -> Purge:
        """Delete what the groups' retention no longer allows (``retain_age_s``, ``retain_idle_s``).

        Args:
            now: instead of the present moment.
        """
        moment = datetime.now(UTC) if now is None else now
        faces_gone = persons_gone = 0
        for row in self._retaining():
            while True:  # some at a time, so that others get their turn
                with self._writing() as connection:
                    old, idle, touched = kept.purge(connection, row, now=moment)
                    if old or idle:
                        self._note(
                            connection, "group.purge", row.group.name, faces=old, persons=idle
                        )
                if not (old or idle):
                    break
                self._searcher.wipe(touched)
                faces_gone += old
                persons_gone += idle
        if faces_gone or persons_gone:
            self._database.forget_deleted()
        return Purge(faces_gone, persons_gone)

    def seen(self, person_ids: list[str], *, now: datetime | None = None) -> None:
        """Note that persons were recognised just now, which their retention counts from.

        It is exact to an hour, so that a busy door does not write all the time.
        """
        moment = datetime.now(UTC) if now is None else now
        stale = moment - timedelta(hours=1)
        with self._database.reading() as connection:
            due = kept.not_seen_since(connection, self._application.seq, person_ids, stale)
        if due:
            with self._database.touching() as connection:
                kept.mark_seen(connection, due, moment)

    # ------------------------------------------------------------------ the audit log

    def record_identification(
        self, group: str, found: Sequence[Sequence[str]], *, liveness: str = "off"
    ) -> None:
        """Write down that a group was searched, and for whom the search took the faces.

        Durable when this returns. Searches that come at once are written in one transaction.

        Args:
            group: its name.
            found: for each face of the photo the ids of the persons that were answered.
            liveness: the policy that the search followed.

        Raises:
            GalleryUnavailable: it could not be written.
        """
        facts = {"group": checks.group_name(group), "faces": len(found), "liveness": liveness}
        entries = [
            NewEntry(self._actor, "search.identify", person, {**facts, "face": face, "rank": rank})
            for face, persons_of_face in enumerate(found, 1)
            for rank, person in enumerate(persons_of_face, 1)
        ]
        if not entries:
            entries = [NewEntry(self._actor, "search.identify", "nobody", facts)]
        self._database.searches.write(self._application.seq, entries)

    def record_verification(self, group: str, person: str, *, match: bool) -> None:
        """Write down that somebody was compared with a person; see :meth:`record_identification`.

        Args:
            group: its name; person: name or id; match: the answer.

        Raises:
            NotFound: the person has been deleted meanwhile.
            GalleryUnavailable: it could not be written.
        """
        with self._database.reading() as connection:
            row, found = self._find(connection, group, person)
        facts = {"group": row.group.name, "match": "yes" if match else "no"}
        entry = NewEntry(self._actor, "search.verify", found.person.id, facts)
        self._database.searches.write(self._application.seq, [entry])

    def audit(self, *, after: int = 0, limit: int = 100) -> list[AuditEntry]:
        """The application's entries behind the number ``after``, oldest first.

        Raises:
            InvalidArgument: ``limit`` is not 1 to 1000.
        """
        with self._database.reading() as connection:
            return audit.page(
                connection,
                application_seq=self._application.seq,
                after=after,
                limit=page_size(limit),
            )

    def verify_audit(self, *, head: str | None = None) -> AuditCheck:
        """Read the application's whole log and check every entry against the one before.

        Args:
            head: hash of an entry that was noted elsewhere, in hexadecimal: it must still be there.

        Raises:
            KeyMissing, KeyMismatch: the master key is not the gallery's.
        """
        with self._database.snapshot() as connection:
            return AuditCheck(*audit.verify(connection, self._application.seq, head=head))

    # ------------------------------------------------------------------

    def _writing(self) -> Any:  # noqa: ANN401  # the database's own context manager
        return self._database.writing(self._application.seq)

    def _find(
        self, connection: sa.Connection, group: str, person: str
    ) -> tuple[GroupRow, PersonRow]:
        row = groups.find(connection, self._application.seq, checks.group_name(group))
        return row, persons.find(connection, row, checks.person_name(person))

    def _retaining(self) -> list[GroupRow]:
        with self._database.reading() as connection:
            return kept.retaining(connection, self._application.seq)

    def _note(
        self, connection: sa.Connection, action: str, subject: str, **details: str | int | list[str]
    ) -> None:
        audit.append(
            connection,
            application_seq=self._application.seq,
            actor=self._actor,
            action=action,
            subject=subject,
            details=details,
        )


def _short(name: str, text: str, limit: int) -> str:
    text = text.strip()
    if not 1 <= len(text) <= limit:
        raise InvalidArgument(f"{name} must have 1 to {limit} characters.")
    return text
