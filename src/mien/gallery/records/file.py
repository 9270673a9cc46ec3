"""The file of a database: how it is opened, and whether it is still the one that was opened."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakSet

from mien.errors import GalleryUnavailable, NotFound

__all__ = ["BUSY", "DatabaseFile", "FileConnection", "reason_of"]

BUSY = "is locked by another program: try again, or stop that program"
"""What is wrong with a gallery that somebody else does not let go of."""

_REASONS = {
    "SQLITE_BUSY": BUSY,
    "SQLITE_LOCKED": BUSY,
    "SQLITE_READONLY": "is read-only: allow writing to the file and its folder",
    "SQLITE_FULL": "cannot grow, because the disk is full: free some space",
    "SQLITE_CANTOPEN": "cannot be opened: check that its folder exists and can be read and written",
    "SQLITE_PERM": "cannot be opened: check the permissions of the file and its folder",
    "SQLITE_IOERR": "cannot be read or written: check the disk",
    "SQLITE_CORRUPT": "is damaged: restore it from a backup; it has not been changed",
    "SQLITE_NOTADB": "is not a database: name another file; it has not been changed",
}
_GONE = "was deleted, moved or replaced while it was open: put it back, or open it again"
_UNFINISHED = (
    "is read-only, and has a log that cannot be read without writing: open it once where the file "
    "and its folder can be written"
)
_EFFECTIVE = os.access in os.supports_effective_ids
_WRITABLE, _READABLE, _FROZEN = "mode=rw", "mode=ro", "mode=ro&immutable=1"

_Identity = tuple[int, ...]


class FileConnection(sqlite3.Connection):
    """A connection that knows which of its cursors have not been read to their end.

    As long as there is one, whatever the connection reads is of the moment at which that cursor
    began to read, a rollback notwithstanding. Where an error broke a loop over rows off, that is
    for as long as anybody holds the error: its traceback holds the cursor.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - passed through
        super().__init__(*arguments, **options)
        self._cursors: WeakSet[sqlite3.Cursor] = WeakSet()

    def cursor(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - passed through
        """A cursor, as of any connection."""
        made = super().cursor(*arguments, **options)
        self._cursors.add(made)
        return made

    def end_reads(self) -> None:
        """Close what was not read to its end: the next statement sees the newest state."""
        for cursor in list(self._cursors):
            cursor.close()
        self._cursors.clear()


class DatabaseFile:
    """One SQLite file, opened by its path as often as connections are needed.

    Args:
        path: the file.
        create: make the file (mode 0600) and its folder (0700) where they are missing. Without
            it, a file that cannot be written is opened for reading.
        timeout_s: how long a statement waits for another process.

    Raises:
        NotFound: no such file, and ``create`` is False.
        GalleryUnavailable: the file or its folder cannot be made or read.
    """

    def __init__(self, path: Path, *, create: bool, timeout_s: float) -> None:
        self.name = path.name
        self._path = path.absolute()  # a process that changes its folder keeps its gallery
        self._timeout_s = timeout_s
        self._opened: _Identity | None = None
        with self._reachable():
            self._prepare(create=create)
        self._mode = _WRITABLE
        if not create and not self._can_be_written():
            self._mode = self._mode_for_reading()

    def connect(self) -> FileConnection:
        """A new connection to the file that was opened first.

        Raises:
            GalleryUnavailable: another file is in its place, or none.
            sqlite3.Error: it cannot be opened.
        """
        connection = self._open(self._mode)
        try:
            if self._opened is None:
                self._opened = self._identity()
            self.check()
        except BaseException:
            connection.close()
            raise
        return connection

    def check(self) -> None:
        """Refuse a file that is no longer the one that was opened; two system calls at most.

        Raises:
            GalleryUnavailable: it was deleted, moved or replaced; or changed by somebody, where
                it was opened as one that nobody can change.
        """
        if self._opened is not None and self._identity() != self._opened:
            raise self.unavailable(_GONE)

    def unavailable(self, reason: str) -> GalleryUnavailable:
        """An error that names the file by its last part only."""
        return GalleryUnavailable(f"The gallery {self.name!r} {reason}.")

    def _prepare(self, *, create: bool) -> None:
        if self._path.exists():
            return
        if not create:
            raise NotFound(f"There is no gallery {self.name!r} yet: enrol somebody first.")
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self.unavailable(f"cannot be made or reached: {error.strerror}") from None

    def _can_be_written(self) -> bool:
        places = (self._path, self._path.parent)
        return all(os.access(place, os.W_OK, effective_ids=_EFFECTIVE) for place in places)

    def _mode_for_reading(self) -> str:
        """How to open a file that cannot be written; SQLite's log needs a writable folder."""
        try:
            with closing(self._open(_READABLE)) as connection:
                connection.execute("SELECT COUNT(*) FROM sqlite_master")
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            if not name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
                return _READABLE  # the first use says what is wrong
            if self._log_bytes():
                raise self.unavailable(_UNFINISHED) from None
            return _FROZEN
        return _READABLE

    def _open(self, mode: str) -> FileConnection:
        return sqlite3.connect(
            f"{self._path.as_uri()}?{mode}",
            uri=True,
            timeout=self._timeout_s,
            check_same_thread=False,
            factory=FileConnection,
        )

    def _identity(self) -> _Identity:
        try:
            found = self._path.stat()
        except OSError:
            return ()
        if self._mode != _FROZEN:
            return found.st_dev, found.st_ino
        # SQLite takes no locks here, so somebody else's writing must show in what we look at.
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, self._log_bytes()

    def _log_bytes(self) -> int:
        try:
            return Path(f"{self._path.resolve()}-wal").stat().st_size
        except OSError:
            return 0


def reason_of(error: BaseException | None) -> str:
    """What an error of SQLite means for the user, as the end of a sentence."""
    name = getattr(error, "sqlite_errorname", "") or ""
    for prefix, reason in _REASONS.items():
        if name.startswith(prefix):
            return reason
    return f"cannot be used ({name or type(error).__name__})"
