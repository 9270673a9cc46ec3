"""One import: archived rows become rows of this gallery, batch after batch."""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import sqlalchemy as sa

from mien.errors import AlreadyExists, ArchiveUnusable, NotFound
from mien.gallery import checks
from mien.gallery.archive.frames import Frame
from mien.gallery.archive.parsing import (
    ArchivedConsent,
    ArchivedFace,
    ArchivedGroup,
    ArchivedImage,
    ArchivedPerson,
    contract_of,
    parsed,
    settings_of,
)
from mien.gallery.model import GalleryLimits
from mien.gallery.records import arriving, consents, groups, kept, persons
from mien.gallery.records.arriving import NewFace, NewImage, NewPerson
from mien.gallery.records.groups import GroupFacts, GroupRow
from mien.gallery.records.tombstones import Tombstones

__all__ = ["Arrival", "OnConflict"]

OnConflict = Literal["refuse", "skip", "rename"]
"""What is done with a group, person or face that is there already."""


@dataclass(slots=True)
class Arrival:
    """One import; persons, faces and images of the batch before are forgotten with the next.

    Attributes:
        connection: of the transaction that writes.
        application_seq: whose everything becomes.
        limits: the gallery's quotas.
        on_conflict: what is done with what is there already.
        tombstones: what must not come back.
        names: name of a group in the archive -> what it is called here, where it must be free.
        rows: the groups, by their names in the archive.
        there_before: numbers of those that were there already.
        counts: of :class:`mien.gallery.archive.importing.Imported`.
        left: numbers of groups that persons were taken out of again.
    """

    connection: sa.Connection
    application_seq: int
    limits: GalleryLimits
    on_conflict: OnConflict
    tombstones: Tombstones
    names: Mapping[str, str] = field(default_factory=dict)
    rows: dict[str, GroupRow] = field(default_factory=dict)
    there_before: set[int] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    left: set[int] = field(default_factory=set)
    _owners: dict[str, NewPerson | None] = field(default_factory=dict)  # None: not written
    _keys: dict[int, bytes] = field(default_factory=dict)
    _faces: dict[str, NewFace | None] = field(default_factory=dict)
    _salt: str = field(default_factory=lambda: secrets.token_hex(16))

    # ------------------------------------------------------------------ groups

    def groups(self, frame: Frame) -> None:
        """Make the groups, or take those that are there."""
        for group in parsed(ArchivedGroup, frame.kind, frame.rows):
            if group.name in self.rows:
                raise ArchiveUnusable("The archive names a group twice.")
            self.rows[group.name] = self._group(group)

    def _group(self, group: ArchivedGroup) -> GroupRow:
        contract = contract_of(group.contract)
        name = self.names.get(group.name, group.name)
        there = self._find(name)
        if there is not None and (self.on_conflict == "refuse" or group.name in self.names):
            raise AlreadyExists(
                f"There is a group {name!r} already: choose what is done with it "
                "(--on-conflict skip or rename).",
                details={"group": name},
            )
        if there is not None and self.on_conflict == "skip":
            checks.contracts_agree(name, there.group.contract, contract)
            self.there_before.add(there.seq)
            return there
        number = 2
        while there is not None:
            name = f"{group.name[:248]}-{number}"
            there, number = self._find(name), number + 1
        groups.create(
            self.connection,
            self.application_seq,
            name,
            contract=contract,
            scoring=group.scoring,
            limit=self.limits.groups_per_application,
            facts=GroupFacts(settings_of(group), self._user_data(group.user_data)),
        )
        row = groups.find(self.connection, self.application_seq, name)
        arriving.set_created(self.connection, row.seq, group.created_at)
        return row

    def _find(self, name: str) -> GroupRow | None:
        try:
            return groups.find(self.connection, self.application_seq, name)
        except NotFound:
            return None

    # ------------------------------------------------------------------ persons

    def persons(self, frame: Frame) -> None:
        """Write a batch of persons with their memberships and consents."""
        found = parsed(ArchivedPerson, frame.kind, frame.rows)
        self._owners = dict.fromkeys(person.id for person in found)
        self._keys.clear()
        self._faces.clear()
        known = arriving.known_persons(self.connection, self._and_derived(self._owners))
        taken = arriving.taken_names(
            self.connection,
            [
                (self._row(group).seq, name)
                for person in found
                for group, name in person.groups
                if self._row(group).seq in self.there_before
            ],
        )
        external = arriving.known_external_ids(
            self.connection,
            self.application_seq,
            [person.external_id for person in found if person.external_id is not None],
        )
        new: dict[str, NewPerson] = {}
        for person in found:
            if person.id in self.tombstones.persons:
                self.counts["erased_persons"] += 1
                continue
            made = self._new_person(person, known, taken, external)
            if made is None:
                self.counts["skipped_persons"] += 1
            else:
                new[person.id] = made
        self._write_persons(new)

    def _new_person(
        self,
        person: ArchivedPerson,
        known: Mapping[str, int],
        taken: set[tuple[int, str]],
        external: set[str],
    ) -> NewPerson | None:
        """A person as written here; None: is there already, and is left as is."""
        own_id = person.id
        if known.get(own_id, self.application_seq) != self.application_seq:
            own_id = self._derived(own_id)  # of another application, which stays unseen
        external_id = person.external_id
        in_the_way = [
            what
            for what, there in (
                (f"the person {own_id!r}", own_id in known),
                (f"the external id {external_id!r}", external_id in external),
            )
            if there
        ]
        memberships = []
        for group, name in person.groups:
            own_name = own_id if name == person.id else name
            seq = self._row(group).seq
            if (seq, own_name) in taken:
                in_the_way.append(f"a person {own_name!r} in the group {group!r}")
            memberships.append((seq, self._row(group).contract_seq, own_name))
        if in_the_way and self.on_conflict == "skip":
            return None
        if in_the_way and self.on_conflict == "refuse":
            raise AlreadyExists(
                f"There is {in_the_way[0]} already: choose what is done with it (--on-conflict "
                "skip or rename)."
            )
        if own_id in known:
            fresh = self._renamed(own_id)
            memberships = [(g, c, fresh if n == own_id else n) for g, c, n in memberships]
            own_id = fresh
        if external_id in external:
            external_id = None
            self.counts["external_ids_left_out"] += 1
        return NewPerson(
            own_id,
            person.anonymous,
            person.created_at,
            person.last_seen_at,
            self._user_data(person.user_data),
            checks.external_id(external_id),
            tuple(memberships),
            tuple(self._consent(one) for one in person.consents),
        )

    def _consent(self, consent: ArchivedConsent) -> dict[str, Any]:
        ended = self.tombstones.consents.get(consent.id)
        if ended is not None and consent.withdrawn_at is None:
            self.counts["withdrawn_consents"] += 1
        else:
            ended = consent.withdrawn_at
        values = consent.model_dump(exclude={"group"})
        group_seq = None if consent.group is None else self._row(consent.group).seq
        return {**values, "group_seq": group_seq, "withdrawn_at": ended}

    def _write_persons(self, new: Mapping[str, NewPerson]) -> None:
        written = arriving.write_persons(
            self.connection,
            self.application_seq,
            list(new.values()),
            limits=self.limits,
            other_id=self._renamed,
        )
        for archived, person in zip(new, written, strict=True):
            self.counts["persons"] += 1
            self.counts["consents"] += len(person.consents)
            self._owners[archived] = self._still_there(person)

    def _still_there(self, person: NewPerson) -> NewPerson | None:
        """The person, out of the groups that a consent withdrawn since had allowed."""
        revoked = self.tombstones.consents.keys() & {one["id"] for one in person.consents}
        if revoked:
            moment = max(self.tombstones.consents[one] for one in revoked)
            uncovered = consents.uncovered(self.connection, person.seq, at=moment)
            self.left.update(kept.take_out(self.connection, person.seq, uncovered))
            if uncovered:
                rest = tuple(one for one in person.groups if one[0] not in uncovered)
                if not rest:
                    self.counts["persons"] -= 1
                    self.counts["consents"] -= len(person.consents)
                    self.counts["erased_persons"] += 1
                    return None
                person = replace(person, groups=rest)
        for group_seq, _, _ in person.groups:
            if group_seq in self.there_before:
                row = groups.find_by_seq(self.connection, group_seq)
                assert row is not None
                member = persons.find_by_seq(self.connection, row, person.seq)
                consents.need(self.connection, row, member)
        return person

    # ------------------------------------------------------------------ faces and images

    def faces(self, frame: Frame) -> None:
        """Write faces of the batch's persons, of one contract."""
        contract = contract_of(frame.facts.get("contract") or {})
        found = parsed(ArchivedFace, frame.kind, frame.rows)
        vectors = arriving.vectors(frame.blob, len(found), contract)
        self._faces = dict.fromkeys(face.id for face in found)
        known = arriving.known_faces(self.connection, self._and_derived(self._faces))
        new: dict[str, NewFace] = {}
        for face, vector in zip(found, vectors, strict=True):
            if face.person not in self._owners:
                raise ArchiveUnusable("The archive holds a face of nobody: it is damaged.")
            owner = self._owners[face.person]
            if face.id in self.tombstones.faces:
                self.counts["erased_faces"] += 1
            elif owner is not None and (own_id := self._face_id(face, owner, known)) is not None:
                values = face.model_dump(exclude={"id", "person"})
                checks.user_data(face.user_data, limit=self.limits.user_data_bytes)
                new[face.id] = NewFace(own_id, owner, vector, values)
            else:
                self.counts["skipped_faces"] += owner is not None
        self._faces.update(
            arriving.write_faces(
                self.connection,
                self.application_seq,
                contract,
                new,
                keys=self._keys,
                limits=self.limits,
            )
        )
        self.counts["faces"] += len(new)

    def _face_id(self, face: ArchivedFace, owner: NewPerson, known: set[str]) -> str | None:
        if owner.id != face.person:  # a copy of a person has copies of the faces
            own_id = self._derived(face.id, keep=12)
            return self._renamed(face.id, keep=12) if own_id in known else own_id
        if face.id not in known:
            return face.id
        if self.on_conflict == "refuse":
            raise AlreadyExists(
                f"There is the face {face.id!r} already: choose what is done with it "
                "(--on-conflict skip or rename)."
            )
        return None if self.on_conflict == "skip" else self._renamed(face.id, keep=12)

    def images(self, frame: Frame) -> None:
        """Write crops and photos of the frame of faces before."""
        found = parsed(ArchivedImage, frame.kind, frame.rows)
        new = []
        for image, data in zip(found, frame.cut([one.data for one in found]), strict=True):
            if image.face not in self._faces:
                raise ArchiveUnusable("The archive holds an image of no face: it is damaged.")
            face = self._faces[image.face]
            if face is not None:
                new.append(NewImage(face, image.kind, image.media_type, data))
        arriving.write_images(self.connection, new, self._keys)
        self.counts["images"] += len(new)

    # ------------------------------------------------------------------ names

    def _row(self, group: str) -> GroupRow:
        if group not in self.rows:
            raise ArchiveUnusable("The archive names a group that it does not hold: it is damaged.")
        return self.rows[group]

    def _user_data(self, text: str | None) -> str | None:
        return checks.user_data(text, limit=self.limits.user_data_bytes)

    def _and_derived(self, ids: Iterable[str]) -> list[str]:
        return [name for one in ids for name in (one, self._derived(one), self._derived(one, 12))]

    def _derived(self, name: str, keep: int = 0) -> str:
        """The same other id at every import of this application."""
        return _other_id(f"application {self.application_seq}", name, keep)

    def _renamed(self, name: str, keep: int = 0) -> str:
        """Another id at every import."""
        return _other_id(self._salt, name, keep)


def _other_id(salt: str, name: str, keep: int) -> str:
    digest = hashlib.sha256(f"mien import {salt} {name}".encode()).hexdigest()
    return name[:keep] + digest[: 32 - keep]
