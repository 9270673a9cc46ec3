"""Archives: exporting from and importing into one application."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

import sqlalchemy as sa

from mien.gallery import checks
from mien.gallery.archive.exporting import write_archive
from mien.gallery.archive.frames import FrameReader
from mien.gallery.archive.importing import Imported, OnConflict, load_archive
from mien.gallery.model import GalleryLimits
from mien.gallery.protect import KeyWrapper
from mien.gallery.protect.stream import SealedReader
from mien.gallery.records import applications, audit, groups, tombstones
from mien.gallery.records.applications import ApplicationRow
from mien.gallery.records.database import Database
from mien.gallery.records.groups import GroupRow
from mien.gallery.records.tombstones import Tombstones
from mien.gallery.search import Searcher
from mien.types import Result

__all__ = ["Archives", "Exported", "inspect"]

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Exported(Result):
    """What an archive holds: how many of each."""

    groups: int = 0
    persons: int = 0
    faces: int = 0
    images: int = 0
    log: int = 0

    def to_dict(self) -> dict[str, Any]:
        """All attributes by name."""
        return asdict(self)


class Archives:
    """One application's archives; :attr:`mien.gallery.Gallery.archive`.

    Example:
        >>> import io
        >>> from mien.gallery.archive import Passphrase
        >>> with mien.Gallery.open("sqlite:///a.db") as gallery:  # doctest: +SKIP
        ...     file, key = io.BytesIO(), Passphrase("correct horse battery")
        ...     gallery.archive.export(file, key=key)
    """

    def __init__(
        self,
        database: Database,
        searcher: Searcher,
        application: ApplicationRow,
        *,
        limits: GalleryLimits,
        actor: str,
    ) -> None:
        self._database = database
        self._searcher = searcher
        self._application = application
        self._limits = limits
        self._actor = actor

    def export(
        self,
        file: BinaryIO,
        *,
        key: KeyWrapper,
        only: Sequence[str] | None = None,
        log: bool = False,
    ) -> Exported:
        """Write groups with all that is kept of their persons into a stream, encrypted.

        The gallery goes on serving and being written to; the archive is of one moment. It needs
        no more memory for a million faces than for a thousand.

        Args:
            file: takes bytes, such as :func:`mien.gallery.archive.new_file` gives; need not be
                able to seek.
            key: opens the archive: a :class:`Passphrase`, or a :class:`KeyRing` of ``protect``.
            only: names of groups; None: all.
            log: put the audit log in, as evidence. Importing does not read it.

        Raises:
            NotFound: no such group.
            ArchiveUnusable: the stream does not take it.
            KeyMissing, KeyMismatch: the master key is not the gallery's.
        """
        wanted = None if only is None else [checks.group_name(name) for name in only]
        names = "all" if wanted is None else ", ".join(wanted)
        self._note("gallery.export", groups=names[:4096], log=log)
        with self._database.snapshot() as connection:
            rows = self._rows(connection, wanted)
            counts = write_archive(
                connection,
                file,
                key=key,
                application=self._application,
                rows=rows,
                everybody=wanted is None,
                log=log,
            )
        return Exported(**counts)

    def load(
        self,
        file: BinaryIO,
        *,
        key: KeyWrapper,
        on_conflict: OnConflict = "refuse",
        bring_back_erased: bool = False,
        erased: Collection[str] = (),
        erased_in: str | None = None,
        names: Mapping[str, str] | None = None,
    ) -> Imported:
        """Take in what an archive holds: all of it in one transaction, or nothing.

        Templates are sealed anew, under keys of this gallery. Other writers wait meanwhile;
        searches do not. Where the archive's persons, faces and consents have ids that another
        application has here, they get others, the same at every import.

        Args:
            file: gives the bytes; need not be able to seek.
            key: that opens the archive.
            on_conflict: ``refuse`` where a group or person is there already; ``skip``: leave what
                is there as it is and add the rest, so that importing again changes nothing;
                ``rename``: make groups of other names and persons of other ids.
            bring_back_erased: also take in persons and faces that were erased here since, and
                consents that were withdrawn.
            erased: ids of more persons who are not taken in.
            erased_in: id of another application of this gallery; who was erased there, and what
                consent was withdrawn, is left out as well.
            names: name of a group in the archive -> what it is called here. A group that is named
                so must be free, whatever ``on_conflict`` says.

        Raises:
            ArchiveUnusable: it was cut off or changed, is of a newer Mien, or no archive.
            KeyMissing, KeyMismatch: ``key`` does not open it, or the master key is not the
                gallery's.
            AlreadyExists: something is there already and ``on_conflict`` is ``refuse``, or a group
                of ``names``.
            EmbeddingMismatch, LimitExceeded, ConsentMissing: a group here does not take it.
            NotFound: no application ``erased_in``.
        """
        reader = FrameReader(SealedReader(file, key), "archive")
        seq = self._application.seq
        with self._database.writing(seq) as connection:
            found = Tombstones() if bring_back_erased else tombstones.read(connection, seq)
            if erased_in is not None:
                other = applications.find_by_id(connection, erased_in)
                found = found.joined(tombstones.read(connection, other.seq))
            imported, left = load_archive(
                connection,
                reader,
                application_seq=seq,
                limits=self._limits,
                on_conflict=on_conflict,
                tombstones=found.with_persons(erased),
                names={old: checks.group_name(new) for old, new in (names or {}).items()},
            )
            audit.append(
                connection,
                application_seq=seq,
                actor=self._actor,
                action="gallery.import",
                subject=self._application.application.id,
                details={
                    "archive_of": str(reader.manifest.get("application", {}).get("id"))[:64],
                    **{k: v for k, v in imported.to_dict().items() if k != "groups"},
                },
            )
        self._searcher.wipe(left)
        return imported

    def _rows(self, connection: sa.Connection, wanted: list[str] | None) -> list[GroupRow]:
        seq = self._application.seq
        if wanted is not None:
            return [groups.find(connection, seq, name) for name in dict.fromkeys(wanted)]
        names: list[str] = []
        while page := groups.page(connection, seq, after=names[-1] if names else None, limit=_PAGE):
            names += [group.name for group in page]
        return [groups.find(connection, seq, name) for name in names]

    def _note(self, action: str, **details: str | bool) -> None:
        with self._database.writing(self._application.seq) as connection:
            audit.append(
                connection,
                application_seq=self._application.seq,
                actor=self._actor,
                action=action,
                subject=self._application.application.id,
                details=details,
            )


def inspect(
    file: BinaryIO, *, key: KeyWrapper, entry: Callable[[Mapping[str, Any]], None] | None = None
) -> dict[str, Any]:
    """Read an archive or a backup to its end, and so check all of it.

    Args:
        file: gives the bytes.
        key: that opens it.
        entry: is called with each entry of the audit log that an archive holds.

    Returns:
        The manifest (what it is, of which application, when and by which Mien it was made), and
        ``counts``: rows of each kind.

    Raises:
        ArchiveUnusable, KeyMissing, KeyMismatch: see :meth:`Archives.load`.
    """
    reader = FrameReader(SealedReader(file, key))
    for frame in reader.frames():
        if frame.kind == "log" and entry is not None:
            for row in frame.rows:
                entry(row)
    return {**reader.manifest, "counts": dict(reader.counts)}
