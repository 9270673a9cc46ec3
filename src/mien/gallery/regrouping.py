"""Regrouping: which persons are in which groups, and which faces are whose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from mien.errors import InvalidArgument, NotFound
from mien.gallery import checks
from mien.gallery.access import MAX_PAGE
from mien.gallery.model import Person, StoredFace
from mien.gallery.records import consents, faces, groups, moves, persons, steps
from mien.gallery.records.groups import GroupRow
from mien.gallery.records.persons import PersonRow
from mien.gallery.undoing import Undoing

__all__ = ["Regrouping"]


class Regrouping(Undoing):
    """The part of :class:`mien.gallery.Gallery` that moves, merges and splits.

    Every method is one transaction, and every one can be undone.
    """

    def add_member(
        self, group: str, name_or_id: str, *, source: str, name: str | None = None
    ) -> Person:
        """Make a person of the group ``source`` a member of ``group`` too.

        The faces are shared, not copied: those of the group's contract are found in both.

        Args:
            group: where the person is to be a member.
            name_or_id: of the person in ``source``.
            source: a group that the person is in.
            name: the person's name in ``group``; None: the same as in ``source``.

        Raises:
            NotFound: no such group or person.
            ConsentMissing: ``group`` demands consent, and there is none.
            AlreadyExists: a person of that name is in ``group``, or the person is.
            LimitExceeded: ``group`` is full.
        """
        name = None if name is None else checks.person_name(name)
        with self._database.writing(self._application.seq) as connection:
            origin, target = self._group(connection, source), self._group(connection, group)
            person = self._person(connection, origin, name_or_id)
            self._join(connection, person, target, name or person.person.name)
            back = [steps.leave(person.person.id, target.seq)]
            self._remember(connection, target, "person.join", back, [person.person.id])
            self._log(connection, "person.join", person.person.id, group=group)
            return persons.find_by_seq(connection, target, person.seq).person

    def remove_member(self, group: str, name_or_id: str) -> None:
        """Take a person out of a group; the person and the faces stay in the others.

        Raises:
            NotFound: no such group or person.
            InvalidArgument: it is the person's only group.
        """
        with self._database.writing(self._application.seq) as connection:
            row = self._group(connection, group)
            person = self._person(connection, row, name_or_id)
            persons.leave(connection, row, person)
            back = [steps.join(person.person.id, row.seq, person.person.name)]
            self._remember(connection, row, "person.leave", back, [person.person.id])
            self._log(connection, "person.leave", person.person.id, group=group)
        self._searcher.wipe([row.seq])

    def move_person(
        self, group: str, name_or_id: str, to_group: str, *, name: str | None = None
    ) -> Person:
        """Take a person out of one group and into another, with all faces.

        Args:
            group: where the person is.
            name_or_id: of the person.
            to_group: where the person is to be; of the same embedding contract.
            name: the person's name there; None: the same.

        Raises:
            NotFound: no such group or person.
            EmbeddingMismatch: the groups are pinned to different contracts.
            ConsentMissing: ``to_group`` demands consent, and there is none.
            AlreadyExists: a person of that name is in ``to_group``, or the person is.
            LimitExceeded: ``to_group`` is full.
        """
        name = None if name is None else checks.person_name(name)
        with self._database.writing(self._application.seq) as connection:
            row, target = self._group(connection, group), self._group(connection, to_group)
            checks.contracts_agree(to_group, target.group.contract, row.group.contract)
            found = self._person(connection, row, name_or_id)
            person_id = found.person.id
            self._join(connection, found, target, name or found.person.name)
            persons.exit_group(connection, found.seq, row.seq, row.contract_seq)
            back = [
                steps.join(person_id, row.seq, found.person.name),
                steps.leave(person_id, target.seq),
            ]
            self._remember(connection, row, "person.move", back, [person_id])
            self._log(connection, "person.move", person_id, group=group, to=to_group)
            moved = persons.find_by_seq(connection, target, found.seq).person
        self._searcher.wipe([row.seq])
        return moved

    def merge_persons(self, group: str, person: str, other: str) -> Person:
        """Make one person of two: ``other``'s faces become ``person``'s, and ``other`` is gone.

        The person is a member of every group that either was in, and keeps name, user data and
        external id; where the person has none of these, ``other``'s are taken. Consents of both
        count. A photo that both have is kept twice.

        Raises:
            NotFound: no such group or person.
            InvalidArgument: it is the same person.
            ConsentMissing: a group that ``other`` was in demands consent, and there is none.
            LimitExceeded: one of the groups is full.
        """
        with self._database.writing(self._application.seq) as connection:
            row = self._group(connection, group)
            kept, lost = (self._person(connection, row, one) for one in (person, other))
            if kept.seq == lost.seq:
                raise InvalidArgument(f"{kept.person.name!r} cannot be merged with itself.")
            back, touched = steps.merge(
                connection, self._application.seq, kept, lost, limits=self._limits
            )
            for member in persons.memberships(connection, kept.seq):
                inside = groups.find_by_seq(connection, member.group_seq)
                if inside is not None:
                    consents.need(connection, inside, kept)
            named = [kept.person.id, lost.person.id]
            self._remember(connection, row, "person.merge", back, named)
            self._log(connection, "person.merge", kept.person.id, other=lost.person.id, group=group)
            merged = persons.find_by_seq(connection, row, kept.seq).person
        self._searcher.wipe(touched)
        return merged

    def split_person(
        self, group: str, person: str, face_ids: Iterable[str], *, name: str
    ) -> Person:
        """Make a new person of some of a person's faces, in every group that the person is in.

        Args:
            group: name of the group; person: whose faces they are.
            face_ids: 1 to 1000 faces of the person in this group.
            name: the new person's.

        Raises:
            NotFound: no such group or person, or the person has no such face.
            InvalidArgument: no face, or too many.
            AlreadyExists: the name is taken in one of the groups.
            ConsentMissing: one of the groups demands consent, which a new person has not given.
            LimitExceeded: one of the groups is full.
        """
        name = checks.person_name(name)
        wanted = list(dict.fromkeys(checks.face_id(one) for one in face_ids))
        if not 1 <= len(wanted) <= MAX_PAGE:
            raise InvalidArgument(f"Name 1 to {MAX_PAGE} faces.", details={"max": MAX_PAGE})
        with self._database.writing(self._application.seq) as connection:
            row = self._group(connection, group)
            source = self._person(connection, row, person)
            self._refuse_foreign(connection, row, source, wanted)
            made = self._split(connection, row, source, wanted, name)
            back = steps.join_again(made.person.id, source.person.id)
            named = [source.person.id, made.person.id]
            self._remember(connection, row, "person.split", back, named)
            self._log(
                connection, "person.split", source.person.id, made=made.person.id, group=group,
                faces=len(wanted),
            )  # fmt: skip
            touched = [one.group_seq for one in persons.memberships(connection, made.seq)]
            split = persons.find_by_seq(connection, row, made.seq).person
        self._searcher.wipe(touched)
        return split

    def move_face(
        self, group: str, face_id: str, to_person: str, *, to_group: str | None = None
    ) -> StoredFace:
        """Give a face to another person. An anonymous person who had no other is gone.

        Args:
            group: name of the group; face_id: a face in it.
            to_person: name or id of the new owner.
            to_group: the group that the new owner is in; None: the same.

        Raises:
            NotFound: no such group, face or person.
            EmbeddingMismatch: the groups are pinned to different contracts.
            AlreadyExists: the new owner has this face of this photo already.
            ConsentMissing: the group of the new owner demands consent, and there is none.
            LimitExceeded: a group of the new owner's is full.
        """
        with self._database.writing(self._application.seq) as connection:
            row = self._group(connection, group)
            target = row if to_group is None else self._group(connection, to_group)
            checks.contracts_agree(target.group.name, target.group.contract, row.group.contract)
            found = faces.find(connection, row, checks.face_id(face_id))
            owner = self._person(connection, target, to_person)
            touched: set[int] = set()
            if owner.seq != found.person_seq:
                consents.need(connection, target, owner)
                moves.refuse_same_photo(connection, found.seq, owner.seq, owner.person.name)
                touched = self._give(connection, row, found, owner)
            moved = faces.find(connection, target, face_id).face
        self._searcher.wipe(touched)
        return moved

    def _join(
        self, connection: sa.Connection, person: PersonRow, target: GroupRow, name: str
    ) -> None:
        consents.need(connection, target, person)
        persons.join(connection, person.seq, target, name, limits=self._limits)

    def _refuse_foreign(
        self, connection: sa.Connection, row: GroupRow, owner: PersonRow, face_ids: Sequence[str]
    ) -> None:
        own = set(moves.faces_by_id(connection, owner.seq, face_ids))
        for face_id in face_ids:
            if face_id not in own:
                raise NotFound(
                    f"{owner.person.name!r} has no face {face_id!r} in the group "
                    f"{row.group.name!r}."
                )
            faces.find(connection, row, face_id)

    def _split(
        self,
        connection: sa.Connection,
        row: GroupRow,
        source: PersonRow,
        face_ids: Sequence[str],
        name: str,
    ) -> PersonRow:
        made = self._new_person(connection, row, name)
        consents.need(connection, row, made)
        for member in persons.memberships(connection, source.seq):
            inside = groups.find_by_seq(connection, member.group_seq)
            if inside is not None and inside.seq != row.seq:
                self._join(connection, made, inside, name)
        moves.hand_over(connection, face_ids, source.seq, made.seq, limits=self._limits)
        return made

    def _give(
        self, connection: sa.Connection, row: GroupRow, found: faces.FaceRow, owner: PersonRow
    ) -> set[int]:
        before = persons.find_by_seq(connection, row, found.person_seq)
        face_id = found.face.id
        back = [steps.hand([face_id], owner.person.id, before.person.id)]
        touched = moves.hand_over(connection, [face_id], before.seq, owner.seq, limits=self._limits)
        if before.person.anonymous and not moves.faces_by_id(connection, before.seq):
            restore, inside = steps.dissolve(connection, before, owner.person.id)
            back = [restore, *back, *inside]
        named = [before.person.id, owner.person.id]
        self._remember(connection, row, "face.move", back, named)
        self._log(connection, "face.move", face_id, group=row.group.name, to=owner.person.id)
        return touched
