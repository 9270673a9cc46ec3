"""Persons of PersonGroups, LargePersonGroups and the directory: names that need not be unique.

A person is one of the gallery. There names are unique in a group, so a second "Ann" is called
"Ann 1f0c9a2b" in ``/v1``; a note keeps the name as the client wrote it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from mien.errors import AlreadyExists, InvalidArgument, NotFound
from mien.gallery import KEEP, Gallery, Person
from mien.service.dialects.azure.errors import missing
from mien.service.dialects.azure.fields import (
    CONTAINER_DATA,
    Body,
    hex_id,
    name_of,
    shown_id,
    text,
)

__all__ = ["MAX_FACES", "SPACE", "add", "change", "find", "give_name", "shown", "start_of"]

SPACE = "azure.person"
MAX_FACES = 248
MAX_NAME = 200


def add(gallery: Gallery, group: str, body: Body) -> Person:
    """A new person of a group, called as ``body`` says."""
    name = name_of(body, required=True) or ""
    data = text(body, "userData", most=CONTAINER_DATA)
    for called in _names(name):
        try:
            made = gallery.add_person(group, called, user_data=data)
        except (AlreadyExists, InvalidArgument):
            continue
        if called != name:
            gallery.annex.add_note(SPACE, made.id, name, group=group, person=made.id)
        return made
    raise AlreadyExists("No name is free.")  # pragma: no cover - the last one is random


def find(gallery: Gallery, group: str, person: str) -> Person:
    """The person of that id (a UUID).

    Raises:
        AzureError: a bad id, or there is none.
    """
    try:
        return gallery.person(group, hex_id(person, "personId"))
    except NotFound:
        raise missing("Person") from None


def change(gallery: Gallery, group: str, person: str, body: Body) -> None:
    """Change name and user data; what is absent stays."""
    found = find(gallery, group, person)
    name = name_of(body, required=False)
    data = text(body, "userData", most=CONTAINER_DATA)
    if data is not None:
        gallery.set_person(group, found.id, user_data=data)
    if name is not None:
        give_name(gallery, group, found, name)


def give_name(gallery: Gallery, group: str, person: Person, name: str) -> None:
    """Call a person ``name``, in the gallery too where it is free there."""
    annex = gallery.annex
    for called in _names(name):
        try:
            gallery.set_person(group, person.id, name=called, user_data=KEEP)
        except (AlreadyExists, InvalidArgument):
            continue
        annex.delete_note(SPACE, person.id)
        if called != name:
            annex.add_note(SPACE, person.id, name, group=group, person=person.id)
        return


def shown(gallery: Gallery, group: str, persons: Sequence[Person]) -> list[dict[str, Any]]:
    """Persons as the API lists them, with the ids of their faces in the group."""
    ids = [one.id for one in persons]
    names = gallery.annex.notes_of(SPACE, ids)
    faces = gallery.annex.face_ids(group, ids)
    found = []
    for one in persons:
        member: dict[str, Any] = {
            "personId": shown_id(one.id),
            "name": names.get(one.id, one.name),
            "persistedFaceIds": [shown_id(face) for face in faces[one.id]],
        }
        if one.user_data is not None:
            member["userData"] = one.user_data
        found.append(member)
    return found


def start_of(start: str) -> str:
    """``start`` of a list of UUIDs as Mien's ids begin."""
    return start.replace("-", "").lower()


def _names(name: str) -> list[str]:
    """What a person may be called in the gallery, the best first; the last one is always free."""
    plain = "".join(c if c.isprintable() else " " for c in name).strip()[:MAX_NAME] or "person"
    other = f"{plain} {secrets.token_hex(4)}"
    return [other] if _like_an_id(name) else [name, other]


def _like_an_id(name: str) -> bool:
    """Where ids are looked up, a name must not be taken for somebody else's."""
    return len(name) == 32 and all(c in "0123456789abcdef" for c in name)
