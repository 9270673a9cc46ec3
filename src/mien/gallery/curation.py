"""Curation: names, settings, and what a caller keeps with groups, persons and faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from mien.gallery import checks
from mien.gallery.access import Check
from mien.gallery.model import Group, GroupSettings, Person, StoredFace
from mien.gallery.records import faces, groups, persons, steps
from mien.gallery.records.faces import FaceFacts
from mien.gallery.records.groups import GroupFacts
from mien.gallery.records.persons import PersonFacts
from mien.gallery.records.undo import Step
from mien.gallery.regrouping import Regrouping

__all__ = ["KEEP", "Curation", "Keep"]


class Keep:
    """The type of :data:`KEEP`."""

    def __repr__(self) -> str:
        return "KEEP"


KEEP: Final = Keep()
"""Leave it as it is; None takes it away."""


class Curation(Regrouping):
    """The part of :class:`mien.gallery.Gallery` that changes names, settings and user data.

    Every method is one transaction, and every one can be undone.
    """

    def rename_group(self, group: str, name: str) -> Group:
        """Give a group another name; raises as :meth:`set_group`."""
        return self.set_group(group, name=name)

    def set_group(
        self,
        group: str,
        *,
        name: str | Keep = KEEP,
        settings: GroupSettings | Mapping[str, object] | Keep = KEEP,
        user_data: str | Keep | None = KEEP,
        check: Check = None,
    ) -> Group:
        """Change a group's name, its limits and policies, and what the caller keeps with it.

        What is in the group already stays, even where a new limit or policy would refuse it.

        Args:
            group: its name.
            name: another name.
            settings: all limits and policies; or some by name, and the others stay as they are.
            user_data: what the caller wants to keep with it.
            check: is given the group in the same transaction, and may raise to refuse the change.

        Raises:
            NotFound: no such group.
            AlreadyExists: the name is taken.
            InvalidArgument: not a group's name, a setting that cannot be, or user data that cannot
                be kept.
        """
        wanted = name if isinstance(name, Keep) else checks.group_name(name)
        data = user_data if isinstance(user_data, Keep) else self._user_data(user_data)
        with self._database.writing(self._application.seq) as connection:
            row = self._group(connection, group)
            if check is not None:
                check(row.group)
            old = GroupFacts(row.group.settings, row.group.user_data)
            new = GroupFacts(
                _changed(old.settings, settings),
                old.user_data if isinstance(data, Keep) else data,
            )
            back = []
            if not isinstance(wanted, Keep) and wanted != row.group.name:
                groups.rename(connection, self._application.seq, row, wanted)
                back.append(steps.rename_group(row.group.name))
                self._log(connection, "group.rename", wanted, before=row.group.name)
            if new != old:
                groups.update(connection, row, new)
                back.append(steps.set_group(old))
                self._log(connection, "group.set", group, settings=new.settings.stored())
            self._remember(connection, row, _kind("group", back), back, [])
            return self._group(connection, group if isinstance(wanted, Keep) else wanted).group

    def rename_person(self, group: str, person: str, name: str) -> Person:
        """Give a person another name in a group; raises as :meth:`set_person`."""
        return self.set_person(group, person, name=name)

    def set_person(
        self,
        group: str,
        person: str,
        *,
        name: str | Keep = KEEP,
        user_data: str | Keep | None = KEEP,
        external_id: str | Keep | None = KEEP,
        check: Check = None,
    ) -> Person:
        """Change a person's name in a group, and what the caller keeps with the person anywhere.

        An anonymous person who gets a name is anonymous no more. ``check``: as for
        :meth:`set_group`.

        Raises:
            NotFound: no such group or person.
            AlreadyExists: the name is taken in this group, or the external id is another person's.
            InvalidArgument: not 1 to 255 printable characters, or user data that cannot be kept.
        """
        wanted = name if isinstance(name, Keep) else checks.person_name(name)
        data = user_data if isinstance(user_data, Keep) else self._user_data(user_data)
        number = external_id if isinstance(external_id, Keep) else checks.external_id(external_id)
        with self._database.writing(self._application.seq) as connection:
            row = self._group(connection, group)
            found = self._person(connection, row, person)
            if check is not None:
                check(found.person)
            person_id = found.person.id
            old = PersonFacts(found.person.user_data, found.person.external_id)
            new = PersonFacts(
                old.user_data if isinstance(data, Keep) else data,
                old.external_id if isinstance(number, Keep) else number,
            )
            back = []
            if not isinstance(wanted, Keep) and wanted != found.person.name:
                persons.rename(connection, row, found, wanted)
                back.append(steps.rename_person(person_id, found.person.name))
                self._log(connection, "person.rename", person_id, group=group)
            if new != old:
                persons.update(connection, self._application.seq, found.seq, new)
                back.append(steps.set_person(person_id, old))
                self._log(connection, "person.set", person_id, group=group)
            self._remember(connection, row, _kind("person", back), back, [person_id])
            return persons.find_by_seq(connection, row, found.seq).person

    def set_face(
        self,
        group: str,
        face_id: str,
        *,
        user_data: str | Keep | None = KEEP,
        external_image_id: str | Keep | None = KEEP,
        check: Check = None,
    ) -> StoredFace:
        """Change what the caller keeps with a face. ``check``: as for :meth:`set_group`.

        Raises:
            NotFound: no such group or face.
            InvalidArgument: an external id or user data that cannot be kept.
        """
        data = user_data if isinstance(user_data, Keep) else self._user_data(user_data)
        number = external_image_id
        if not isinstance(number, Keep):
            number = checks.external_id(number)
        with self._database.writing(self._application.seq) as connection:
            row = self._group(connection, group)
            found = faces.find(connection, row, checks.face_id(face_id))
            if check is not None:
                check(found.face)
            old = FaceFacts(found.face.external_image_id, found.face.user_data)
            new = FaceFacts(
                old.external_image_id if isinstance(number, Keep) else number,
                old.user_data if isinstance(data, Keep) else data,
            )
            if new != old:
                faces.update(connection, found.seq, new)
                back = [steps.set_face(face_id, found.face.person_id, old)]
                self._remember(connection, row, "face.set", back, [found.face.person_id])
                self._log(connection, "face.set", face_id, group=group)
            return faces.find(connection, row, face_id).face


def _changed(old: GroupSettings, new: GroupSettings | Mapping[str, object] | Keep) -> GroupSettings:
    if isinstance(new, Keep):
        return old
    if isinstance(new, GroupSettings):
        return new
    return GroupSettings.from_dict({**old.to_dict(), **new})


def _kind(what: str, back: Sequence[Step]) -> str:
    """A renaming, or a change of more than the name."""
    renamed = [step["do"] for step in back] == [f"rename_{what}"]
    return f"{what}.rename" if renamed else f"{what}.set"
