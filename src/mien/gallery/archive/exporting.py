"""Exporting: an application, or some of its groups, into a stream that another gallery can import.

What is read is one state of the database, whatever is written meanwhile, and a batch at a time:
memory does not grow with the application.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, BinaryIO

import sqlalchemy as sa

from mien.gallery.archive.frames import FrameWriter
from mien.gallery.protect import KeyWrapper
from mien.gallery.protect.stream import SealedWriter
from mien.gallery.records import audit, portable
from mien.gallery.records.applications import ApplicationRow
from mien.gallery.records.groups import GroupRow

__all__ = ["write_archive"]

_ENTRIES = 1000


def write_archive(
    connection: sa.Connection,
    file: BinaryIO,
    *,
    key: KeyWrapper,
    application: ApplicationRow,
    rows: Sequence[GroupRow],
    everybody: bool,
    log: bool,
) -> dict[str, int]:
    """Write groups with their persons.

    Args:
        connection: that sees one state.
        file: where to.
        key: passphrase or key that opens it again.
        application: whose groups.
        rows: the groups.
        everybody: they are all groups of the application.
        log: with the application's audit log, as evidence.

    Returns:
        Rows of each kind.
    """
    inside = {row.seq: row.group.name for row in rows}
    with SealedWriter(file, key) as sealed:
        writer = FrameWriter(
            sealed,
            "archive",
            application={"id": application.application.id, "name": application.application.name},
            whole=everybody,
        )
        writer.rows("groups", [portable.group_facts(row) for row in rows])
        contracts = None if everybody else sorted({row.contract_seq for row in rows})
        for seqs, facts in portable.person_batches(
            connection, application.seq, inside, everybody=everybody
        ):
            writer.rows("persons", facts)
            for batch in portable.face_batches(connection, seqs, contracts):
                writer.rows("faces", batch.rows, batch.vectors, contract=asdict(batch.contract))
                for images, data in portable.images(connection, batch):
                    writer.rows("images", images, data)
        if log:
            _write_log(writer, connection, application.seq)
        writer.end()
        return dict(writer.counts)


def _write_log(writer: FrameWriter, connection: sa.Connection, application_seq: int) -> None:
    after = 0
    while entries := audit.page(
        connection, application_seq=application_seq, after=after, limit=_ENTRIES
    ):
        rows: list[dict[str, Any]] = [entry.to_dict() for entry in entries]
        writer.rows("log", rows)
        after = entries[-1].seq
