"""The audit log: who did what; each entry of an application is bound to the one before.

An entry's hash is HMAC-SHA256 over the entry and the hash before it, under a key that is wrapped by
the master key: who can write the database but does not hold the master key cannot change, drop,
insert or reorder entries unseen, not even by computing the whole chain anew. What was cut off at
the end is seen by whoever kept a newer head (:func:`verify`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from mien.errors import GalleryUnavailable
from mien.gallery.ledger import AuditEntry
from mien.gallery.protect import new_key
from mien.gallery.records.schema import applications, audit, meta
from mien.gallery.records.vault import Wrapped, vault_of

__all__ = [
    "NewEntry",
    "Tampering",
    "about",
    "append",
    "append_all",
    "page",
    "rewrap_key",
    "verify",
]

_BATCH = 5_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEY = "audit_key"


_ENTRIES = (
    sa.select(audit, applications.c.name.label("application"))
    .outerjoin(applications, applications.c.seq == audit.c.application_seq)
    .order_by(audit.c.seq)
)


@dataclass(frozen=True, slots=True)
class Tampering:
    """The first place where the log is not what was written.

    Attributes:
        seq: number of the entry; None where it is behind the last one.
        what: ``changed`` (its own content), ``missing`` (entries before it are gone, or it was put
            there from elsewhere) or ``cut`` (an entry that was noted elsewhere is not there).
    """

    seq: int | None
    what: str


@dataclass(frozen=True, slots=True)
class NewEntry:
    """What an entry says.

    Attributes:
        actor: id of the key or the name of the user; action: such as ``person.erase``.
        subject: id of what it was done to.
        details: JSON values; never a name, an image or a vector.
    """

    actor: str
    action: str
    subject: str
    details: Mapping[str, Any]


def append(
    connection: sa.Connection,
    *,
    application_seq: int | None,
    actor: str,
    action: str,
    subject: str,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write an entry, in the transaction of what it tells.

    Args:
        connection: of a transaction that writes.
        application_seq: whose it is, or None: the whole gallery's.
        actor: id of the key or the name of the user; action: such as ``person.erase``.
        subject: id of what it was done to.
        details: JSON values; never a name, an image or a vector.
    """
    entry = NewEntry(actor, action, subject, details or {})
    append_all(connection, application_seq=application_seq, entries=[entry])


def append_all(
    connection: sa.Connection, *, application_seq: int | None, entries: Sequence[NewEntry]
) -> None:
    """Write several entries of one application, in their order; see :func:`append`."""
    key = _key(connection) or _new_key(connection)
    last = (
        sa.select(audit.c.hash).where(_chain(application_seq)).order_by(audit.c.seq.desc()).limit(1)
    )
    before = connection.execute(last).scalar()
    prev = _genesis(key, application_seq) if before is None else bytes(before)
    rows: list[dict[str, Any]] = []
    for entry in entries:
        values: dict[str, Any] = {
            "application_seq": application_seq,
            "at": datetime.now(UTC),
            "actor": entry.actor,
            "action": entry.action,
            "subject": entry.subject,
            "details": json.dumps(dict(entry.details), sort_keys=True, ensure_ascii=False),
            "prev": prev,
        }
        prev = _hash(key, values)
        rows.append({**values, "hash": prev})
    if rows:
        connection.execute(audit.insert(), rows)


def page(
    connection: sa.Connection,
    *,
    application_seq: int | None,
    after: int = 0,
    limit: int = 100,
) -> list[AuditEntry]:
    """Entries in their order; of one application, or of all where ``application_seq`` is None."""
    query = _ENTRIES.where(audit.c.seq > after).limit(limit)
    if application_seq is not None:
        query = query.where(audit.c.application_seq == application_seq)
    return [_entry(row) for row in connection.execute(query)]


def about(connection: sa.Connection, application_seq: int, subject: str) -> list[AuditEntry]:
    """All entries of an application about one subject, such as a person's id."""
    query = _ENTRIES.where(audit.c.application_seq == application_seq, audit.c.subject == subject)
    return [_entry(row) for row in connection.execute(query)]


