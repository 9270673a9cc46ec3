"""SearchLog: searches in the audit log, many in one transaction when many come at once.

The chain of an application's entries has one end, so its writers wait for each other, and each
transaction waits for the disk. Whoever gets the turn writes down everything that has gathered
meanwhile: under load one transaction serves many searches, and no search is answered before its
entries are durable.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mien.gallery.records import audit
from mien.gallery.records.audit import NewEntry

if TYPE_CHECKING:
    from mien.gallery.records.database import Database

__all__ = ["SearchLog"]


@dataclass(slots=True, eq=False)
class _Search:
    application_seq: int
    entries: Sequence[NewEntry]
    done: bool = False
    error: BaseException | None = field(default=None)


class SearchLog:
    """Writes searches down. Safe to use from several threads.

    Args:
        database: whose audit log it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._gathered: list[_Search] = []
        self._guard = threading.Lock()
        self._turn = threading.Lock()

    def write(self, application_seq: int, entries: Sequence[NewEntry]) -> None:
        """Write down one search; it is durable when this returns.

        Raises:
            GalleryUnavailable: it could not be written.
            KeyMissing, KeyMismatch: the master key is not the gallery's.
        """
        mine = _Search(application_seq, entries)
        with self._guard:
            self._gathered.append(mine)
        with self._turn:
            if not mine.done:
                with self._guard:
                    batch, self._gathered = self._gathered, []
                self._write_all(batch)
        if mine.error is not None:
            raise mine.error

    def _write_all(self, batch: list[_Search]) -> None:
        by_application: defaultdict[int, list[_Search]] = defaultdict(list)
        for one in batch:
            by_application[one.application_seq].append(one)
        for application_seq, searches in by_application.items():
            error: BaseException | None = None
            try:
                with self._database.writing(application_seq) as connection:
                    entries = [entry for one in searches for entry in one.entries]
                    audit.append_all(connection, application_seq=application_seq, entries=entries)
            except BaseException as raised:  # those who wait have to know, whatever it is
                error = raised
            for one in searches:
                one.done, one.error = True, error
