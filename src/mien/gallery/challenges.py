"""Challenges: liveness sessions in the database, so that any process of any node can serve one.

What is kept of frames between two requests is biometric: it is sealed under a secret of the
application, and deleted with the result. Of the frames themselves a keyed hash stays for as long
as results do, so that none of them is ever taken again.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mien.errors import AlreadyExists, InvalidArgument, RateLimited, SessionOver, Unauthorized
from mien.gallery.gallery import Gallery
from mien.gallery.protect import open_sealed, seal
from mien.gallery.records import challenges as rows
from mien.gallery.records.challenges import ChallengeRecord
from mien.gallery.records.jobs import new_id

__all__ = ["ChallengeLimits", "ChallengeRecord", "Challenges", "application_of", "is_token"]

TOKEN = re.compile(r"mls_([0-9a-f]{32})_[A-Za-z0-9_-]{43}")
SUBJECT = re.compile(r"[^\x00-\x1f\x7f]{1,64}")
_SECRET = "challenge"  # noqa: S105 - the name of one


@dataclass(frozen=True, slots=True)
class ChallengeLimits:
    """How many sessions may be made.

    Attributes:
        per_minute: of one application in a minute.
        per_subject: about one subject in ten minutes.
        keep: how long results and the hashes of frames are kept.
    """

    per_minute: int = 60
    per_subject: int = 5
    keep: timedelta = timedelta(hours=24)


def is_token(secret: str) -> bool:
    """Whether it looks like a device's token."""
    return TOKEN.fullmatch(secret) is not None


def application_of(gallery: Gallery, token: str) -> tuple[str, str]:
    """The application's name and the id of the session that a device's token opens.

    Raises:
        Unauthorized: no such session, or not its token.
    """
    found = TOKEN.fullmatch(token)
    refused = Unauthorized("The session's token is not valid: ask for another session.")
    if found is None:
        raise refused
    with gallery._database.reading() as connection:
        owner = rows.find_anywhere(connection, found[1])
    if owner is None or not hmac.compare_digest(owner[1], _hash(token)):
        raise refused
    return owner[0], found[1]


