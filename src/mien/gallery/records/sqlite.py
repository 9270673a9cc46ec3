"""SQLite: one file, one writer at a time, readers that never wait."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry

from mien.errors import ConfigurationError, GalleryUnavailable
from mien.gallery.records.backend import BRIEF_S, Engines
from mien.gallery.records.file import BUSY, DatabaseFile, FileConnection, reason_of

__all__ = ["DRIVERS", "SqliteBackend"]

DRIVERS = ("sqlite", "sqlite+pysqlite")
"""The schemes of its URLs."""

_log = logging.getLogger(__name__)

_POOL = 8
_OVERFLOW = 120
_BRIEF = "mien_brief"


class SqliteBackend:
    """A :class:`mien.gallery.records.backend.Backend` in one file.

    Args:
        url: ``sqlite:///relative/file.db`` or ``sqlite:////absolute/file.db``.
        create: make the file (mode 0600) and its folder (0700) where they are missing; without
            it, a file that cannot be written is opened for reading.
        timeout_s: how long a write waits for another writer.

    Raises:
        ConfigurationError: a URL that cannot be used.
        NotFound: no such file, and ``create`` is False.
        GalleryUnavailable: the file or its folder cannot be made or read.
    """

    makes_tables = True  # whether the file may be made, was decided when it was opened

    def __init__(self, url: URL, *, create: bool, timeout_s: float) -> None:
        _check(url)
        self._file = DatabaseFile(Path(url.database or ""), create=create, timeout_s=timeout_s)
        self.name = self._file.name
        self.file: Path | None = Path(url.database or "").absolute()
        self._timeout_s = timeout_s
        # Threads of one process queue here in turn instead of polling the file's lock.
        self._writer = threading.Lock()
        engine = sa.create_engine(
            url,
            hide_parameters=True,  # names and sealed templates
            creator=self._file.connect,
            pool_size=_POOL,
            max_overflow=_OVERFLOW,
            pool_timeout=timeout_s,
        )
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
        event.listen(engine, "checkin", self._leave_nothing_behind)
        self.engines = Engines(
            engine,
            engine.execution_options(mien_begin="BEGIN"),
            engine.execution_options(mien_begin="BEGIN IMMEDIATE"),
            engine.execution_options(**{"mien_begin": "BEGIN IMMEDIATE", _BRIEF: True}),
        )

    @contextmanager
    def turn(self, application: int | None, *, brief: bool = False) -> Iterator[None]:
        """One writer at a time, whatever the application."""
        if not self._writer.acquire(timeout=BRIEF_S if brief else self._timeout_s):
            raise self.unavailable(BUSY)
        try:
            yield
        finally:
            self._writer.release()

    def begin(self, connection: sa.Connection, application: int | None) -> None:
        """``BEGIN IMMEDIATE`` has taken the lock already."""

    def prepare(self) -> None:
        """Switch a new file to write-ahead logging, which the file remembers."""
        with self.engines.reading.connect() as connection:
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
            if mode != "wal":
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")

    def forget_deleted(self) -> None:
        """Bring the log into the file and cut it to nothing.

        A reader of another process may hold it up, or a full disk: then a later checkpoint does
        it, and what is left was sealed with a key that is gone.
        """
        try:
            with self.engines.reading.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
        except exc.DBAPIError as error:  # what was deleted is deleted: that is acknowledged
            _log.warning(
                "The log of the gallery %r is not emptied: the gallery %s.",
                self.name,
                self.reason_of(error.orig),
            )

    def check(self) -> None:
        """Refuse a file that was deleted, moved or replaced."""
        self._file.check()

    def unavailable(self, reason: str) -> GalleryUnavailable:
        """An error that names the file by its last part only."""
        return self._file.unavailable(reason)

    def reason_of(self, error: BaseException | None) -> str:
        """What an error of SQLite means for the user."""
        return reason_of(error)

    def _leave_nothing_behind(
        self, connection: FileConnection | None, entry: ConnectionPoolEntry
    ) -> None:
        """What one user of a pooled connection has done must not reach the next one."""
        if connection is None:
            return
        connection.end_reads()
        if entry.info.pop(_BRIEF, False):
            connection.execute(f"PRAGMA busy_timeout = {round(self._timeout_s * 1000)}")


def _check(url: URL) -> None:
    if url.query or url.host or url.username or url.password or url.port:
        raise ConfigurationError(
            "A gallery's URL names a file and nothing else, as in sqlite:///gallery.db: no host, "
            "no user and no options after a '?'."
        )
    database = url.database or ""
    if database in ("", ":memory:"):
        raise ConfigurationError(
            "A gallery in memory would be lost at once: name a file, as in sqlite:///gallery.db."
        )
    if database.startswith("file:") or "\x00" in database:
        raise ConfigurationError("Name the gallery's file itself, as in sqlite:///gallery.db.")


def _configure(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # Transactions are begun by _begin, never by the driver, which would begin them too late.
    connection.isolation_level = None
    for pragma in (
        "foreign_keys = ON",
        "synchronous = FULL",  # a commit has reached the disk when it returns
        "secure_delete = ON",  # a deleted template is overwritten, not only unlinked
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    statement = options.get("mien_begin")
    if options.get(_BRIEF):
        connection.info[_BRIEF] = True
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {round(BRIEF_S * 1000)}")
    if statement is not None:
        connection.exec_driver_sql(statement)
