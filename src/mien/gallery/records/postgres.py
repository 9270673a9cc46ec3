"""PostgreSQL: one server for several nodes, one writer at a time in an application.

Every transaction that writes takes the application's advisory lock first. So the writes of an
application happen one after the other, as in SQLite: counters, versions and names need no locks of
their own, nothing can deadlock, and nothing has to be tried again. A write to the whole gallery (a
migration, a new application) takes the gallery's lock, which every other writer holds shared.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry

from mien.errors import ConfigurationError, GalleryUnavailable
from mien.gallery.records.backend import BRIEF_S, Engines

if TYPE_CHECKING:
    import psycopg

__all__ = ["DRIVERS", "PostgresBackend"]

DRIVERS = ("postgresql", "postgresql+psycopg")
"""The schemes of its URLs."""

_POOL = 8
_OVERFLOW = 12
_LOCK_CLASS = 0x6D69656E  # "mien": our advisory locks among those of other programs
_GALLERY = 0
_SET = (
    "SELECT set_config('lock_timeout', :wait_ms, true),"
    " set_config('idle_in_transaction_session_timeout', '60s', true)"
)
_LOCK_GALLERY = sa.text(f"{_SET}, pg_advisory_xact_lock({_LOCK_CLASS}, {_GALLERY})")
_LOCK_APPLICATION = sa.text(
    f"{_SET}, pg_advisory_xact_lock_shared({_LOCK_CLASS}, {_GALLERY}),"
    f" pg_advisory_xact_lock({_LOCK_CLASS}, :application)"
)
_QUERY = (
    "host", "port", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "channel_binding",
    "target_session_attrs", "gssencmode", "passfile", "connect_timeout",
)  # fmt: skip
_BUSY = "is busy with another write: try again"
_REASONS = {
    "08": "has lost its PostgreSQL server: try again when it runs",
    "25006": "is read-only, such as on a standby server: write to the primary",
    "28": "does not let this user in: check the user and the password",
    "3D000": "does not exist on the server: create the database",
    "40": "was changed by another program at the same moment: try again",
    "42501": "cannot be used: the user lacks the rights to its tables",
    "42P01": "has lost its tables: restore a backup",
    "53100": "cannot grow, because the server's disk is full: free some space",
    "53300": "has no free connection on the server: raise max_connections, or run fewer processes",
    "53": "cannot be used, because the server lacks memory or space",
    "55P03": _BUSY,
    "57014": _BUSY,
    "57P": "has lost its PostgreSQL server: try again when it runs",
    "58": "cannot be read or written: check the server's disk",
    "XX": "is damaged, or its server is: look into the server's log",
}
_UNREACHABLE = (
    "cannot be reached: check that the PostgreSQL server runs, and takes this user, password and "
    "database"
)


class PostgresBackend:
    """A :class:`mien.gallery.records.backend.Backend` on a PostgreSQL server.

    Args:
        url: ``postgresql://user@host/database``; what is missing comes from libpq's own variables
            (``PGPASSWORD``, ``PGHOST``, ...) and password file.
        create: make the tables where they are missing.
        timeout_s: how long a write waits for another writer, and a connection for the server.

    Raises:
        ConfigurationError: a URL that cannot be used, or psycopg is not installed.
    """

    def __init__(self, url: URL, *, create: bool, timeout_s: float) -> None:
        _check(url)
        self.name = url.database or ""
        self.file: Path | None = None
        self.makes_tables = create
        self._timeout_s = timeout_s
        self._guard = threading.Lock()
        # Threads that wait here hold no connection.
        self._writers: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)
        engine = _engine(url, timeout_s)
        self.engines = Engines(
            engine.execution_options(isolation_level="AUTOCOMMIT"),
            engine.execution_options(isolation_level="REPEATABLE READ"),
            engine.execution_options(isolation_level="READ COMMITTED"),
            engine.execution_options(isolation_level="READ COMMITTED"),
        )

    @contextmanager
    def turn(self, application: int | None, *, brief: bool = False) -> Iterator[None]:
        """One writer of an application at a time."""
        with self._guard:
            writer = self._writers[application or _GALLERY]
        if not writer.acquire(timeout=BRIEF_S if brief else self._timeout_s):
            raise self.unavailable(_BUSY)
        try:
            yield
        finally:
            writer.release()

    def begin(self, connection: sa.Connection, application: int | None) -> None:
        """Take the application's lock, or the gallery's, until the transaction ends."""
        wait = {"wait_ms": str(max(1, round(self._timeout_s * 1000)))}
        if application is None:
            connection.execute(_LOCK_GALLERY, wait)
        else:
            number = application % 0x7FFF_FFFF + 1  # any number but the gallery's, in 31 bits
            connection.execute(_LOCK_APPLICATION, {**wait, "application": number})

    def prepare(self) -> None:
        """Refuse a database whose texts are not Unicode."""
        with self.engines.reading.connect() as connection:
            if connection.exec_driver_sql("SHOW server_encoding").scalar() != "UTF8":
                raise ConfigurationError(
                    f"The database {self.name!r} must have the encoding UTF8: create it anew."
                )

    def forget_deleted(self) -> None:
        """The server's log is its own; what it still holds was sealed with a key that is gone."""

    def check(self) -> None:
        """A server's database cannot be swapped under a connection."""

    def unavailable(self, reason: str) -> GalleryUnavailable:
        """An error that names the database, not its server or user."""
        return GalleryUnavailable(f"The gallery {self.name!r} {reason}.")

    def reason_of(self, error: BaseException | None) -> str:
        """What an error of PostgreSQL means for the user."""
        state = getattr(error, "sqlstate", None)
        if state is None:
            return _UNREACHABLE
        for prefix in (state, state[:3], state[:2]):
            if prefix in _REASONS:
                return _REASONS[prefix]
        return f"cannot be used (SQLSTATE {state})"


def _check(url: URL) -> None:
    parts = (url.database, url.host, url.username, url.password)
    if not url.database or any("\x00" in str(part) for part in parts):
        raise ConfigurationError(
            "Name the gallery's database, as in postgresql://user@host/database."
        )
    unknown = sorted(set(url.query) - set(_QUERY))
    if unknown:
        raise ConfigurationError(
            f"A gallery's URL has no option {unknown[0][:32]!r}; PostgreSQL takes "
            f"{', '.join(_QUERY)}."
        )


def _engine(url: URL, timeout_s: float) -> sa.Engine:
    seconds = str(max(2, round(timeout_s)))  # libpq takes whole seconds, 2 at least
    connect = {
        "connect_timeout": seconds,
        "application_name": "mien",
        "client_encoding": "utf8",
        # A server that has gone without a word is noticed within about half a minute.
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }
    try:
        engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            hide_parameters=True,  # names and sealed templates
            connect_args={name: v for name, v in connect.items() if name not in url.query},
            pool_size=_POOL,
            max_overflow=_OVERFLOW,
            pool_timeout=timeout_s,
            pool_pre_ping=True,
            use_native_hstore=False,
        )
        from mien.gallery.records.binary import BinaryCursor, BinaryServerCursor
    except ImportError:
        raise ConfigurationError(
            "A gallery in PostgreSQL needs the extra 'postgres': pip install 'mien[postgres]'."
        ) from None

    def configure(connection: psycopg.Connection, _entry: ConnectionPoolEntry) -> None:
        connection.cursor_factory = BinaryCursor
        connection.server_cursor_factory = BinaryServerCursor

    event.listen(engine, "connect", configure)
    return engine