class Challenges:
    """The liveness sessions of one application. Every method is one transaction.

    Args:
        gallery: the application's view.
        limits: how many may be made.
    """

    def __init__(self, gallery: Gallery, limits: ChallengeLimits | None = None) -> None:
        self._gallery = gallery
        self._database = gallery._database
        self._seq = gallery._application.seq
        self._limits = limits or ChallengeLimits()

    def create(
        self, plan: Mapping[str, Any], *, ttl_s: float, subject: str | None = None
    ) -> tuple[ChallengeRecord, str]:
        """A new session and the token for its device. The token is not stored: hand it on now.

        Args:
            plan: what it asks for, JSON values only.
            ttl_s: seconds until it expires.
            subject: who or what it is about, 1 to 64 printable characters; what may be tried
                only so often.

        Raises:
            RateLimited: too many in too short a time.
            InvalidArgument: a subject that cannot be.
        """
        if subject is not None and not SUBJECT.fullmatch(subject):
            raise InvalidArgument("A session's subject is 1 to 64 printable characters.")
        now, challenge_id = datetime.now(UTC), new_id()
        token = f"mls_{challenge_id}_{secrets.token_urlsafe(32)}"
        with self._database.writing(self._seq) as connection:
            rows.purge(connection, self._seq, before=now - self._limits.keep, now=now)
            minute, while_ = now - timedelta(minutes=1), now - timedelta(minutes=10)
            if rows.count_since(connection, self._seq, minute) >= self._limits.per_minute:
                raise _limited("this application", self._limits.per_minute, "a minute")
            if (
                subject is not None
                and rows.count_since(connection, self._seq, while_, subject=subject)
                >= self._limits.per_subject
            ):
                raise _limited("this subject", self._limits.per_subject, "ten minutes")
            rows.create(
                connection,
                self._seq,
                challenge_id=challenge_id,
                token_hash=_hash(token),
                subject=subject,
                plan=plan,
                times=(now, now + timedelta(seconds=ttl_s)),
            )
            self._gallery._log(connection, "challenge.create", challenge_id)
            return rows.find(connection, self._seq, challenge_id, now), token

    def find(self, challenge_id: str) -> ChallengeRecord:
        """The session of that id.

        Raises:
            NotFound: there is none.
        """
        with self._database.reading() as connection:
            return rows.find(connection, self._seq, challenge_id, datetime.now(UTC))

    def seen(self, record: ChallengeRecord) -> list[bytes]:
        """What was kept of its frames, one piece a request, in order."""
        key = self._key()
        with self._database.reading() as connection:
            sealed = rows.parts(connection, record)
        return [
            open_sealed(part, key=key, context=_context(record, number))
            for number, part in enumerate(sealed)
        ]

    def add(self, record: ChallengeRecord, kept: bytes, *, frames: int) -> ChallengeRecord:
        """Keep what was seen in the frames of one request.

        Args:
            record: as it was when the frames were looked at.
            kept: what was seen.
            frames: how many frames.

        Raises:
            SessionOver: it has ended meanwhile.
            AlreadyExists: another request's frames were taken meanwhile; these were not.
        """
        now, key = datetime.now(UTC), self._key()
        with self._database.writing(self._seq) as connection:
            self._unchanged(rows.find(connection, self._seq, record.id, now), record)
            sealed = seal(kept, key=key, context=_context(record, record.parts))
            rows.add_part(connection, record, sealed, frames=frames)
            return rows.find(connection, self._seq, record.id, now)

    def known(self, digests: Collection[bytes]) -> set[bytes]:
        """Which of these frames another session was given."""
        keyed = self._keyed(digests)
        with self._database.reading() as connection:
            found = rows.known(connection, self._seq, keyed)
        return {digest for stored, digest in keyed.items() if stored in found}

    def finish(
        self,
        record: ChallengeRecord,
        *,
        passed: bool,
        result: Mapping[str, Any],
        digests: Sequence[bytes],
    ) -> ChallengeRecord:
        """Write down the result, remember the frames' hashes, and forget what was seen.

        Raises:
            SessionOver: it has ended meanwhile.
            AlreadyExists: another request's frames were taken meanwhile.
        """
        now, keyed = datetime.now(UTC), self._keyed(digests)
        state = "passed" if passed else "failed"
        with self._database.writing(self._seq) as connection:
            self._unchanged(rows.find(connection, self._seq, record.id, now), record)
            rows.add_digests(connection, self._seq, keyed, now)
            rows.finish(connection, record, state=state, result=result, now=now)
            self._gallery._log(connection, f"challenge.{state}", record.id)
            done = rows.find(connection, self._seq, record.id, now)
        self._database.forget_deleted()
        return done

    def delete(self, challenge_id: str) -> None:
        """Delete a session, its result, and what was kept of its frames.

        Raises:
            NotFound: there is none.
        """
        with self._database.writing(self._seq) as connection:
            record = rows.find(connection, self._seq, challenge_id, datetime.now(UTC))
            rows.delete(connection, record)
            self._gallery._log(connection, "challenge.delete", challenge_id)
        self._database.forget_deleted()

    @staticmethod
    def _unchanged(now: ChallengeRecord, before: ChallengeRecord) -> None:
        if now.over:
            raise SessionOver(
                f"The liveness session is over ({now.state}): ask for another one.",
                details={"state": now.state},
            )
        if now.parts != before.parts:
            raise AlreadyExists(
                "Other frames of this session were taken meanwhile: send one request after the "
                "other."
            )

    def _key(self) -> bytes:
        with self._database.writing(self._seq) as connection:
            return self._database.vault.secret(connection, self._seq, _SECRET)

    def _keyed(self, digests: Collection[bytes]) -> dict[bytes, bytes]:
        """What is stored of a frame's digest -> the digest."""
        key = self._key()
        return {hmac.digest(key, b"frame" + digest, "sha256"): digest for digest in digests}


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _context(record: ChallengeRecord, number: int) -> bytes:
    return f"mien challenge {record.id} part {number}".encode()


def _limited(who: str, most: int, period: str) -> RateLimited:
    return RateLimited(
        f"Sessions of {who}: at most {most} in {period}. Wait, then try again.",
        details={"limit": most},
    )
