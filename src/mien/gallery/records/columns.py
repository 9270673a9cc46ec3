"""Columns: the types that SQLite and PostgreSQL share, and what the tables belong to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

__all__ = ["Name", "Seq", "UtcTime", "metadata", "reference"]

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
"""All tables."""


def reference(
    target: str, *, index: bool = False, nullable: bool = False, primary_key: bool = False
) -> sa.Column[int]:
    """The column ``{target}_seq``: the row goes with that of the table ``{target}s``."""
    return sa.Column(
        f"{target}_seq",
        Seq,
        sa.ForeignKey(f"{target}s.seq", ondelete="CASCADE"),
        nullable=nullable,
        index=index,
        primary_key=primary_key,
        autoincrement=False,
    )
