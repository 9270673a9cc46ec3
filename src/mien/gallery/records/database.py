"""The database: connections, transactions, and its complaints as errors of Mien."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import ConnectionPoolEntry

from mien.errors import AlreadyExists, ConfigurationError, GalleryUnavailable
from mien.gallery.records.file import BUSY, DatabaseFile, reason_of

__all__ = ["Database"]

_POOL = 8
_OVERFLOW = 120
_DRIVERS = ("sqlite", "sqlite+pysqlite")


class Database:
    """One SQL database. Safe to use from several threads, not across ``fork``.

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

    def __init__(self, url: str, *, create: bool = True, timeout_s: float = 10.0) -> None:
        parsed = _sqlite_url(url)
        self._file = DatabaseFile(Path(parsed.database or ""), create=create, timeout_s=timeout_s)
        self.name = self._file.name
        self._pid = os.getpid()
        self._closed = False
        self._timeout_s = timeout_s
        # Threads of one process queue here in turn instead of polling the file's lock.
        self._writer = threading.Lock()
        self._engine = sa.create_engine(
            parsed,
            creator=self._file.connect,
            pool_size=_POOL,
            max_overflow=_OVERFLOW,
            pool_timeout=timeout_s,
        )
        event.listen(self._engine, "connect", _configure)
        event.listen(self._engine, "begin", _begin)
        self._snapshots = self._engine.execution_options(mien_begin="BEGIN")
        self._writes = self._engine.execution_options(mien_begin="BEGIN IMMEDIATE")

    @property
    def dialect(self) -> str:
        """``sqlite``."""
        return self._engine.dialect.name

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection whose statements each see the newest committed state."""
        with self._translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[sa.Connection]:
        """A connection whose statements all see one committed state."""
        with self._translated(), self._snapshots.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """The only writer's connection: all or nothing, durable once the block has been left."""
        if not self._writer.acquire(timeout=self._timeout_s):
            raise self._file.unavailable(BUSY)
        try:
            with self._translated(), self._writes.begin() as connection:
                yield connection
        finally:
            self._writer.release()

    def set_journal(self) -> None:
        """Switch a new SQLite file to write-ahead logging, which the file remembers."""
        with self.reading() as connection:
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
            if mode != "wal":
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")

    def close(self) -> None:
        """Close every connection; the database refuses further use."""
        self._closed = True
        self._engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        if self._closed:
            raise GalleryUnavailable("The gallery has been closed.")
        if os.getpid() != self._pid:
            raise GalleryUnavailable("The gallery was opened before a fork: open it again.")
        # A search in a deleted gallery is refused like a write: it was deleted on purpose. After
        # the block too, so that nothing is acknowledged that went into a file without a name.
        self._file.check()
        try:
            yield
        except exc.IntegrityError:
            raise AlreadyExists(
                f"The gallery {self.name!r} was given the same twice at one moment: try again."
            ) from None
        except exc.TimeoutError:
            raise self._file.unavailable(
                "has no free connection: send fewer requests at once"
            ) from None
        except exc.DBAPIError as error:
            self._file.check()
            raise self._file.unavailable(reason_of(error.orig)) from None
        self._file.check()


def _sqlite_url(text: str) -> URL:
    try:
        url = make_url(text)
    except exc.ArgumentError:
        url = None
    if url is None or url.drivername not in _DRIVERS:
        raise ConfigurationError("A gallery's URL looks like sqlite:///gallery.db.")
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
    return url


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
    statement = connection.get_execution_options().get("mien_begin")
    if statement is not None:
        connection.exec_driver_sql(statement)