def verify(
    connection: sa.Connection, application_seq: int | None, *, head: str | None = None
) -> tuple[int, str, Tampering | None]:
    """Read an application's whole log and compute every hash again.

    Args:
        connection: that sees one state.
        application_seq: whose log; None: what was done to the gallery as a whole.
        head: hash of an entry, in hexadecimal, that was noted elsewhere; it must still be there.

    Returns:
        Number of good entries, hash of the last of them in hexadecimal (empty without one), and
        what is wrong behind it, or None.

    Raises:
        KeyMissing, KeyMismatch: the master key is not the gallery's.
    """
    key = _key(connection)
    prev = b"" if key is None else _genesis(key, application_seq)
    count, last, seen = 0, "", not head
    for row in _all(connection, application_seq):
        if key is None or not hmac.compare_digest(_hash(key, dict(row._mapping)), bytes(row.hash)):
            return count, last, Tampering(row.seq, "changed")
        if bytes(row.prev) != prev:
            return count, last, Tampering(row.seq, "missing")
        prev, count, last = bytes(row.hash), count + 1, bytes(row.hash).hex()
        seen = seen or last == head
    return count, last, None if seen else Tampering(None, "cut")


def _chain(application_seq: int | None) -> sa.ColumnElement[bool]:
    """The entries of an application, or of the gallery as a whole."""
    column = audit.c.application_seq
    return column.is_(None) if application_seq is None else column == application_seq


def _genesis(key: bytes, application_seq: int | None) -> bytes:
    """What the first entry of a log is bound to."""
    return hmac.new(key, f"first entry of {application_seq}".encode(), hashlib.sha256).digest()


def _entry(row: sa.Row[*tuple[Any, ...]]) -> AuditEntry:
    return AuditEntry(
        seq=row.seq,
        at=row.at,
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        details=json.loads(row.details),
        hash=bytes(row.hash).hex(),
        application=row.application,
    )


def _all(
    connection: sa.Connection, application_seq: int | None
) -> Iterator[sa.Row[*tuple[Any, ...]]]:
    after = 0
    while True:
        query = sa.select(audit).where(_chain(application_seq), audit.c.seq > after)
        rows = connection.execute(query.order_by(audit.c.seq).limit(_BATCH)).all()
        if not rows:
            return
        yield from rows
        after = rows[-1].seq


def _hash(key: bytes, values: Mapping[str, Any]) -> bytes:
    """HMAC-SHA256 over the entry's fields as canonical JSON and the hash before it."""
    fields = [
        values["application_seq"],
        (values["at"] - _EPOCH) // timedelta(microseconds=1),
        values["actor"],
        values["action"],
        values["subject"],
        values["details"],
    ]
    text = json.dumps(fields, ensure_ascii=True, separators=(",", ":")).encode()
    return hmac.new(key, bytes(values["prev"]) + text, hashlib.sha256).digest()


def rewrap_key(connection: sa.Connection) -> bool:
    """Wrap the log's key under the current master key; False where it is already, or is none."""
    key = _key(connection)
    stored = connection.execute(sa.select(meta.c.value).where(meta.c.name == _KEY)).scalar()
    if key is None or stored is None:
        return False
    made = vault_of(connection).wrap(connection, key, _KEY.encode())
    if json.loads(stored)["kek_id"] == made.key_id:
        return False
    connection.execute(meta.update().where(meta.c.name == _KEY).values(value=_facts(made)))
    return True


def _key(connection: sa.Connection) -> bytes | None:
    """The log's key; None where there is none yet."""
    row = connection.execute(sa.select(meta.c.value).where(meta.c.name == _KEY)).scalar()
    if row is None:
        return None
    try:
        facts = json.loads(row)
        wrapped, key_id = base64.b64decode(facts["wrapped"]), str(facts["kek_id"])
    except (ValueError, KeyError, TypeError):
        raise GalleryUnavailable("The audit log's key is damaged: restore a backup.") from None
    return vault_of(connection).unwrap(connection, wrapped, key_id, _KEY.encode())


def _new_key(connection: sa.Connection) -> bytes:
    made = vault_of(connection).wrap(connection, new_key(), _KEY.encode())
    connection.execute(meta.insert().values(name=_KEY, value=_facts(made)))
    return made.key


def _facts(made: Wrapped) -> str:
    wrapped = base64.b64encode(made.wrapped).decode()
    return json.dumps({"kek_id": made.key_id, "wrapped": wrapped})
