"""The database: connections, transactions, and its complaints as errors of Mien."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import make_url

from mien import config
from mien.errors import AlreadyExists, ConfigurationError, GalleryUnavailable, InvalidArgument
from mien.gallery.protect import KeyWrapper, key_ring
from mien.gallery.records import postgres, sqlite
from mien.gallery.records.backend import Backend, Engines
from mien.gallery.records.search_log import SearchLog
from mien.gallery.records.vault import OPTION, Vault

__all__ = ["Database"]


class Database:
    """One SQL database. Safe to use from several threads, not across ``fork``.

    Args:
        url: ``sqlite:///relative/file.db``, ``sqlite:////absolute/file.db`` or
            ``postgresql://user@host/database``.
        create: make the file or the tables where they are missing; without it, a file that cannot
            be written is opened for reading.
        timeout_s: how long a write waits for another writer.
        keys: gives the master keys when they are first needed, see :class:`Vault`; None: those of
            the settings.

    Raises:
        ConfigurationError: a URL that cannot be used.
        NotFound: no such file, and ``create`` is False.
        GalleryUnavailable: the file or its folder cannot be made or read.
    """

    def __init__(
        self,
        url: str,
        *,
        create: bool = True,
        timeout_s: float = 10.0,
        keys: Callable[[bool], KeyWrapper] | None = None,
    ) -> None:
        self._backend = _backend(url, create=create, timeout_s=timeout_s)
        self.vault = Vault(keys or _keys_of_settings)
        # Connections carry the keys, so that whoever reads a template finds them.
        self._engines = Engines(
            *(
                engine.execution_options(**{OPTION: self.vault})
                for engine in (
                    self._backend.engines.reading,
                    self._backend.engines.snapshots,
                    self._backend.engines.writes,
                    self._backend.engines.brief,
                )
            )
        )
        self.name = self._backend.name
        self.file = self._backend.file
        self.makes_tables = self._backend.makes_tables
        self.searches = SearchLog(self)
        self._pid = os.getpid()
        self._closed = False
        self._engine = self._engines.reading
        self._driver_error = self._engine.dialect.loaded_dbapi.Error

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection whose statements each see the newest committed state."""
        with self._translated(), self._engines.reading.connect() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[sa.Connection]:
        """A connection whose statements all see one committed state."""
        with self._translated(), self._engines.snapshots.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, application: int | None = None) -> Iterator[sa.Connection]:
        """The only writer's connection: all or nothing, durable once the block has been left.

        Args:
            application: number of the application whose rows are written and read. Writers of
                other applications may go on meanwhile, where the database can do that. None:
                anything may be written, and nobody else writes.
        """
        with (
            self._backend.turn(application),
            self._translated(),
            self._engines.writes.begin() as connection,
        ):
            self._backend.begin(connection, application)
            yield connection

    @contextmanager
    def touching(self, *, brief: bool = False) -> Iterator[sa.Connection]:
        """A transaction for times of use and the like: in PostgreSQL it waits for no other writer.

        What it writes must not depend on what it reads, nor anything else on what it writes.

        Args:
            brief: in SQLite, hardly wait for another writer: what is written may be left out.
        """
        if self.dialect == "sqlite":
            engine = self._engines.brief if brief else self._engines.writes
            with (
                self._backend.turn(None, brief=brief),
                self._translated(),
                engine.begin() as connection,
            ):
                yield connection
            return
        with self._translated(), self._engines.writes.begin() as connection:
            yield connection

    def prepare(self) -> None:
        """Make a database without tables ready for them."""
        with self._translated():
            self._backend.prepare()

    def forget_deleted(self) -> None:
        """Let nothing of what was deleted stay in the database's own log, as far as that is ours.

        SQLite's log is emptied (deleted content is overwritten in the file itself already).
        PostgreSQL's log lives on for a while by the server's rules: there a destroyed key counts.
        """
        with self._translated():
            self._backend.forget_deleted()

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
        self._backend.check()
        try:
            yield
        except exc.IntegrityError:
            raise AlreadyExists(
                f"The gallery {self.name!r} was given the same twice at one moment: try again."
            ) from None
        except exc.DataError:  # PostgreSQL takes no NUL in a text, not even to compare
            raise InvalidArgument(
                "The database takes no such value: a text with a NUL in it, or a number too large."
            ) from None
        except exc.TimeoutError:
            raise self._backend.unavailable(
                "has no free connection: send fewer requests at once"
            ) from None
        except exc.PendingRollbackError:  # somebody has gone on after the error that broke it off
            raise self._backend.unavailable("has ended the connection") from None
        except exc.DBAPIError as error:
            self._backend.check()
            raise self._backend.unavailable(self._backend.reason_of(error.orig)) from None
        except self._driver_error as error:
            raise self._backend.unavailable(self._backend.reason_of(error)) from None
        self._backend.check()


def _backend(text: str, *, create: bool, timeout_s: float) -> Backend:
    try:
        url = make_url(text)
    except (exc.ArgumentError, ValueError):
        url = None
    if url is not None and url.drivername in sqlite.DRIVERS:
        return sqlite.SqliteBackend(url, create=create, timeout_s=timeout_s)
    if url is not None and url.drivername in postgres.DRIVERS:
        return postgres.PostgresBackend(url, create=create, timeout_s=timeout_s)
    raise ConfigurationError(
        "A gallery's URL looks like sqlite:///gallery.db or postgresql://user@host/database."
    )


def _keys_of_settings(create: bool) -> KeyWrapper:
    return key_ring(config.load(), create=create)
