"""Where a backup is restored to: a database that is new, or takes another's place at once."""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from mien.errors import AlreadyExists, GalleryUnavailable
from mien.gallery.index.snapshots import Snapshots
from mien.gallery.protect import KeyWrapper
from mien.gallery.records import dump
from mien.gallery.records.database import Database
from mien.gallery.records.migrate import VERSION_TABLE, revision, upgrade

__all__ = ["Keys", "new_database", "sqlite_url"]

Keys = Callable[[bool], KeyWrapper]
"""Gives the master keys, as :class:`Database` wants them."""


@contextmanager
def new_database(
    url: str, *, keys: Keys | None, replace: bool, schema: str
) -> Iterator[tuple[Database, sa.Connection]]:
    """A transaction in a database with empty tables, which takes effect when the block ends well.

    Args:
        url: of the gallery that it becomes.
        keys: gives the master keys; None: those of the settings.
        replace: put it in the place of the gallery that is there.
        schema: number of the tables' version.

    Raises:
        AlreadyExists: there is a gallery and ``replace`` is False.
        GalleryUnavailable: the database cannot be used, or is in use.
    """
    file = _file_of(url)
    if file is not None:
        with _new_file(file, keys=keys, replace=replace, schema=schema) as made:
            yield made
        return
    database = Database(url, keys=keys)
    try:
        database.prepare()
        with database.writing() as connection:
            if revision(connection, database.name) is not None:
                _refuse_unless(replace, database.name)
                dump.drop_all(connection, VERSION_TABLE)
            upgrade(connection, schema)
            yield database, connection
    finally:
        database.close()


def sqlite_url(file: Path) -> str:
    """The URL of a gallery in that file."""
    return "sqlite:///" + quote(str(file.absolute()), safe="/\\: ")  # % and ? mean something


def _file_of(url: str) -> Path | None:
    """The file of a gallery in SQLite; whatever else it is, the database says."""
    with suppress(sa.exc.ArgumentError, ValueError):
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            return Path(parsed.database).absolute()
    return None


@contextmanager
def _new_file(
    file: Path, *, keys: Keys | None, replace: bool, schema: str
) -> Iterator[tuple[Database, sa.Connection]]:
    """Fill a file beside it, which then gets its name."""
    there = file.exists() and file.stat().st_size > 0
    if there:
        _refuse_unless(replace, file.name)
    part = file.with_name(f".{file.name}.{uuid.uuid4().hex[:12]}.part")
    try:
        database = Database(sqlite_url(part), keys=keys)
        try:
            database.prepare()
            with database.writing() as connection:
                upgrade(connection, schema)
                yield database, connection
            database.forget_deleted()
        finally:
            database.close()
        _sync(part)
        with _alone(file) if there else _first(file):
            part.replace(file)
            _sync(file.parent)
        if there:
            _forget_index(file)
    except OSError as error:
        raise GalleryUnavailable(
            f"The gallery {file.name!r} cannot be written: {error.strerror}."
        ) from None
    finally:
        for end in ("", "-wal", "-shm"):
            with suppress(OSError):
                part.with_name(part.name + end).unlink(missing_ok=True)


def _forget_index(file: Path) -> None:
    """Delete the snapshots of the gallery that was replaced: whom they hold may be gone."""
    snapshots = Snapshots(file.with_name(f"{file.name}-index"))
    for group in snapshots.groups():
        snapshots.drop(group)


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Nobody has the old file open, and its log is gone: else it would be applied to the new one.

    Raises:
        GalleryUnavailable: somebody has it open, or it is a database of another program.
    """
    with closing(sqlite3.connect(file, timeout=1.0, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = DELETE").fetchall()
            connection.execute("BEGIN EXCLUSIVE")
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        except sqlite3.OperationalError as error:
            raise GalleryUnavailable(
                f"The gallery {file.name!r} cannot be replaced ({error}): stop every process of "
                "Mien first. It has not been changed."
            ) from None
        except sqlite3.DatabaseError:
            connection.close()  # it is no database any more: what is beside it is of no use
            tables = set()
        if tables and VERSION_TABLE not in tables:
            raise GalleryUnavailable(
                f"{file.name!r} is a database of another program: name another file. It has not "
                "been changed."
            )
        _clear(file)
        yield


@contextmanager
def _first(file: Path) -> Iterator[None]:
    """There is no old file; a log that it left behind would be applied to the new one."""
    _clear(file)
    yield


def _clear(file: Path) -> None:
    for end in ("-wal", "-shm"):
        file.with_name(file.name + end).unlink(missing_ok=True)


def _refuse_unless(replace: bool, name: str) -> None:
    if not replace:
        raise AlreadyExists(
            f"There is a gallery {name!r} already: name another, or say that it is replaced "
            "(--replace)."
        )


def _sync(place: Path) -> None:
    if os.name != "posix" and place.is_dir():
        return
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
