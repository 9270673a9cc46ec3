"""Backup: every row of a gallery, of one moment, while it goes on serving and being written to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO

from mien.gallery.archive.frames import FrameWriter
from mien.gallery.gallery import Gallery
from mien.gallery.protect.stream import SealedWriter
from mien.gallery.records import audit, dump
from mien.gallery.records.migrate import HEAD
from mien.types import Result

__all__ = ["BackedUp", "backup"]


@dataclass(frozen=True, slots=True)
class BackedUp(Result):
    """What a backup holds.

    Attributes:
        key_id: id of the master key that opens it.
        rows: number of rows of each table that is not empty.
    """

    key_id: str
    rows: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """``{"key_id", "rows"}``."""
        return {"key_id": self.key_id, "rows": self.rows}


def backup(gallery: Gallery, file: BinaryIO) -> BackedUp:
    """Write a whole gallery, all applications, into a stream, encrypted under the master key.

    The database is read in one transaction (SQLite's log keeps its state, PostgreSQL's
    ``REPEATABLE READ`` does): searches and writers go on, and nothing of what they write meanwhile
    is in the backup. It needs no more memory for a million faces than for a thousand.

    Args:
        gallery: any application's view of it.
        file: takes bytes; need not be able to seek.

    Raises:
        ArchiveUnusable: the stream does not take it.
        KeyMissing, KeyMismatch: the master key is not the gallery's.
    """
    database = gallery._database
    with database.writing() as connection:
        audit.append(
            connection,
            application_seq=None,
            actor=gallery._actor,
            action="gallery.backup",
            subject="gallery",
        )
    with database.snapshot() as connection:
        key = database.vault.master(connection)
        with SealedWriter(file, key) as sealed:
            writer = FrameWriter(sealed, "backup", database=database.dialect, schema=HEAD)
            for batch in dump.batches(connection):
                lengths = iter(map(len, batch.blobs))
                rows = [[*row, *(next(lengths) for _ in batch.binary)] for row in batch.rows]
                writer.rows(
                    batch.table,
                    rows,
                    batch.blobs,
                    columns=list(batch.columns),
                    binary=list(batch.binary),
                )
            written = dict(writer.counts)
            writer.rows("sequences", [list(one) for one in dump.sequences(connection).items()])
            writer.end()
    return BackedUp(key.current, written)
