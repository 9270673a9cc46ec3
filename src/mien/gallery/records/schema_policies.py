"""Tables of policies and their records: consent, the audit log, jobs, and what can be undone."""

from __future__ import annotations

import sqlalchemy as sa

from mien.gallery.records.columns import Seq, UtcTime, metadata, reference

__all__ = ["audit", "consents", "job_items", "jobs", "undo", "undo_persons"]

consents = sa.Table(
    "consents",
    metadata,
    sa.Column("seq", Seq, primary_key=True),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    reference("application", index=True),
    reference("person", index=True),
    reference("group", index=True, nullable=True),  # NULL: every group
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
    reference("application", index=True),
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
    reference("job"),
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
    reference("application", index=True),
    reference("group", index=True),
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
