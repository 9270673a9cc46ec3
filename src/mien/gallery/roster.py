"""Groups and persons of an application."""

from __future__ import annotations

import contextlib
from typing import get_args

import sqlalchemy as sa

from mien.errors import InvalidArgument, NotFound
from mien.gallery import checks
from mien.gallery.access import Access, Check, page_size
from mien.gallery.model import GalleryLimits, Group, Person, Scoring
from mien.gallery.policy import DEFAULT_SETTINGS, GroupSettings
from mien.gallery.records import applications, groups, persons
from mien.gallery.records.database import Database
from mien.gallery.records.groups import GroupFacts, GroupRow
from mien.gallery.records.persons import PersonFacts, PersonRow
from mien.gallery.search import Searcher
from mien.types import EmbeddingContract

__all__ = ["Roster"]


class Roster(Access):
    """The part of :class:`mien.gallery.Gallery` that keeps groups and persons."""

    def __init__(
        self,
        database: Database,
        searcher: Searcher,
        *,
        application: str,
        limits: GalleryLimits,
        actor: str,
    ) -> None:
        super().__init__(database, actor=actor)
        self._searcher = searcher
        self._limits = limits
        with database.reading() as connection:
            name = checks.application_name(application)
            self._application = applications.find(connection, name)

    def create_group(
        self,
        name: str,
        *,
        contract: EmbeddingContract,
        scoring: Scoring = "max",
        settings: GroupSettings = DEFAULT_SETTINGS,
        user_data: str | None = None,
    ) -> Group:
        """A new group that takes embeddings of one contract only.

        Args:
            name: of the group.
            contract: of its embeddings.
            scoring: how a person's similarity comes from the faces.
            settings: its limits and policies.
            user_data: what the caller wants to keep with it.

        Raises:
            AlreadyExists: the name is taken.
            InvalidArgument: not a group's name, or no such scoring.
            LimitExceeded: the application has all the groups that it may have.
        """
        name = checks.group_name(name)
        if scoring not in get_args(Scoring):
            raise InvalidArgument(f"scoring must be one of {', '.join(get_args(Scoring))}.")
        with self._database.writing(self._application.seq) as connection:
            facts = GroupFacts(settings, self._user_data(user_data))
            return self._new_group(connection, name, contract, scoring, facts)

    def ensure_group(self, name: str, *, contract: EmbeddingContract) -> Group:
        """The group of that name, made with ``contract`` where it is missing.

        Raises:
            EmbeddingMismatch: it is there and pinned to another contract.
            InvalidArgument, LimitExceeded: as :meth:`create_group`.
        """
        name = checks.group_name(name)
        try:
            group = self.group(name)
        except NotFound:
            with self._database.writing(self._application.seq) as connection:
                try:  # somebody may have been quicker
                    group = groups.find(connection, self._application.seq, name).group
                except NotFound:
                    return self._new_group(connection, name, contract, "max")
        checks.contracts_agree(name, group.contract, contract)
        return group

    def groups(self, *, after: str | None = None, limit: int = 100) -> list[Group]:
        """Groups by name, those after the name ``after``; ``limit`` 1 to 1000."""
        limit = page_size(limit)
        after = None if after is None else checks.group_name(after)
        with self._database.reading() as connection:
            return groups.page(connection, self._application.seq, after=after, limit=limit)

    def group(self, name: str) -> Group:
        """The group of that name.

        Raises:
            NotFound: there is none.
        """
        with self._database.reading() as connection:
            return self._group(connection, name).group

    def size(self, group: str) -> int:
        """How many faces a group has.

        Raises:
            NotFound: no such group.
        """
        return self.group(group).faces

    def check_contract(self, group: Group, contract: EmbeddingContract) -> None:
        """Refuse embeddings that a group does not take.

        Raises:
            EmbeddingMismatch: the group is pinned to another contract.
        """
        checks.contracts_agree(group.name, group.contract, contract)

    def delete_group(self, name: str, *, check: Check = None) -> None:
        """Delete a group, and the persons that are in no other with all their faces.

        ``check``: as for :meth:`mien.gallery.Gallery.set_group`.

        Raises:
            NotFound: no such group.
        """
        with self._database.writing(self._application.seq) as connection:
            row = self._group(connection, name)
            if check is not None:
                check(row.group)
            groups.delete(connection, row.seq)
            self._log(connection, "group.delete", row.group.name, persons=row.group.persons)
        self._searcher.wipe([row.seq])

    def add_person(
        self,
        group: str,
        name: str,
        *,
        user_data: str | None = None,
        external_id: str | None = None,
    ) -> Person:
        """A new person in a group.

        Args:
            group: name of the group; name: of the person in it.
            user_data: what the caller wants to keep with the person.
            external_id: the caller's own number for the person, 1 to 255 printable characters.

        Raises:
            NotFound: no such group.
            AlreadyExists: the name is taken in this group, or the external id in the application.
            InvalidArgument: not 1 to 255 printable characters, or user data that cannot be kept.
            LimitExceeded: the group is full.
        """
        name = checks.person_name(name)
        facts = PersonFacts(self._user_data(user_data), checks.external_id(external_id))
        with self._database.writing(self._application.seq) as connection:
            row = self._group(connection, group)
            return self._new_person(connection, row, name, facts).person

    def ensure_person(self, group: str, name: str) -> Person:
        """The person of that name (or id), made where missing; raises as :meth:`add_person`."""
        name = checks.person_name(name)
        with self._database.reading() as connection, contextlib.suppress(NotFound):
            return self._person(connection, self._group(connection, group), name).person
        with self._database.writing(self._application.seq) as connection:
            return self._ensured(connection, self._group(connection, group), name).person

    def persons(
        self, group: str, *, after: str | None = None, limit: int = 100, anonymous: bool = False
    ) -> list[Person]:
        """Persons of a group by name, those after the name ``after``; ``limit`` 1 to 1000.

        Args:
            group: name of the group.
            after: last name of the page before.
            limit: persons of a page.
            anonymous: those who were registered without a name, instead of the others.

        Raises:
            NotFound: no such group.
        """
        limit = page_size(limit)
        after = None if after is None else checks.person_name(after)
        with self._database.reading() as connection:
            row = self._group(connection, group)
            return persons.page(connection, row, anonymous=anonymous, after=after, limit=limit)

    def person(self, group: str, name_or_id: str) -> Person:
        """The person of that name, or else of that id.

        Raises:
            NotFound: no such group, or no such person in it.
        """
        with self._database.reading() as connection:
            return self._person(connection, self._group(connection, group), name_or_id).person

    def person_by_external_id(self, group: str, external_id: str) -> Person:
        """The person with that external id.

        Raises:
            NotFound: no such group, or nobody in it has it.
        """
        wanted = checks.external_id(external_id) or ""
        with self._database.reading() as connection:
            row = self._group(connection, group)
            return persons.find_external(connection, row, wanted).person

    def delete_person(self, group: str, name_or_id: str, *, check: Check = None) -> None:
        """Delete a person with all faces, out of every group.

        ``check``: as for :meth:`mien.gallery.Gallery.set_group`.

        Raises:
            NotFound: no such group, or no such person in it.
        """
        with self._database.writing(self._application.seq) as connection:
            person = self._person(connection, self._group(connection, group), name_or_id)
            if check is not None:
                check(person.person)
            touched = persons.delete(connection, person.seq)
            self._log(connection, "person.delete", person.person.id, group=group)
        self._searcher.wipe(touched)

    def renew_data_key(self, *, at_once: int = 500) -> int:
        """Give the application a new data key, move every person's key to it, destroy the old one.

        Searches and enrolments go on meanwhile. When it is killed, calling it again completes it.

        Args:
            at_once: persons in one transaction.

        Returns:
            How many persons' keys were moved.
        """
        seq, moved = self._application.seq, 0
        with self._database.writing(seq) as connection:
            version = self._database.vault.renew_data_key(connection, seq)
            self._log(connection, "key.renew", self._application.application.id, version=version)
        while True:
            with self._database.writing(seq) as connection:
                some = self._database.vault.rewrap_persons(connection, seq, limit=at_once)
            if not some:
                self._database.forget_deleted()
                return moved
            moved += some

    def _user_data(self, text: str | None) -> str | None:
        return checks.user_data(text, limit=self._limits.user_data_bytes)

    def _group(self, connection: sa.Connection, name: str) -> GroupRow:
        return groups.find(connection, self._application.seq, checks.group_name(name))

    def _person(self, connection: sa.Connection, row: GroupRow, name: str) -> PersonRow:
        return persons.find(connection, row, checks.person_name(name))

    def _ensured(self, connection: sa.Connection, row: GroupRow, name: str) -> PersonRow:
        try:
            return persons.find(connection, row, name)
        except NotFound:
            return self._new_person(connection, row, name)

    def _new_person(
        self,
        connection: sa.Connection,
        row: GroupRow,
        name: str | None,
        facts: PersonFacts | None = None,
    ) -> PersonRow:
        made = persons.create(
            connection, self._application.seq, row, name, limits=self._limits, facts=facts
        )
        self._log(connection, "person.create", made.person.id, group=row.group.name)
        return made

    def _new_group(
        self,
        connection: sa.Connection,
        name: str,
        contract: EmbeddingContract,
        scoring: Scoring,
        facts: GroupFacts | None = None,
    ) -> Group:
        made = groups.create(
            connection,
            self._application.seq,
            name,
            contract=contract,
            scoring=scoring,
            limit=self._limits.groups_per_application,
            facts=facts,
        )
        self._log(connection, "group.create", name, contract=str(contract), scoring=scoring)
        return made

    def _log(
        self, connection: sa.Connection, action: str, subject: str, **details: str | int
    ) -> None:
        self._note(connection, self._application.seq, action, subject, **details)
