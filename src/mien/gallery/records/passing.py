"""Rows of what passes by itself: sealed, bounded, forgotten at its time."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from mien.gallery.protect import open_sealed, seal
from mien.gallery.records.schema import passing
from mien.gallery.records.vault import vault_of

__all__ = ["find", "forget", "put"]

NAME = "passing"  # of the application's secret that seals


def put(
    connection: sa.Connection,
    application_seq: int,
    kind: str,
    secrets: Mapping[str, bytes],
    *,
    now: datetime,
    expires_at: datetime,
    limit: int,
) -> None:
    """Keep secrets under their ids until ``expires_at``.

    What has passed goes; and beyond ``limit`` of a kind, what would pass next goes now. Many are
    not counted each time, which would take longer than all the rest: the ids draw when they are,
    about once in a hundredth of ``limit``, and up to 100 are always.
    """
    if not secrets:
        return
    own = (passing.c.application_seq == application_seq, passing.c.kind == kind)
    connection.execute(passing.delete().where(*own, passing.c.expires_at <= now))
    if any(zlib.crc32(one.encode()) % max(1, limit // 100) == 0 for one in secrets):
        count = sa.select(sa.func.count()).select_from(passing).where(*own)
        beyond = connection.execute(count).scalar_one() + len(secrets) - limit
        if beyond > 0:
            first = sa.select(passing.c.id).where(*own).order_by(passing.c.expires_at).limit(beyond)
            connection.execute(passing.delete().where(*own, passing.c.id.in_(first)))
    key = vault_of(connection).secret(connection, application_seq, NAME)
    connection.execute(
        passing.insert(),
        [
            {
                "application_seq": application_seq,
                "kind": kind,
                "id": one,
                "expires_at": expires_at,
                "sealed": seal(secret, key=key, context=_context(kind, one)),
            }
            for one, secret in secrets.items()
        ],
    )


def find(
    connection: sa.Connection, application_seq: int, kind: str, ids: Sequence[str], *, now: datetime
) -> dict[str, bytes]:
    """The secrets of those of ``ids`` (at most 1000) that have not passed.

    Raises:
        KeyMissing, KeyMismatch: the master key is not the gallery's, or a value was changed.
    """
    query = sa.select(passing.c.id, passing.c.sealed).where(
        passing.c.application_seq == application_seq,
        passing.c.kind == kind,
        passing.c.id.in_(ids),
        passing.c.expires_at > now,
    )
    rows = connection.execute(query).all()
    if not rows:
        return {}
    key = vault_of(connection).secret(connection, application_seq, NAME)
    return {
        row.id: open_sealed(bytes(row.sealed), key=key, context=_context(kind, row.id))
        for row in rows
    }


def forget(connection: sa.Connection, application_seq: int, kind: str, one: str) -> None:
    """Delete one before its time."""
    connection.execute(
        passing.delete().where(
            passing.c.application_seq == application_seq,
            passing.c.kind == kind,
            passing.c.id == one,
        )
    )


def _context(kind: str, one: str) -> bytes:
    return f"mien passing {kind} {one}".encode()
