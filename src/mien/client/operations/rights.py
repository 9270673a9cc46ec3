"""Persons' rights, retention and the audit log."""

from __future__ import annotations

from mien.client import more_shapes as more
from mien.client.asking import Ask, Pages, asks, lists
from mien.client.wire import Request, given, path, post

__all__ = ["Rights"]


class Rights:
    """Consent, erasure, export, purge, audit."""

    @asks
    def give_consent(
        self,
        group: str,
        person: str,
        *,
        purpose: str,
        text_version: str,
        language: str,
        evidence: str | None = None,
        expires: str | None = None,
        every_group: bool = False,
        idempotency_key: str | None = None,
    ) -> Ask[more.ConsentAnswer]:
        """Write down that a person agreed; ``expires``: ISO 8601 with a zone."""
        body = {
            "purpose": purpose,
            "text_version": text_version,
            "language": language,
            "evidence": evidence,
            "expires": expires,
            "every_group": every_group,
        }
        return Ask(
            post(
                path("/v1/groups/{}/persons/{}/consents", group, person),
                json=body,
                key=idempotency_key,
            )
        )

    @asks
    def consents(self, group: str, person: str) -> Ask[more.ConsentList]:
        """All consents of a person."""
        return Ask(Request("GET", path("/v1/groups/{}/persons/{}/consents", group, person)))

    @asks
    def withdraw_consent(
        self, consent_id: str, *, idempotency_key: str | None = None
    ) -> Ask[more.ConsentAnswer]:
        """End a consent, and the recognition that it allowed."""
        return Ask(post(path("/v1/consents/{}/withdraw", consent_id), key=idempotency_key))

    @asks
    def erase(
        self, group: str, person: str, *, idempotency_key: str | None = None
    ) -> Ask[more.ErasureAnswer]:
        """Destroy all that is kept of a person."""
        return Ask(post(path("/v1/groups/{}/persons/{}/erase", group, person), key=idempotency_key))

    @asks
    def export_person(self, group: str, person: str) -> Ask[more.ExportAnswer]:
        """All that is kept of a person, templates and images too. Needs the scope ``admin``."""
        return Ask(Request("GET", path("/v1/groups/{}/persons/{}/export", group, person)))

    @asks
    def purge(self, *, idempotency_key: str | None = None) -> Ask[more.PurgeAnswer]:
        """Delete what retention no longer allows. Needs the scope ``admin``."""
        return Ask(post("/v1/purge", key=idempotency_key))

    @lists
    def audit(self, *, after: int = 0, limit: int = 100) -> Pages[more.AuditEntryShape]:
        """The audit log behind the number ``after``. Needs the scope ``admin``."""
        return Pages("/v1/audit", "entries", given(after=after), limit)

    @asks
    def verify_audit(self, *, head: str | None = None) -> Ask[more.AuditCheckAnswer]:
        """Whether the audit log is what was written. Needs the scope ``admin``."""
        return Ask(Request("GET", "/v1/audit/verify", given(head=head)))
