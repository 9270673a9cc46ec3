"""Tables of the service: liveness sessions, requests, and what dialects keep."""

from __future__ import annotations

import sqlalchemy as sa

from mien.gallery.records.columns import Name, Seq, UtcTime, metadata, reference

__all__ = [
    "calls",
    "challenge_digests",
    "challenge_parts",
    "challenges",
    "meta",
    "notes",
    "passing",
    "repeats",
]

# ---------------------------------------------------------------- liveness sessions

challenges = sa.Table(
    "challenges",
    metadata,
    sa.Column("seq", Seq, primary_key=True),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    reference("application"),
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
    reference("challenge"),
    sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("challenge_seq", "number"),
)

# Keyed hashes of frames that sessions were given, so that none is taken twice.
challenge_digests = sa.Table(
    "challenge_digests",
    metadata,
    reference("application"),
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
    reference("application"),
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
    reference("application"),
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
    reference("application"),
    sa.Column("space", Name, nullable=False),
    sa.Column("key", Name, nullable=False),
    reference("group", index=True, nullable=True),
    reference("person", index=True, nullable=True),
    sa.Column("document", sa.Text, nullable=False),
    sa.UniqueConstraint("application_seq", "space", "key"),
    sqlite_autoincrement=True,
)

# What is forgotten at its time, sealed: faces that were detected and not registered.
passing = sa.Table(
    "passing",
    metadata,
    reference("application"),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("id", sa.String(32), nullable=False),
    sa.Column("expires_at", UtcTime, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("application_seq", "kind", "id"),
    sa.Index("ix_passing_expiry", "application_seq", "kind", "expires_at"),
)
