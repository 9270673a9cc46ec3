"""The tables, in types that SQLite and PostgreSQL share.

``seq`` is a row's number inside the database (and a vector's id in the index); ``id`` is what the
world sees. A migration never imports this module: it keeps the tables as they were at its time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

__all__ = [
    "Seq",
    "UtcTime",
    "api_keys",
    "applications",
    "changes",
    "contracts",
    "faces",
    "groups",
    "members",
    "metadata",
    "persons",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Seq = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""64 bits; SQLite numbers rows only in a column called INTEGER, which has 64 bits there."""


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


def _ref(target: str, *, index: bool = False) -> sa.Column[int]:
    return sa.Column(
        f"{target}_seq",
        Seq,
        sa.ForeignKey(f"{target}s.seq", ondelete="CASCADE"),
        nullable=False,
        index=index,
    )


applications = sa.Table(
    "applications",
    metadata,
    sa.Column("seq", Seq, primary_key=True),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
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
    sa.Column("name", sa.String(255), nullable=False),
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
    sqlite_autoincrement=True,
)

members = sa.Table(
    "members",
    metadata,
    _ref("group"),
    _ref("person", index=True),
    sa.Column("name", sa.String(255), nullable=False),
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
    # float32, little-endian, contract.dim of them
    sa.Column("vector", sa.LargeBinary, nullable=False),
    sa.Column("norm", sa.Float(53)),
    sa.Column("source_sha256", sa.String(64)),
    sa.Column("x0", sa.Float(53)),
    sa.Column("y0", sa.Float(53)),
    sa.Column("x1", sa.Float(53)),
    sa.Column("y1", sa.Float(53)),
    # source and box as one text that is NULL without a source: NULLs never collide
    sa.Column("source_key", sa.String(160)),
    sa.Column("created_at", UtcTime, nullable=False),
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
