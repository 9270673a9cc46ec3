"""Annex: what the dialects of other services' APIs keep beside groups and persons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from mien.errors import InvalidArgument, NotFound
from mien.gallery.access import MAX_PAGE, page_size
from mien.gallery.model import Person
from mien.gallery.records import annexed, groups, notes, passing, persons
from mien.gallery.records.applications import ApplicationRow
from mien.gallery.records.database import Database
from mien.gallery.records.notes import Note

__all__ = ["Annex", "Note"]


class Annex:
    """Notes of an application, and what passes; made by :attr:`mien.gallery.Gallery.annex`.

    A *note* is a text under a key in a space, listed in the order of keys. It belongs to a group
    or a person, if it names one, and goes with it. What *passes* is bytes under an id that are
    sealed, and forgotten at their time.
    """

    def __init__(self, database: Database, application: ApplicationRow) -> None:
        self._database = database
        self._seq = application.seq

    # ------------------------------------------------------------------ notes

    def add_note(
        self,
        space: str,
        key: str,
        document: str,
        *,
        group: str | None = None,
        person: str | None = None,
    ) -> None:
        """Write a new note.

        Args:
            space: whose keys it is among; key: unique there.
            document: its text.
            group: name of the group that it goes with.
            person: id of the person of that group whom it goes with instead.

        Raises:
            AlreadyExists: there is one of that key.
            NotFound: no such group or person.
        """
        with self._database.writing(self._seq) as connection:
            row = None if group is None else groups.find(connection, self._seq, group)
            of = None
            if row is not None and person is not None:
                of = persons.find(connection, row, person)
            notes.add(
                connection,
                self._seq,
                space,
                Note(key, group, document),
                group_seq=None if row is None or of is not None else row.seq,
                person_seq=None if of is None else of.seq,
            )

    def note(self, space: str, key: str) -> Note | None:
        """The note of that key."""
        with self._database.reading() as connection:
            return notes.find(connection, self._seq, space, key)

    def notes(self, space: str, *, after: str = "", limit: int = 100) -> list[Note]:
        """Notes of a space by key, those after ``after``; ``limit`` 1 to 1000."""
        limit = page_size(limit)
        with self._database.reading() as connection:
            return notes.page(connection, self._seq, space, after=after, limit=limit)

    def notes_of(self, space: str, keys: Sequence[str]) -> dict[str, str]:
        """Key -> text of those of at most 1000 ``keys`` that there are."""
        with self._database.reading() as connection:
            return notes.of_keys(connection, self._seq, space, _few(keys))

    def change_note(self, space: str, key: str, change: Callable[[str], str]) -> None:
        """Replace a note's text by what ``change`` makes of it, in one transaction.

        Raises:
            NotFound: there is none.
        """
        with self._database.writing(self._seq) as connection:
            found = notes.find(connection, self._seq, space, key)
            if found is None:
                raise NotFound(f"There is no note {key!r}.")
            notes.change(connection, self._seq, space, key, change(found.document))

    def delete_note(self, space: str, key: str) -> None:
        """Delete a note, if it is there."""
        with self._database.writing(self._seq) as connection:
            notes.delete(connection, self._seq, space, key)

    # ------------------------------------------------------------------ what passes

    def keep(
        self, kind: str, secrets: Mapping[str, bytes], *, seconds: float, limit: int
    ) -> datetime:
        """Keep bytes under their ids for so long; every process that uses the gallery finds them.

        Args:
            kind: whose ids they are, at most 32 characters.
            secrets: id (at most 32 characters, never used before) -> bytes.
            seconds: from now.
            limit: of the application and the kind; beyond it, those that would pass next go now.

        Returns:
            When they pass, UTC.
        """
        now = datetime.now(UTC)
        expires_at = now + timedelta(seconds=seconds)
        with self._database.writing(self._seq) as connection:
            passing.put(
                connection, self._seq, kind, secrets, now=now, expires_at=expires_at, limit=limit
            )
        return expires_at

    def kept(self, kind: str, ids: Sequence[str]) -> dict[str, bytes]:
        """Id -> bytes of those of at most 1000 ``ids`` that have not passed.

        Raises:
            KeyMissing, KeyMismatch: the master key is not the gallery's, or a value was changed.
        """
        now = datetime.now(UTC)
        with self._database.snapshot() as connection:
            return passing.find(connection, self._seq, kind, _few(ids), now=now)

    def forget(self, kind: str, one: str) -> None:
        """Delete what is kept under an id, if it is."""
        with self._database.writing(self._seq) as connection:
            passing.forget(connection, self._seq, kind, one)

    # ------------------------------------------------------------------ persons by id

    def persons(self, group: str, *, after: str = "", limit: int = 100) -> list[Person]:
        """Named persons of a group by id, those after the id ``after``; ``limit`` 1 to 1000.

        Raises:
            NotFound: no such group.
        """
        limit = page_size(limit)
        with self._database.reading() as connection:
            row = groups.find(connection, self._seq, group)
            return persons.page_by_id(connection, row, after=after, limit=limit)

    def face_ids(self, group: str, person_ids: Sequence[str]) -> dict[str, list[str]]:
        """Person's id -> ids of the faces in a group, oldest first; at most 1000 persons.

        Raises:
            NotFound: no such group.
        """
        with self._database.reading() as connection:
            row = groups.find(connection, self._seq, group)
            return annexed.face_ids(connection, row, _few(person_ids))

    def newest_face(self, group: str) -> str:
        """Id of the face of a group that was registered last; empty where there is none.

        Raises:
            NotFound: no such group.
        """
        with self._database.reading() as connection:
            return annexed.newest_face(connection, groups.find(connection, self._seq, group))

    def groups_of(self, person_id: str) -> list[str]:
        """Names of the application's groups that a person is in, in order."""
        with self._database.reading() as connection:
            return annexed.groups_of(connection, self._seq, person_id)


def _few(keys: Sequence[str]) -> Sequence[str]:
    if len(keys) > MAX_PAGE:
        raise InvalidArgument(f"Ask for at most {MAX_PAGE} at once.", details={"max": MAX_PAGE})
    return keys
