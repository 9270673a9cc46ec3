"""Every row of a database as it is stored, out of one kind of database and into another.

What is sealed stays sealed, with its keys beside it as they are wrapped; numbers of rows, the audit
log and its chain stay as they are. Only the log of changes to the index is left out, and begun
anew, so that no index takes the restored gallery for the one that it knew.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from mien.errors import ArchiveUnusable
from mien.gallery.records.schema import UtcTime, changes, faces, groups, members, metadata

__all__ = [
    "Batch",
    "batches",
    "begin_changes_anew",
    "counts",
    "drop_all",
    "fill",
    "number_on",
    "sequences",
]

_ROWS = 500
_LARGE = {"face_images": 8}
_FUNCTIONS = ("audit_is_append_only",)  # of PostgreSQL, which do not go with their table


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of one table.

    Attributes:
        table: its name.
        columns: their names; binary: of those that are bytes, which are never NULL.
        rows: values in the order of ``columns``, without the binary ones.
        blobs: the binary values, row after row.
    """

    table: str
    columns: Sequence[str]
    binary: Sequence[str]
    rows: list[list[Any]]
    blobs: list[bytes]


def batches(connection: sa.Connection) -> Iterator[Batch]:
    """Every row of every table, each after those that it refers to.

    Args:
        connection: that sees one state.
    """
    for table in metadata.sorted_tables:
        if table is changes:
            continue
        binary = [c.name for c in table.columns if isinstance(c.type, sa.LargeBinary)]
        plain = [c for c in table.columns if c.name not in binary]
        query = sa.select(
            *(_raw(column) for column in plain), *(table.c[name] for name in binary)
        ).order_by(*table.primary_key.columns)
        options = connection.execution_options(yield_per=_LARGE.get(table.name, _ROWS))
        with options.execute(query) as result:
            for part in result.partitions():
                yield Batch(
                    table.name,
                    [column.name for column in plain],
                    binary,
                    [list(row[: len(plain)]) for row in part],
                    [bytes(value) for row in part for value in row[len(plain) :]],
                )


def counts(connection: sa.Connection) -> dict[str, int]:
    """How many rows each table has that a backup holds, without the empty ones."""
    found = {}
    for table in metadata.sorted_tables:
        if table is not changes:
            count = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            found[table.name] = int(count)
    return {name: count for name, count in found.items() if count}


def sequences(connection: sa.Connection) -> dict[str, int]:
    """The highest number that each table has given to a row, also to one that is gone."""
    found = {}
    for table in _numbered():
        highest = sa.select(sa.func.max(table.c.seq))
        if connection.dialect.name == "sqlite":
            query = sa.text("SELECT seq FROM sqlite_sequence WHERE name = :name")
            given = connection.execute(query, {"name": table.name}).scalar()
        else:
            given = connection.execute(
                sa.text("SELECT pg_sequence_last_value(pg_get_serial_sequence(:name, 'seq'))"),
                {"name": table.name},
            ).scalar()
        found[table.name] = int(given or connection.execute(highest).scalar() or 0)
    return found


def fill(connection: sa.Connection, batch: Batch) -> None:
    """Write rows into an empty database.

    Raises:
        ArchiveUnusable: a table or column that the database does not have.
    """
    there = sa.inspect(connection)
    wanted = [*batch.columns, *batch.binary]
    if not there.has_table(batch.table) or batch.table == changes.name:
        raise ArchiveUnusable("The backup holds a table that this Mien does not know.")
    known = {column["name"] for column in there.get_columns(batch.table)}
    if set(wanted) - known or len(set(wanted)) != len(wanted):
        raise ArchiveUnusable("The backup holds a column that this Mien does not know.")
    each = len(batch.binary)
    values = [
        dict(zip(wanted, [*row, *batch.blobs[i * each : (i + 1) * each]], strict=True))
        for i, row in enumerate(batch.rows)
    ]
    if values:
        table = sa.table(batch.table, *(sa.column(name) for name in wanted))
        connection.execute(table.insert(), values)


def number_on(connection: sa.Connection, numbers: Mapping[str, int]) -> None:
    """Number rows on from where the other database was; ``numbers``: its :func:`sequences`."""
    for table in _numbered():
        _number_from(connection, table, int(numbers.get(table.name, 0)))


def begin_changes_anew(connection: sa.Connection) -> None:
    """Number the changes of every group on from where no index and no node has been."""
    now = time.time_ns() // 1_000_000
    for row in connection.execute(sa.select(groups.c.seq, groups.c.version)).all():
        version = max(row.version + 1, now)
        known = groups.update().where(groups.c.seq == row.seq)
        connection.execute(known.values(version=version, changes_from=version - 1))
        face = connection.execute(
            sa.select(faces.c.person_seq, faces.c.seq)
            .join(members, members.c.person_seq == faces.c.person_seq)
            .where(members.c.group_seq == row.seq)
            .limit(1)
        ).first()
        person_seq, face_seq = face or (0, 0)
        connection.execute(changes.delete().where(changes.c.group_seq == row.seq))
        connection.execute(
            changes.insert().values(
                group_seq=row.seq, version=version, person_seq=person_seq, face_seq=face_seq
            )
        )


def drop_all(connection: sa.Connection, version_table: str) -> None:
    """Drop every table of a PostgreSQL database, in the transaction that fills it anew."""
    quote = connection.dialect.identifier_preparer.quote
    names = [version_table, *(table.name for table in metadata.sorted_tables)]
    for name in names:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {quote(name)} CASCADE")
    for name in _FUNCTIONS:
        connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS {quote(name)}() CASCADE")


def _number_from(connection: sa.Connection, table: sa.Table, least: int) -> None:
    highest = connection.execute(sa.select(sa.func.max(table.c.seq))).scalar() or 0
    last = max(least, highest)
    if not last:
        return
    values = {"name": table.name, "last": last}
    if connection.dialect.name == "sqlite":
        forget = "DELETE FROM sqlite_sequence WHERE name = :name"
        connection.execute(sa.text(forget), values)
        keep = "INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"
        connection.execute(sa.text(keep), values)
    else:
        set_last = "SELECT setval(pg_get_serial_sequence(:name, 'seq'), :last)"
        connection.execute(sa.text(set_last), values)


def _numbered() -> list[sa.Table]:
    return [
        table
        for table in metadata.sorted_tables
        if "seq" in table.c and [column.name for column in table.primary_key] == ["seq"]
    ]


def _raw(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    if isinstance(column.type, UtcTime):
        return sa.type_coerce(column, sa.BigInteger).label(column.name)
    return column
