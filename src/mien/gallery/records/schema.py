"""The tables, in types that SQLite and PostgreSQL share.

``seq`` is a row's number inside the database (and a vector's id in the index); ``id`` is what the
world sees. A migration never imports this module: it keeps the tables as they were at its time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

__all__ = [
    "Name",
    "Seq",
    "UtcTime",
    "api_keys",
    "application_keys",
    "application_secrets",
    "applications",
    "audit",
    "calls",
    "challenge_digests",
    "challenge_parts",
    "challenges",
    "changes",
    "consents",
    "contracts",
    "conversions",
    "face_images",
    "faces",
    "groups",
    "job_items",
    "jobs",
    "members",
    "meta",
    "metadata",
    "notes",
    "passing",
    "person_keys",
    "persons",
    "repeats",
    "undo",
    "undo_persons",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Seq = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""64 bits; SQLite numbers rows only in a column called INTEGER, which has 64 bits there."""

Name = sa.String(255).with_variant(sa.String(255, collation="C"), "postgresql")
"""A name that is listed in order: of code points, as in SQLite, whatever the server's language."""


class UtcTime(sa.TypeDecorator[datetime]):
    """A moment as microseconds since 1970 in UTC: SQLite has no time type with a zone."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        """To the database."""
        return None if value is None else (value - _EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:
        """From the database."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)


metadata = sa.MetaData()


def _ref(
    target: str, *, index: bool = False, nullable: bool = False, primary_key: bool = False
) -> sa.Column[int]:
    return sa.Column(
        f"{target}_seq",
        Seq,
        sa.ForeignKey(f"{target}s.seq", ondelete="CASCADE"),
        nullable=nullable,
        index=index,
        primary_key=primary_key,
        autoincrement=False,
    )


applications = sa.Table(
    "applications",
    metadata,
    sa.Column("seq", Seq, primary_key=True),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    sa.Column("name", Name, nullable=False, unique=True),
    sa.Column("created_at", UtcTime, nullable=False),
    # JSON, such as {"attributes": [...]}
    sa.Column("settings", sa.Text, nullable=False, server_default="{}"),
    sqlite_autoincrement=True,
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("seq", Seq, primary_key=True),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    _ref("application", index=True),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Column("scopes", sa.String(1024), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime),
    sa.Column("revoked_at", UtcTime),
    sa.Column("last_used_at", UtcTime),
    sqlite_autoincrement=True,
)

contracts = sa.Table(
    "contracts",
    metadata,
    sa.Column("seq", Seq, primary_key=True),
    sa.Column("model", sa.String(255), nullable=False),
    sa.Column("source_sha256", sa.String(64), nullable=False),
    sa.Column("preprocessing", sa.Integer, nullable=False),
    sa.Column("dim", sa.Integer, nullable=False),
    sa.UniqueConstraint("model", "source_sha256", "preprocessing", "dim"),
    sqlite_autoincrement=True,
)

