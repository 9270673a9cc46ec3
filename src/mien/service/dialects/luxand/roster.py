"""Luxand's persons and collections in the gallery.

All persons of an application are in the group ``luxand``; a collection is a group of its own, which
some of them are members of too. Luxand's names need not be unique and may hold anything, so they
are kept as user data beside names that the gallery takes.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mien.errors import AlreadyExists, InvalidArgument, NotFound
from mien.gallery import Gallery, Group, Person
from mien.types import EmbeddingContract

__all__ = ["EVERYBODY", "Collection", "Roster"]

EVERYBODY = "luxand"
"""The group of all persons."""

_COLLECTION = "luxand."
_NUMBER = "luxand:"
_PAGE = 500
_FEW = 20  # persons whose faces are asked for one by one
MAX_PAGE = 1000
_TRIES = 20
_MAX_NAME = 255

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Collection:
    """Some of the persons.

    Attributes:
        group: its group's name; it ends with the collection's id.
        name: free text.
    """

    group: str
    name: str

    def to_dict(self) -> Json:
        """``{"uuid", "name"}``."""
        return {"uuid": str(uuid.UUID(hex=self.group[len(_COLLECTION) :])), "name": self.name}


class Roster:
    """Persons and collections of one application.

    Args:
        gallery: the application's view.
        contract: of the embeddings, for groups that are made.
        address: of the dialect, for URLs.
    """

    def __init__(self, gallery: Gallery, contract: EmbeddingContract, address: str) -> None:
        self.gallery = gallery
        self._contract = contract
        self._address = address

    # ------------------------------------------------------------------ persons

    def add(self, name: str) -> Person:
        """A new person; the name may be taken."""
        name = _checked(name)
        try:
            self.gallery.group(EVERYBODY)  # which keeps the model that it is pinned to
        except NotFound:
            self.gallery.ensure_group(EVERYBODY, contract=self._contract)
        for attempt in range(_TRIES):
            number = secrets.randbelow(2**31 - 1) + 1
            unique = name if attempt == 0 else f"{name[:200]} {secrets.token_hex(4)}"
            try:
                return self.gallery.add_person(
                    EVERYBODY, unique, user_data=_named(name), external_id=f"{_NUMBER}{number}"
                )
            except AlreadyExists:
                continue
        raise AlreadyExists("No free name was found for the person: try again.")

    def find(self, person: str) -> Person:
        """The person of that UUID, or of that number.

        Raises:
            NotFound: there is none.
        """
        try:
            if person.isascii() and person.isdigit() and len(person) < 11:
                return self.gallery.person_by_external_id(EVERYBODY, f"{_NUMBER}{int(person)}")
            found = self.gallery.person(EVERYBODY, uuid.UUID(person).hex)
        except (NotFound, ValueError):
            raise NotFound("There is no such person.") from None
        return found

    def rename(self, person: Person, name: str) -> None:
        """Give a person another name, which may be taken."""
        name = _checked(name)
        try:
            self.gallery.set_person(EVERYBODY, person.id, name=name, user_data=_named(name))
        except AlreadyExists:
            unique = f"{name[:200]} {secrets.token_hex(4)}"
            self.gallery.set_person(EVERYBODY, person.id, name=unique, user_data=_named(name))

    def delete_all(self) -> int:
        """Delete every person with all faces, out of every collection."""
        count = 0
        while found := self._page(None):
            for person in found:
                self.gallery.delete_person(EVERYBODY, person.id)
                count += 1
        return count

    def persons(self) -> Iterator[Person]:
        """All persons by name."""
        after: str | None = None
        while found := self._page(after):
            yield from found
            after = found[-1].name

    def described(self, persons: Iterable[Person]) -> list[Json]:
        """Persons as Luxand answers them."""
        persons = list(persons)
        inside, faces = self._memberships(persons), self._faces(persons)
        return [
            {
                **({} if (number := _number(person)) is None else {"id": number}),
                "uuid": str(uuid.UUID(hex=person.id)),
                "name": name_of(person),
                "faces": self.face_dicts(faces.get(person.id, [])),
                "collections": inside.get(person.id, []),
            }
            for person in persons
        ]

    def face_dicts(self, face_ids: Sequence[str]) -> list[Json]:
        """Stored faces; a ``url`` where an image is kept with one."""
        some = face_ids[:MAX_PAGE]
        pictured = self.gallery.with_image(EVERYBODY, some) if some else set()
        told: list[Json] = []
        for face_id in face_ids:
            face = str(uuid.UUID(hex=face_id))
            url = {"url": f"{self._address}/face/{face}/image"} if face_id in pictured else {}
            told.append({"uuid": face, **url})
        return told

    # ------------------------------------------------------------------ collections

    def collections(self) -> list[Collection]:
        """All collections."""
        found: list[Collection] = []
        after: str | None = EVERYBODY  # their names begin with it, so they come after it
        while some := self.gallery.groups(after=after, limit=_PAGE):
            found += [one for one in map(_collection, some) if one is not None]
            after = some[-1].name
        return found

    def collection(self, cid: str) -> Collection:
        """The collection of that UUID.

        Raises:
            NotFound: there is none.
        """
        try:
            group = self.gallery.group(f"{_COLLECTION}{uuid.UUID(cid).hex}")
        except (NotFound, ValueError):
            raise NotFound("There is no such collection.") from None
        found = _collection(group)
        if found is None:
            raise NotFound("There is no such collection.")
        return found

    def named(self, names: Iterable[str]) -> list[Collection]:
        """The collections of those names or UUIDs; what is none is left out."""
        wanted = set(names)
        some = self.collections() if wanted else []
        return [one for one in some if wanted & {one.name, one.to_dict()["uuid"]}]

    def ensured(self, names: Iterable[str]) -> list[Collection]:
        """The collections of those names or UUIDs, made where missing."""
        wanted = list(dict.fromkeys(names))
        known: dict[str, Collection] = {}
        for one in self.named(wanted):
            known |= {one.to_dict()["uuid"]: one, one.name: one}
        found = [known.get(name) or self.create(name) for name in wanted]
        return list({one.group: one for one in found}.values())

    def create(self, name: str) -> Collection:
        """A new collection."""
        name = _checked(name)
        group = f"{_COLLECTION}{uuid.uuid4().hex}"
        try:  # faces are shared between groups of one model
            contract = self.gallery.group(EVERYBODY).contract
        except NotFound:
            contract = self._contract
        self.gallery.create_group(group, contract=contract, user_data=_named(name))
        return Collection(group, name)

    def attach(self, collection: Collection, person: Person) -> None:
        """Make a person a member of a collection."""
        try:
            self.gallery.add_member(
                collection.group, person.id, source=EVERYBODY, name=f"{person.id}"
            )
        except AlreadyExists:
            return

    def detach(self, collection: Collection, person: Person) -> None:
        """Take a person out of a collection.

        Raises:
            NotFound: the person is not in it.
        """
        self.gallery.remove_member(collection.group, person.id)

    def _memberships(self, persons: Sequence[Person]) -> dict[str, list[Json]]:
        """Those persons' collections, by the person's id."""
        known = {one.group: one.to_dict() for one in self.collections()}
        if len(persons) <= _FEW:
            groups_of = self.gallery.annex.groups_of
            return {
                person.id: [known[name] for name in groups_of(person.id) if name in known]
                for person in persons
            }
        inside: dict[str, list[Json]] = {}
        for group, collection in known.items():
            after: str | None = None
            while some := self.gallery.persons(group, after=after, limit=_PAGE):
                for person in some:
                    inside.setdefault(person.id, []).append(collection)
                after = some[-1].name
        return inside

    def _page(self, after: str | None) -> list[Person]:
        try:
            return self.gallery.persons(EVERYBODY, after=after, limit=_PAGE)
        except NotFound:  # nobody has ever been added
            return []

    def _faces(self, persons: Sequence[Person]) -> dict[str, list[str]]:
        """Ids of those persons' faces, by the person's id, oldest first."""
        found: dict[str, list[str]] = {}
        for person in [None] if len(persons) > _FEW else persons:
            after: str | None = None
            name = None if person is None else person.id
            while some := self.gallery.faces(EVERYBODY, name, after=after, limit=_PAGE):
                for face in some:
                    found.setdefault(face.person_id, []).append(face.id)
                after = some[-1].id
        return found


def name_of(person: Person) -> str:
    """The name that the person was given."""
    return _name(person.user_data) or person.name


def _number(person: Person) -> int | None:
    """The integer that version 1 calls the person by; None for one added by another API."""
    given = person.external_id or ""
    rest = given.removeprefix(_NUMBER)
    return int(rest) if given.startswith(_NUMBER) and rest.isdigit() else None


def _collection(group: Group) -> Collection | None:
    name = _name(group.user_data)
    if not group.name.startswith(_COLLECTION) or name is None:
        return None
    return Collection(group.name, name)


def _checked(name: str) -> str:
    name = " ".join(name.split())
    if not 0 < len(name) <= _MAX_NAME or not name.isprintable():
        raise InvalidArgument("A name is 1 to 255 printable characters.")
    return name


def _named(name: str) -> str:
    return json.dumps({"luxand": {"name": name}}, ensure_ascii=False)


def _name(user_data: str | None) -> str | None:
    try:
        told = json.loads(user_data or "")["luxand"]["name"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return told if isinstance(told, str) else None
