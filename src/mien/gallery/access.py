"""Applications and API keys: who may use a gallery."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import sqlalchemy as sa

from mien.errors import GalleryUnavailable, InvalidArgument
from mien.gallery import checks
from mien.gallery.model import (
    DEFAULT_SCOPES,
    RESTRICTED_ATTRIBUTES,
    ApiKey,
    Application,
    Scope,
)
from mien.gallery.records import applications, audit, keys
from mien.gallery.records.database import Database
from mien.types import Result

__all__ = ["MAX_PAGE", "Access", "Check", "page_size"]

MAX_PAGE = 1000
"""At most so many entries in one page, and persons in one question."""

Check = Callable[[Result], None] | None
"""What is given a record before it is changed, in the same transaction, and may raise."""


class Access:
    """The part of :class:`mien.gallery.Gallery` that keeps applications and keys."""

    def __init__(self, database: Database, *, actor: str) -> None:
        self._database = database
        self._actor = checks.actor(actor)

    def create_application(self, name: str) -> Application:
        """A new application with an id that cannot be guessed.

        Raises:
            AlreadyExists: the name is taken.
            InvalidArgument: not 1 to 255 printable characters.
        """
        name = checks.application_name(name)
        with self._database.writing() as connection:
            made = applications.create(connection, name)
            owner = applications.find(connection, name)
            self._note(connection, owner.seq, "application.create", made.id)
            return made

    def applications(self, *, after: str | None = None, limit: int = 100) -> list[Application]:
        """Applications by name, those after the name ``after``.

        Raises:
            InvalidArgument: ``limit`` is not 1 to 1000.
        """
        limit = page_size(limit)
        with self._database.reading() as connection:
            return applications.page(connection, after=after, limit=limit)

    def application(self, name: str) -> Application:
        """The application of that name.

        Raises:
            NotFound: there is none.
        """
        with self._database.reading() as connection:
            return applications.find(connection, checks.application_name(name)).application

    def allow_attributes(self, name: str, attributes: Iterable[str]) -> Application:
        """Let the service answer an application these restricted attributes, and no others.

        Args:
            name: of the application.
            attributes: of :data:`mien.gallery.RESTRICTED_ATTRIBUTES`; none of them: nothing.

        Raises:
            NotFound: no such application.
            InvalidArgument: an attribute that is not restricted, or that there is not.
        """
        wanted = frozenset((attributes,) if isinstance(attributes, str) else attributes)
        unknown = sorted(wanted - {*RESTRICTED_ATTRIBUTES}, key=str)
        if unknown:
            raise InvalidArgument(
                f"{str(unknown[0])[:100]!r} is no restricted attribute; those that have to be "
                f"allowed are {', '.join(RESTRICTED_ATTRIBUTES)}."
            )
        name = checks.application_name(name)
        with self._database.writing() as connection:
            return applications.allow(connection, name, wanted)

    def application_by_id(self, application_id: str) -> Application:
        """The application of that id.

        Raises:
            NotFound: there is none.
        """
        with self._database.reading() as connection:
            return applications.find_by_id(connection, application_id[:64]).application

    def allow_nhn_v1(self, name: str, allowed: bool) -> Application:
        """Say whether an application's id alone opens version 1.0 of the NHN dialect.

        That version has no secret: whoever learns the id can then read and write the application.

        Raises:
            NotFound: no such application.
        """
        name = checks.application_name(name)
        with self._database.writing() as connection:
            return applications.allow_nhn_v1(connection, name, allowed)

    def create_key(
        self,
        application: str,
        scopes: Iterable[Scope | str] | None = None,
        expires: datetime | None = None,
    ) -> tuple[ApiKey, str]:
        """A new API key and its secret. The secret is not stored: show it now.

        Args:
            application: name of the application that the key opens.
            scopes: what it may do; None: everything but ``admin``.
            expires: when it ends, with a time zone; None: never.

        Raises:
            NotFound: no such application.
            InvalidArgument: no scope, an unknown one, or an end that is past or has no zone.
        """
        wanted = DEFAULT_SCOPES if scopes is None else _scopes(scopes)
        if expires is not None:
            if expires.tzinfo is None:
                raise InvalidArgument("expires needs a time zone.")
            expires = expires.astimezone(UTC)
            if expires <= datetime.now(UTC):
                raise InvalidArgument("expires must lie in the future.")
        name = checks.application_name(application)
        with self._database.writing() as connection:
            owner = applications.find(connection, name)
            key, secret = keys.create(connection, owner, scopes=wanted, expires=expires)
            self._note(connection, owner.seq, "key.create", key.id, scopes=" ".join(sorted(wanted)))
            return key, secret

    def keys(self, application: str) -> list[ApiKey]:
        """All keys of an application, oldest first, expired and revoked ones too.

        Raises:
            NotFound: no such application.
        """
        name = checks.application_name(application)
        with self._database.reading() as connection:
            return keys.listing(connection, applications.find(connection, name))

    def revoke_key(self, key_id: str) -> ApiKey:
        """Make a key worthless, at once and for ever.

        Raises:
            NotFound: no key of that id.
        """
        if not key_id.isascii():
            raise InvalidArgument("An API key's id is 16 digits 0-9 and a-f.")
        with self._database.writing() as connection:
            key = keys.revoke(connection, key_id, now=datetime.now(UTC))
            owner = applications.find(connection, key.application)
            self._note(connection, owner.seq, "key.revoke", key.id)
            return key

    def authenticate(self, secret: str) -> ApiKey:
        """The key that ``secret`` opens; what it may do is in its scopes.

        Raises:
            Unauthorized: no such key, or it has expired or was revoked.
        """
        now = datetime.now(UTC)
        with self._database.reading() as connection:
            key = keys.check(connection, secret, now=now)
        if keys.is_use_due(key, now=now):
            # A busy or read-only database must not lock users out.
            note = self._database.touching(brief=True)
            with contextlib.suppress(GalleryUnavailable), note as connection:
                keys.mark_used(connection, key, now=now)
        return key

    def renew_master_key(self) -> int:
        """Wrap the keys of all applications under the current master key.

        Put a new key first into the ring (``MIEN_MASTER_KEY``, or the key file), call this, then
        take the old one off. Others who serve the gallery meanwhile need the new ring when they
        next start; what they have unwrapped stays good.

        Returns:
            How many keys were wrapped by another master key.

        Raises:
            KeyMissing, KeyMismatch: a key was wrapped by one that is not on the ring.
        """
        with self._database.writing() as connection:
            renewed = self._database.vault.rewrap(connection)
            return renewed + audit.rewrap_key(connection)

    def _note(
        self,
        connection: sa.Connection,
        application_seq: int,
        action: str,
        subject: str,
        **details: str | int,
    ) -> None:
        """Write to the audit log, in the transaction of what it tells."""
        audit.append(
            connection,
            application_seq=application_seq,
            actor=self._actor,
            action=action,
            subject=subject,
            details=details,
        )


def page_size(limit: int) -> int:
    """``limit``, if a page can be that long.

    Raises:
        InvalidArgument: not 1 to 1000.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidArgument(f"limit must be 1 to {MAX_PAGE}.", details={"max": MAX_PAGE})
    return limit


def _scopes(scopes: Iterable[Scope | str]) -> frozenset[Scope]:
    names = ", ".join(Scope)
    if isinstance(scopes, str):
        raise InvalidArgument("scopes must be a list of scopes.")
    try:
        wanted = frozenset(Scope(scope) for scope in scopes)
    except ValueError as error:
        raise InvalidArgument(f"{error}: the scopes are {names}.") from None
    if not wanted:
        raise InvalidArgument(f"A key needs at least one scope of {names}.")
    return wanted
