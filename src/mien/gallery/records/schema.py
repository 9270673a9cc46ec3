"""The tables, in types that SQLite and PostgreSQL share.

``seq`` is a row's number inside the database (and a vector's id in the index); ``id`` is what the
world sees. Here are applications, groups, persons, faces and their keys; the tables of policies and
of the service are in files of their own. A migration never imports this module: it keeps the tables
as they were at its time.
"""

from __future__ import annotations

import sqlalchemy as sa

from mien.gallery.records.columns import Name, Seq, UtcTime, metadata, reference
from mien.gallery.records.schema_policies import (
    audit,
    consents,
    job_items,
    jobs,
    undo,
    undo_persons,
)
from mien.gallery.records.schema_service import (
    calls,
    challenge_digests,
    challenge_parts,
    challenges,
    meta,
    notes,
    passing,
    repeats,
)

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
    reference("application", index=True),
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
    reference("application"),
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
    reference("application", index=True),
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
    reference("group"),
    reference("person", index=True),
    sa.Column("name", Name, nullable=False),
    sa.PrimaryKeyConstraint("group_seq", "person_seq"),
    sa.UniqueConstraint("group_seq", "name"),
)

faces = sa.Table(
    "faces",
    metadata,
    sa.Column("seq", Seq, primary_key=True),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    reference("person"),
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
    reference("group"),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("person_seq", sa.BigInteger, nullable=False),
    sa.Column("face_seq", sa.BigInteger, nullable=False),
    sa.PrimaryKeyConstraint("group_seq", "version"),
)

# ---------------------------------------------------------------- keys (see protect/)

application_keys = sa.Table(
    "application_keys",
    metadata,
    reference("application"),
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
    reference("application"),
    sa.Column("name", sa.String(32), nullable=False),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
    sa.Column("kek_id", sa.String(64), nullable=False),
    sa.PrimaryKeyConstraint("application_seq", "name"),
)

person_keys = sa.Table(
    "person_keys",
    metadata,
    reference("person", primary_key=True),
    # of the application's key that wraps it
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
)

face_images = sa.Table(
    "face_images",
    metadata,
    reference("face"),
    sa.Column("kind", sa.String(16), nullable=False),  # crop or photo
    sa.Column("media_type", sa.String(64), nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("face_seq", "kind"),
)

# A face's template of another contract, sealed for that one, until its group moves there.
conversions = sa.Table(
    "conversions",
    metadata,
    reference("face"),
    sa.Column("contract_seq", Seq, sa.ForeignKey("contracts.seq"), nullable=False),
    sa.Column("vector", sa.LargeBinary, nullable=False),
    sa.Column("norm", sa.Float(53)),
    sa.PrimaryKeyConstraint("face_seq", "contract_seq"),
)
