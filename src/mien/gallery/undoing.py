"""Undoing: what was changed in a group, and taking the newest change back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from mien.errors import InvalidArgument
from mien.gallery.access import page_size
from mien.gallery.model import UndoEntry
from mien.gallery.records import groups, steps, undo
from mien.gallery.records.groups import GroupRow
from mien.gallery.records.undo import Step
from mien.gallery.roster import Roster

__all__ = ["Undoing"]


class Undoing(Roster):
    """The part of :class:`mien.gallery.Gallery` that takes changes back."""

    def changes(
        self, group: str, *, before: str | None = None, limit: int = 100
    ) -> list[UndoEntry]:
        """What was changed in a group and can be undone, or was; newest first.

        Args:
            group: name of the group.
            before: id of the last entry of the page before.
            limit: 1 to 1000.

        Raises:
            NotFound: no such group, or no such entry in it.
        """
        limit = page_size(limit)
        with self._database.snapshot() as connection:
            return undo.page(connection, self._group(connection, group), before=before, limit=limit)

    def undo(self, group: str, *, change: str | None = None) -> UndoEntry:
        """Take back the newest change of a group that has not been taken back.

        Faces that were deleted since stay deleted, and what was enrolled since stays.

        Args:
            group: name of the group.
            change: id of the change that is meant; another one is newest by now: nothing happens.

        Raises:
            NotFound: no such group, nothing to undo, or something that it needs is gone.
            InvalidArgument: ``change`` is not the newest; or a person was changed later in another
                group.
            AlreadyExists: a name or an external id has been taken since.
            ConsentMissing, LimitExceeded: a group does not take the person back.
        """
        with self._database.writing(self._application.seq) as connection:
            row = self._group(connection, group)
            last = undo.newest(connection, row)
            if change is not None and change != last.entry.id:
                raise InvalidArgument(
                    "That is not the newest change of the group: undo the newer ones first.",
                    details={"newest": last.entry.id},
                )
            touched = steps.run(
                connection, self._application.seq, row, last.steps, limits=self._limits
            )
            now = datetime.now(UTC)
            undo.mark_undone(connection, last.seq, now)
            self._log(connection, "group.undo", last.entry.id, kind=last.entry.kind)
        self._searcher.wipe(touched)
        entry = last.entry
        name = self._name_of(row) if entry.kind.startswith("group.") else group
        return UndoEntry(entry.id, name, entry.kind, entry.at, now, entry.persons)

    def _name_of(self, row: GroupRow) -> str:
        with self._database.reading() as connection:
            found = groups.find_by_seq(connection, row.seq)
        return row.group.name if found is None else found.group.name

    def _remember(
        self,
        connection: sa.Connection,
        row: GroupRow,
        kind: str,
        back: Sequence[Step],
        person_ids: Iterable[str],
    ) -> None:
        if not back:
            return  # nothing happened
        undo.remember(
            connection,
            self._application.seq,
            row,
            kind,
            steps=back,
            person_ids=person_ids,
            keep=self._limits.undo_per_group,
        )
