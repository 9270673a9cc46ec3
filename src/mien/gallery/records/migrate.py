"""Brings a database to the newest schema, or refuses one that it does not know."""

from __future__ import annotations

import logging

import sqlalchemy as sa

from mien.errors import GalleryUnavailable, NotFound
from mien.gallery.model import DEFAULT_APPLICATION
from mien.gallery.records import applications
from mien.gallery.records.database import Database
from mien.gallery.records.seal_old import is_sealed, seal_old

__all__ = ["HEAD", "VERSION_TABLE", "migrate", "revision", "upgrade"]

HEAD = "0006"
"""Number of the newest migration in ``migrations/versions``."""

VERSION_TABLE = "mien_schema"

_log = logging.getLogger(__name__)


def migrate(database: Database) -> None:
    """Apply the migrations that are missing, under the database's write lock.

    Two processes that open a new file at once are safe: the second waits, then finds nothing to
    do. An up-to-date database costs two reads, and Alembic is not imported.

    Raises:
        NotFound: there are no tables, and none are to be made.
        GalleryUnavailable: made by a newer Mien, not Mien's, damaged, locked or read-only.
    """
    with database.snapshot() as connection:
        found = revision(connection, database.name)
    if found == HEAD:
        _seal(database)
        return
    if found is None and not database.makes_tables:
        raise NotFound(f"There is no gallery {database.name!r} yet: enrol somebody first.")
    database.prepare()
    with database.writing() as connection:
        if revision(connection, database.name) != HEAD:
            upgrade(connection)
            applications.ensure(connection, DEFAULT_APPLICATION)
    _seal(database)


def _seal(database: Database) -> None:
    """Seal templates of before; a database that cannot be written is read as it is."""
    with database.reading() as connection:
        if is_sealed(connection):
            return
    try:
        seal_old(database)
    except GalleryUnavailable as error:
        _log.warning("Templates of an older Mien could not be sealed yet: %s", error.message)


def revision(connection: sa.Connection, name: str) -> str | None:
    """The schema's number; None for a database without tables.

    Raises:
        GalleryUnavailable: made by a newer Mien, or not Mien's.
    """
    tables = sa.inspect(connection).get_table_names()
    if VERSION_TABLE not in tables:
        if tables:
            raise GalleryUnavailable(
                f"{name!r} is a database of another program: name another file. It has not "
                "been changed."
            )
        return None
    column: sa.ColumnClause[str] = sa.column("version_num")
    found = connection.execute(sa.select(column).select_from(sa.table(VERSION_TABLE))).scalar()
    if found is not None and found > HEAD:
        raise GalleryUnavailable(
            f"The gallery {name!r} was made by a newer Mien: upgrade Mien.",
            details={"schema": found, "known": HEAD},
        )
    return found


def upgrade(connection: sa.Connection, upto: str = HEAD) -> None:
    """Apply the migrations that are missing up to ``upto``, in the caller's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "mien.gallery.records:migrations")
    command.upgrade(config, upto)