groups = sa.Table(
    "groups",
    metadata,
    sa.Column("seq", Seq, primary_key=True),
    _ref("application"),
    sa.Column("name", Name, nullable=False),
    sa.Column("contract_seq", Seq, sa.ForeignKey("contracts.seq"), nullable=False),
    sa.Column("metric", sa.String(32), nullable=False),
    sa.Column("scoring", sa.String(32), nullable=False),
    # version: number of the newest change; changes_from: number of the oldest that is kept
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("changes_from", sa.BigInteger, nullable=False),
    # counted in the transactions that change them, so that limits and listings read one row
    sa.Column("persons", sa.BigInteger, nullable=False),
    sa.Column("faces", sa.BigInteger, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    # JSON: those of GroupSettings that are not the defaults
    sa.Column("settings", sa.Text, nullable=False, server_default="{}"),
    sa.Column("user_data", sa.Text),
    sa.UniqueConstraint("application_seq", "name"),
    sqlite_autoincrement=True,
)

persons = sa.Table(
    "persons",
    metadata,
    sa.Column("seq", Seq, primary_key=True),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    _ref("application", index=True),
    sa.Column("anonymous", sa.Boolean, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("user_data", sa.Text),
    # the caller's own number for the person; one person has it in an application
    sa.Column("external_id", sa.String(255)),
    sa.Column("last_seen_at", UtcTime),
    sa.Index("ix_persons_external", "application_seq", "external_id", unique=True),
    sqlite_autoincrement=True,
)

members = sa.Table(
    "members",
    metadata,
    _ref("group"),
    _ref("person", index=True),
    sa.Column("name", Name, nullable=False),
    sa.PrimaryKeyConstraint("group_seq", "person_seq"),
    sa.UniqueConstraint("group_seq", "name"),
)

faces = sa.Table(
    "faces",
    metadata,
    sa.Column("seq", Seq, primary_key=True),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    _ref("person"),
    sa.Column("contract_seq", Seq, sa.ForeignKey("contracts.seq"), nullable=False),
    sa.Column("vector", sa.LargeBinary, nullable=False),  # see sealing.py
    sa.Column("norm", sa.Float(53)),
    sa.Column("source_sha256", sa.String(64)),
    sa.Column("x0", sa.Float(53)),
    sa.Column("y0", sa.Float(53)),
    sa.Column("x1", sa.Float(53)),
    sa.Column("y1", sa.Float(53)),
    # source and box as one text that is NULL without a source: NULLs never collide
    sa.Column("source_key", sa.String(160)),
    sa.Column("created_at", UtcTime, nullable=False),
    # the caller's own number for the photo, as it likes
    sa.Column("external_image_id", sa.String(255), index=True),
    sa.Column("user_data", sa.Text),
    sa.Column("quality", sa.Float(53)),
    sa.UniqueConstraint("person_seq", "contract_seq", "source_key"),
    sqlite_autoincrement=True,
)

changes = sa.Table(
    "changes",
    metadata,
    _ref("group"),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("person_seq", sa.BigInteger, nullable=False),
    sa.Column("face_seq", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("group_seq", "version"),
)

# ---------------------------------------------------------------- keys (see protect/)

application_keys = sa.Table(
    "application_keys",
    metadata,
    _ref("application"),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
    sa.Column("kek_id", sa.String(64), nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("retired_at", UtcTime),
    sa.PrimaryKeyConstraint("application_seq", "version"),
)

application_secrets = sa.Table(
    "application_secrets",
    metadata,
    _ref("application"),
    sa.Column("name", sa.String(32), nullable=False),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
    sa.Column("kek_id", sa.String(64), nullable=False),
    sa.PrimaryKeyConstraint("application_seq", "name"),
)

person_keys = sa.Table(
    "person_keys",
    metadata,
    _ref("person", primary_key=True),
    # of the application's key that wraps it
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
)

face_images = sa.Table(
    "face_images",
    metadata,
    _ref("face"),
    sa.Column("kind", sa.String(16), nullable=False),  # crop or photo
    sa.Column("media_type", sa.String(64), nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("face_seq", "kind"),
)

# A face's template of another contract, sealed for that one, until its group moves there.
conversions = sa.Table(
    "conversions",
    metadata,
    _ref("face"),
    sa.Column("contract_seq", Seq, sa.ForeignKey("contracts.seq"), nullable=False),
    sa.Column("vector", sa.LargeBinary, nullable=False),
    sa.Column("norm", sa.Float(53)),
    sa.PrimaryKeyConstraint("face_seq", "contract_seq"),
)

# ---------------------------------------------------------------- policies and their records

consents = sa.Table(
    "consents",
    metadata,
    sa.Column("seq", Seq, primary_key=True),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    _ref("application", index=True),
    _ref("person", index=True),
    _ref("group", index=True, nullable=True),  # NULL: every group
    sa.Column("purpose", sa.String(255), nullable=False),
    sa.Column("text_version", sa.String(64), nullable=False),
    sa.Column("language", sa.String(35), nullable=False),
    sa.Column("evidence", sa.Text),
    sa.Column("given_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime),
    sa.Column("withdrawn_at", UtcTime),
    sqlite_autoincrement=True,
)

# No foreign key: what was done with an application outlives it. Triggers refuse every change.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("seq", Seq, primary_key=True),
    sa.Column("application_seq", sa.BigInteger, index=True),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("actor", sa.String(255), nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("subject", sa.String(255), nullable=False),
    sa.Column("details", sa.Text, nullable=False),
    sa.Column("prev", sa.LargeBinary(32), nullable=False, unique=True),  # a chain has no fork
    sa.Column("hash", sa.LargeBinary(32), nullable=False),
    sqlite_autoincrement=True,
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("seq", Seq, primary_key=True),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    _ref("application", index=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("options", sa.Text, nullable=False),
    sa.Column("total", sa.BigInteger, nullable=False),
    sa.Column("done", sa.BigInteger, nullable=False),
    sa.Column("rejected", sa.BigInteger, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("started_at", UtcTime),
    sa.Column("finished_at", UtcTime),
    sa.Column("error", sa.Text),
    sqlite_autoincrement=True,
)

job_items = sa.Table(
    "job_items",
    metadata,
    _ref("job"),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("sha256", sa.String(64)),
    sa.Column("person", sa.String(255)),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reasons", sa.Text, nullable=False),
    sa.Column("face_id", sa.String(32)),
    sa.PrimaryKeyConstraint("job_seq", "number"),
)

undo = sa.Table(
    "undo",
    metadata,
    sa.Column("seq", Seq, primary_key=True),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    _ref("application", index=True),
    _ref("group", index=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("inverse", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("undone_at", UtcTime),
    sqlite_autoincrement=True,
)

# Whom an entry names, so that it goes when one of them is deleted. No foreign key to persons: a
# person who was merged away has no row while the entry waits.
undo_persons = sa.Table(
    "undo_persons",
    metadata,
    sa.Column("undo_seq", Seq, sa.ForeignKey("undo.seq", ondelete="CASCADE"), nullable=False),
    sa.Column("person_id", sa.String(32), nullable=False, index=True),
    sa.PrimaryKeyConstraint("undo_seq", "person_id"),
)

# ---------------------------------------------------------------- liveness sessions

challenges = sa.Table(
    "challenges",
    metadata,
    sa.Column("seq", Seq, primary_key=True),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    _ref("application"),
    sa.Column("token_hash", sa.LargeBinary(32), nullable=False),
    sa.Column("subject", sa.String(64)),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("parts", sa.Integer, nullable=False),
    sa.Column("frames", sa.Integer, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime, nullable=False),
    sa.Column("finished_at", UtcTime),
    sa.Column("result", sa.Text),
    sa.Index("ix_challenges_application_created", "application_seq", "created_at"),
    sqlite_autoincrement=True,
)

# What was seen in the frames of one request; gone when the session has its result.
challenge_parts = sa.Table(
    "challenge_parts",
    metadata,
    _ref("challenge"),
    sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("challenge_seq", "number"),
)

# Keyed hashes of frames that sessions were given, so that none is taken twice.
challenge_digests = sa.Table(
    "challenge_digests",
    metadata,
    _ref("application"),
    sa.Column("digest", sa.LargeBinary(32), nullable=False),
    sa.Column("seen_at", UtcTime, nullable=False),
    sa.PrimaryKeyConstraint("application_seq", "digest"),
)

# ---------------------------------------------------------------- the service

# Requests that may come again (Idempotency-Key). answer: NULL while it is worked on; empty: done,
# and not kept.
repeats = sa.Table(
    "repeats",
    metadata,
    _ref("application"),
    sa.Column("key", sa.String(255), nullable=False),
    sa.Column("request", sa.LargeBinary(32), nullable=False),
    sa.Column("holder", sa.String(32), nullable=False),
    sa.Column("answer", sa.Text),
    sa.Column("expires_at", UtcTime, nullable=False),
    sa.PrimaryKeyConstraint("application_seq", "key"),
    sa.Index("ix_repeats_expires", "application_seq", "expires_at"),
)

# How many requests an application made, by UTC day (2026-05-01) and kind of route.
calls = sa.Table(
    "calls",
    metadata,
    _ref("application"),
    sa.Column("day", sa.String(10), nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("application_seq", "day", "kind"),
)

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

# ---------------------------------------------------------------- what dialects keep

# A dialect's own facts about what it keeps here, as it likes; they go with the group or person.
notes = sa.Table(
    "notes",
    metadata,
    sa.Column("seq", Seq, primary_key=True),
    _ref("application"),
    sa.Column("space", Name, nullable=False),
    sa.Column("key", Name, nullable=False),
    _ref("group", index=True, nullable=True),
    _ref("person", index=True, nullable=True),
    sa.Column("document", sa.Text, nullable=False),
    sa.UniqueConstraint("application_seq", "space", "key"),
    sqlite_autoincrement=True,
)

# What is forgotten at its time, sealed: faces that were detected and not registered.
passing = sa.Table(
    "passing",
    metadata,
    _ref("application"),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("id", sa.String(32), nullable=False),
    sa.Column("expires_at", UtcTime, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("application_seq", "kind", "id"),
    sa.Index("ix_passing_expiry", "application_seq", "kind", "expires_at"),
)
