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

from mien.errors import AlreadyExists, ConfigurationError, GalleryUnavailable, NotFound

__all__ = ["Database"]

_POOL = 8
_OVERFLOW = 120

_REASONS = {
    "SQLITE_BUSY": "is locked by another program: try again, or stop that program",
    "SQLITE_LOCKED": "is locked by another program: try again, or stop that program",
    "SQLITE_READONLY": "is read-only: allow writing to the file and its folder",
    "SQLITE_FULL": "cannot grow, because the disk is full: free some space",
    "SQLITE_CANTOPEN": "cannot be opened: check that its folder exists and can be read and written",
    "SQLITE_PERM": "cannot be opened: check the permissions of the file and its folder",
    "SQLITE_IOERR": "cannot be read or written: check the disk",
    "SQLITE_CORRUPT": "is damaged: restore it from a backup; it has not been changed",
    "SQLITE_NOTADB": "is not a database: name another file; it has not been changed",
}


class Database:
    """One SQL database. Safe to use from several threads, not across ``fork``.

    Args:
        url: ``sqlite:///relative/file.db`` or ``sqlite:////absolute/file.db``.
        create: make the file (mode 0600) and its folder (0700) where they are missing.
        timeout_s: how long a write waits for another writer.

    Raises:
        ConfigurationError: a URL that cannot be used.
        NotFound: no such file, and ``create`` is False.
        GalleryUnavailable: the file or its folder cannot be made.
    """

    def __init__(self, url: str, *, create: bool = True, timeout_s: float = 10.0) -> None:
        parsed = _sqlite_url(url)
        database = parsed.database or ""
        is_uri = database.startswith("file:")
        self.name = Path(database.removeprefix("file:").partition("?")[0]).name
        self._pid = os.getpid()
        self._closed = False
        self._timeout_s = timeout_s
        # Threads of one process queue here in turn instead of polling the file's lock.
        self._writer = threading.Lock()
        if not is_uri:
            self._prepare(Path(database), create=create)
        self._engine = sa.create_engine(
            parsed,
            pool_size=_POOL,
            max_overflow=_OVERFLOW,
            pool_timeout=timeout_s,
            connect_args={"timeout": timeout_s},
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
            raise self._unavailable(_REASONS["SQLITE_BUSY"])
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

    def _prepare(self, path: Path, *, create: bool) -> None:
        if path.exists() or path.is_symlink():
            return
        if not create:
            raise NotFound(f"There is no gallery {self.name!r} yet: enrol somebody first.")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise self._unavailable(f"cannot be made: {error.strerror}") from None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        if self._closed:
            raise GalleryUnavailable("The gallery has been closed.")
        if os.getpid() != self._pid:
            raise GalleryUnavailable("The gallery was opened before a fork: open it again.")
        try:
            yield
        except exc.IntegrityError:
            raise AlreadyExists(
                f"The gallery {self.name!r} was given the same twice at one moment: try again."
            ) from None
        except exc.TimeoutError:
            raise self._unavailable("has no free connection: send fewer requests at once") from None
        except exc.DBAPIError as error:
            raise self._unavailable(_reason(error)) from None

    def _unavailable(self, reason: str) -> GalleryUnavailable:
        return GalleryUnavailable(f"The gallery {self.name!r} {reason}.")


def _sqlite_url(text: str) -> URL:
    try:
        url = make_url(text)
    except exc.ArgumentError:
        url = None
    if url is None or url.get_backend_name() != "sqlite":
        raise ConfigurationError("A gallery's URL looks like sqlite:///gallery.db.")
    if not url.database or url.database == ":memory:":
        raise ConfigurationError(
            "A gallery in memory would be lost at once: name a file, as in sqlite:///gallery.db."
        )
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


def _reason(error: exc.DBAPIError) -> str:
    name = getattr(error.orig, "sqlite_errorname", "") or ""
    for prefix, reason in _REASONS.items():
        if name.startswith(prefix):
            return reason
    return f"cannot be used ({name or type(error.orig).__name__})"
