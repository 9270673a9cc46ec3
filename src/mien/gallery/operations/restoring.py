"""Restore: a gallery as its backup says, except for who was erased since."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

import sqlalchemy as sa

from mien import config
from mien.errors import ArchiveUnusable, GalleryUnavailable, MienError, NotFound
from mien.gallery.archive.frames import Frame, FrameReader
from mien.gallery.gallery import Gallery
from mien.gallery.model import LIBRARY
from mien.gallery.protect import KeyWrapper, key_ring
from mien.gallery.protect.stream import SealedReader
from mien.gallery.records import audit, dump, restoring, tombstones
from mien.gallery.records.burying import bury
from mien.gallery.records.dump import Batch
from mien.gallery.records.migrate import HEAD, upgrade
from mien.gallery.records.tombstones import Tombstones
from mien.types import Result

__all__ = ["Restored", "restore"]

_WORD = 64
_SCHEMA = re.compile(r"\d{4}")


@dataclass(frozen=True, slots=True)
class Restored(Result):
    """What a restore did.

    Attributes:
        created_at: when the backup was made.
        rows: rows of each table, as the backup holds them.
        erased_persons, erased_faces, withdrawn_consents: what was taken out again, because it was
            erased or withdrawn since.
    """

    created_at: str
    rows: dict[str, int]
    erased_persons: int = 0
    erased_faces: int = 0
    withdrawn_consents: int = 0

    def to_dict(self) -> dict[str, Any]:
        """All attributes by name."""
        return asdict(self)


def restore(
    file: BinaryIO,
    url: str,
    *,
    keys: KeyWrapper | None = None,
    replace: bool = False,
    bring_back_erased: bool = False,
    erased: Collection[str] = (),
    actor: str = LIBRARY,
) -> Restored:
    """Make a gallery from a backup, all at once or not at all.

    A gallery in SQLite is filled beside its file and then gets its name; one in PostgreSQL is
    filled in one transaction. The backup may come from the other kind of database. Who was erased,
    and which consent was withdrawn, since the backup is read in the log of the gallery that is
    replaced; it is taken out again, and the log that is there afterwards says so.

    Args:
        file: gives the bytes; need not be able to seek.
        url: of the gallery that it becomes.
        keys: the master keys, which open the backup; None: those of the settings.
        replace: put it in the place of a gallery that is there. In SQLite no process may have
            that one open; in PostgreSQL those that have it go on with the restored one.
        bring_back_erased: do not take out who was erased since.
        erased: ids of more persons to take out, such as from a log that was kept elsewhere.
        actor: who acts, for the audit log.

    Raises:
        ArchiveUnusable: the backup was cut off or changed, is of a newer Mien, or none.
        KeyMissing, KeyMismatch: the master key does not open it.
        AlreadyExists: there is a gallery and ``replace`` is False.
        GalleryUnavailable: the database cannot be used, or is in use; or the log of the gallery
            that is to be replaced cannot be read, and ``bring_back_erased`` is False.
    """
    wrapper = key_ring(config.load(), create=False) if keys is None else keys
    reader = FrameReader(SealedReader(file, wrapper), "backup")
    schema = str(reader.manifest.get("schema"))
    if not _SCHEMA.fullmatch(schema):
        raise ArchiveUnusable("The backup's manifest is damaged.")
    if schema > HEAD:
        raise ArchiveUnusable("The backup was made by a newer Mien: upgrade Mien.")
    stones = Tombstones()
    if replace and not bring_back_erased:
        stones = _tombstones(url, wrapper)
    stones = stones.with_persons(erased)
    with restoring.new_database(
        url, keys=lambda _create: wrapper, replace=replace, schema=schema
    ) as (_, connection):
        dump.number_on(connection, _fill(connection, reader))
        if schema != HEAD:
            upgrade(connection)
        # Deleting announces changes, so the log of changes must be sound before it is begun anew.
        buried = bury(connection, stones, actor=actor)
        dump.begin_changes_anew(connection)
        audit.append(
            connection,
            application_seq=None,
            actor=actor,
            action="gallery.restore",
            subject="gallery",
            details={
                "backup_of": str(reader.manifest.get("created_at"))[:_WORD],
                "erased_persons": buried.persons,
                "erased_faces": buried.faces,
                "withdrawn_consents": buried.consents,
            },
        )
    rows = {name: count for name, count in reader.counts.items() if name != "sequences"}
    return Restored(
        str(reader.manifest.get("created_at")), rows, buried.persons, buried.faces, buried.consents
    )


def _tombstones(url: str, keys: KeyWrapper) -> Tombstones:
    """Those in the log of the gallery that is there, if there is one."""
    try:
        with (
            Gallery.open(url, create=False, keys=keys, index="") as old,
            old._database.snapshot() as connection,
        ):
            return tombstones.read(connection)
    except NotFound:
        return Tombstones()
    except MienError as error:
        raise GalleryUnavailable(
            f"The log of the gallery that is to be replaced cannot be read ({error.message}): "
            "so nobody knows who was erased since the backup. Name them (--erased) and say "
            "--bring-back-erased for the rest."
        ) from None


def _fill(connection: sa.Connection, reader: FrameReader) -> dict[str, int]:
    """Write all rows; the highest numbers of rows, by table."""
    numbers: dict[str, int] = {}
    for frame in reader.frames():
        if frame.kind == "sequences":
            numbers = _numbers(frame)
            continue
        columns, binary = (_names(frame, name) for name in ("columns", "binary"))
        width = len(columns) + len(binary)
        if any(not isinstance(row, list) or len(row) != width for row in frame.rows):
            raise ArchiveUnusable("A part of the backup is damaged.")
        lengths = [n for row in frame.rows for n in row[len(columns) :]]
        rows = [row[: len(columns)] for row in frame.rows]
        dump.fill(connection, Batch(frame.kind, columns, binary, rows, frame.cut(lengths)))
    return numbers


def _numbers(frame: Frame) -> dict[str, int]:
    try:
        return {str(name): int(number) for name, number in frame.rows}
    except (ValueError, TypeError):
        raise ArchiveUnusable("A part of the backup is damaged.") from None


def _names(frame: Frame, what: str) -> Sequence[str]:
    found = frame.facts.get(what)
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ArchiveUnusable("A part of the backup is damaged.")
    return found
