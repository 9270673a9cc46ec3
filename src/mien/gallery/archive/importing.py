"""Importing: what an archive holds, into an application, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_args

import sqlalchemy as sa

from mien.errors import ArchiveUnusable, InvalidArgument
from mien.gallery.archive.arrival import Arrival, OnConflict
from mien.gallery.archive.frames import FrameReader
from mien.gallery.model import GalleryLimits
from mien.gallery.records.tombstones import Tombstones
from mien.types import Result

__all__ = ["Imported", "OnConflict", "load_archive"]


@dataclass(frozen=True, slots=True)
class Imported(Result):
    """What an import did.

    Attributes:
        groups: name in the archive -> name here.
        persons, faces, images, consents: how many were written.
        skipped_persons, skipped_faces: how many were there already, and were left as they are.
        erased_persons, erased_faces: how many were left out because they were erased here.
        withdrawn_consents: how many were withdrawn here since the archive was made.
        external_ids_left_out: of persons who are there under another id.
    """

    groups: Mapping[str, str]
    persons: int = 0
    faces: int = 0
    images: int = 0
    consents: int = 0
    skipped_persons: int = 0
    skipped_faces: int = 0
    erased_persons: int = 0
    erased_faces: int = 0
    withdrawn_consents: int = 0
    external_ids_left_out: int = 0

    def to_dict(self) -> dict[str, Any]:
        """All attributes by name."""
        return asdict(self)


def load_archive(
    connection: sa.Connection,
    reader: FrameReader,
    *,
    application_seq: int,
    limits: GalleryLimits,
    on_conflict: OnConflict,
    tombstones: Tombstones,
    names: Mapping[str, str],
) -> tuple[Imported, list[int]]:
    """Write what an archive holds.

    Args:
        connection: of the transaction that writes; whoever calls ends it.
        reader: of the archive.
        application_seq: whose the groups become.
        limits: the gallery's quotas.
        on_conflict: what is done with what is there already.
        tombstones: what must not come back.
        names: name of a group in the archive -> what it is called here.

    Returns:
        What was done, and numbers of the groups that persons were taken out of again.

    Raises:
        ArchiveUnusable: the archive is damaged.
        AlreadyExists: something is there already, and ``on_conflict`` is ``refuse``.
        EmbeddingMismatch, LimitExceeded, ConsentMissing: a group here does not take it.
    """
    if on_conflict not in get_args(OnConflict):
        raise InvalidArgument(f"on_conflict must be one of {', '.join(get_args(OnConflict))}.")
    arrival = Arrival(connection, application_seq, limits, on_conflict, tombstones, names)
    takers = {
        "groups": arrival.groups,
        "persons": arrival.persons,
        "faces": arrival.faces,
        "images": arrival.images,
    }
    for frame in reader.frames():
        if frame.kind in takers:
            takers[frame.kind](frame)
        elif frame.kind != "log":  # the other gallery's log is evidence, not ours
            raise ArchiveUnusable("The archive holds what this Mien does not know: upgrade Mien.")
    called = {name: row.group.name for name, row in arrival.rows.items()}
    return Imported(called, **arrival.counts), sorted(arrival.left)
