"""Turns: one process at a time does something to a group that lies outside of the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from filelock import FileLock, Timeout

from mien.errors import GalleryUnavailable
from mien.gallery.records.database import Database

__all__ = ["turn"]

_LOCK_CLASS = 0x6D697831  # "mix1": apart from the locks of transactions that write
_TAKE = sa.text(
    "SELECT set_config('lock_timeout', :wait_ms, true),"
    f" pg_advisory_xact_lock({_LOCK_CLASS}, :number)"
)


@contextmanager
def turn(database: Database, group: int, *, timeout_s: float = 30.0) -> Iterator[None]:
    """Be the only one of all processes and nodes that is at a group's turn.

    In PostgreSQL it is an advisory lock, which goes with its connection; in SQLite a file lock
    beside the database, which goes with its process. It keeps nobody from the database itself.

    Raises:
        GalleryUnavailable: somebody else took longer than ``timeout_s``; or the database is away.
    """
    if database.dialect == "postgresql":
        with database.touching() as connection:
            wait = str(max(1, round(timeout_s * 1000)))
            connection.execute(_TAKE, {"wait_ms": wait, "number": group % 2**31})
            yield
        return
    with database.reading() as connection:
        path = connection.engine.url.database
    lock = FileLock(f"{path}.turn{group % 64}", timeout=timeout_s)
    try:
        lock.acquire()
    except (Timeout, OSError):
        raise GalleryUnavailable(
            "Another process is filling the index of this group, or the gallery's folder cannot be "
            "written: try again in a moment.",
            details={"retry_after_s": 2},
        ) from None
    try:
        yield
    finally:
        lock.release()
