"""Rows of API keys, and how a secret is made and checked.

A secret reads ``mien_ID_RANDOM``: the id finds the row, the random part is 256 bits from the
operating system. Only the SHA-256 of the whole is stored. A slow password hash would add nothing:
it makes guessing dear where people choose secrets, but 256 random bits cannot be guessed at any
speed, and a fast hash keeps a check of every request cheap.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from mien.errors import NotFound, Unauthorized
from mien.gallery.model import ApiKey, Scope, sorted_scopes
from mien.gallery.records.applications import ApplicationRow
from mien.gallery.records.schema import api_keys, applications

__all__ = ["check", "create", "is_use_due", "listing", "mark_used", "revoke"]

_SECRET = re.compile(r"mien_([0-9a-f]{16})_[A-Za-z0-9_-]{43}")
_USE_RESOLUTION = timedelta(minutes=1)

_COLUMNS = sa.select(
    api_keys.c.id,
    applications.c.name.label("application"),
    api_keys.c.hash,
    api_keys.c.scopes,
    api_keys.c.created_at,
    api_keys.c.expires_at,
    api_keys.c.revoked_at,
    api_keys.c.last_used_at,
).join(applications, applications.c.seq == api_keys.c.application_seq)
_BY_ID = _COLUMNS.where(api_keys.c.id == sa.bindparam("id"))


def create(
    connection: sa.Connection,
    owner: ApplicationRow,
    *,
    scopes: Collection[Scope],
    expires: datetime | None,
) -> tuple[ApiKey, str]:
    """A new key and its secret, which cannot be had again."""
    key_id = secrets.token_hex(8)
    secret = f"mien_{key_id}_{secrets.token_urlsafe(32)}"
    key = ApiKey(
        key_id, owner.application.name, frozenset(scopes), datetime.now(UTC), expires_at=expires
    )
    connection.execute(
        api_keys.insert(),
        {
            "id": key.id,
            "application_seq": owner.seq,
            "hash": _hash(secret),
            "scopes": sorted_scopes(key.scopes),
            "created_at": key.created_at,
            "expires_at": expires,
        },
    )
    return key, secret


def check(connection: sa.Connection, secret: str, *, now: datetime) -> ApiKey:
    """The key that ``secret`` opens.

    Raises:
        Unauthorized: no such key, or it has expired or was revoked. Unknown ids and wrong secrets
            are told apart neither by the message nor by the time that the comparison takes.
    """
    match = _SECRET.fullmatch(secret)
    row = None if match is None else connection.execute(_BY_ID, {"id": match[1]}).one_or_none()
    stored = bytes(32) if row is None else bytes(row.hash)
    if not hmac.compare_digest(stored, _hash(secret)) or row is None:
        raise Unauthorized("The API key is not valid: check that it was copied whole.")
    key = _key(row)
    if key.revoked_at is not None:
        raise Unauthorized("The API key has been revoked: ask for a new one.")
    if key.expires_at is not None and key.expires_at <= now:
        raise Unauthorized("The API key has expired: ask for a new one.")
    return key


def is_use_due(key: ApiKey, *, now: datetime) -> bool:
    """Whether the last use is old enough to be written again."""
    return key.last_used_at is None or now - key.last_used_at >= _USE_RESOLUTION


def mark_used(connection: sa.Connection, key: ApiKey, *, now: datetime) -> None:
    """Write the time of the last use."""
    connection.execute(api_keys.update().where(api_keys.c.id == key.id).values(last_used_at=now))


def listing(connection: sa.Connection, owner: ApplicationRow) -> list[ApiKey]:
    """All keys of an application, oldest first."""
    query = _COLUMNS.where(api_keys.c.application_seq == owner.seq).order_by(api_keys.c.seq)
    return [_key(row) for row in connection.execute(query)]


def revoke(connection: sa.Connection, key_id: str, *, now: datetime) -> ApiKey:
    """Make a key worthless for ever; one that was revoked stays as it is.

    Raises:
        NotFound: no key of that id.
    """
    connection.execute(
        api_keys.update()
        .where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    row = connection.execute(_BY_ID, {"id": key_id}).one_or_none()
    if row is None:
        raise NotFound(f"There is no API key {key_id!r}.")
    return _key(row)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _key(row: sa.Row[*tuple[Any, ...]]) -> ApiKey:
    return ApiKey(
        id=row.id,
        application=row.application,
        scopes=frozenset(Scope(scope) for scope in row.scopes.split()),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
