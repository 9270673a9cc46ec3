"""Persons and collections: enrol, list, change, delete."""

from __future__ import annotations

import uuid
from typing import Any

from starlette.responses import Response

from mien.errors import AlreadyExists, InvalidArgument, NotFound
from mien.gallery import Person
from mien.service.dialects.luxand.requests import LuxandCall
from mien.service.dialects.luxand.roster import EVERYBODY, Roster
from mien.service.dialects.photo_forms import PhotoForm
from mien.service.errors import error_of

__all__ = [
    "add_face",
    "add_to_collection",
    "collections",
    "create",
    "create_collection",
    "delete",
    "delete_all",
    "delete_collection",
    "face_image",
    "listing",
    "remove_from_collection",
    "show",
    "update",
]

Json = dict[str, Any]
SUCCESS: Json = {"status": "success"}
MAX_LISTED = 10_000


async def create(asked: LuxandCall) -> Json:
    """A new person with all photos sent, in the collections named. ``unique``: nobody twice."""

    def work(form: PhotoForm) -> Json:
        roster = asked.roster
        photos = form.all("photos", "photo")
        if form.flag("unique"):
            for photo in photos:
                _refuse_known(asked, photo)
        person = roster.add(form.text("name"))
        try:
            _enroll(asked, person, photos)
            for collection in roster.ensured(_names(form)):
                roster.attach(collection, person)
        except BaseException:  # what is refused leaves nobody behind
            asked.gallery.delete_person(EVERYBODY, person.id)
            raise
        (told,) = roster.described([roster.find(person.id)])
        url = {"url": told["faces"][0]["url"]} if "url" in (told["faces"] or [{}])[0] else {}
        return SUCCESS | {"message": "Successfully created"} | told | url

    return await asked.with_form(work)


async def add_face(asked: LuxandCall) -> Json:
    """Add photos to a person."""

    def work(form: PhotoForm) -> Json:
        person = asked.roster.find(asked.path["person"])
        photos = form.all("photos", "photo")
        if not photos:
            raise InvalidArgument("Send one photo in the field 'photo'.")
        face_ids = _enroll(asked, person, photos)
        (told,) = asked.roster.described([person])
        faces = asked.roster.face_dicts(face_ids)
        number = {"id": told["id"]} if "id" in told else {}
        return SUCCESS | number | faces[0] | {"faces": faces}

    return await asked.with_form(work)


async def listing(asked: LuxandCall) -> list[Json]:
    """Persons by name."""
    limit = asked.number("limit", MAX_LISTED)
    offset = asked.number("offset", 0)

    def work() -> list[Json]:
        some = [
            person
            for place, person in enumerate(asked.roster.persons())
            if offset <= place < offset + limit
        ]
        return asked.roster.described(some)

    return await asked.call.with_records(work)


async def show(asked: LuxandCall) -> Json:
    """One person."""

    def work() -> Json:
        (told,) = asked.roster.described([asked.roster.find(asked.path["person"])])
        return told

    return await asked.call.with_records(work)


async def update(asked: LuxandCall) -> Json:
    """Give a person another name, or other collections."""

    def work(form: PhotoForm) -> Json:
        roster = asked.roster
        person = roster.find(asked.path["person"])
        if "name" in form.fields:
            roster.rename(person, form.text("name"))
        if "collections" in form.fields:
            _set_collections(roster, person, _names(form))
        (told,) = roster.described([roster.find(person.id)])
        return SUCCESS | told

    return await asked.with_form(work)


async def delete(asked: LuxandCall) -> Json:
    """Delete a person with all faces."""

    def work() -> Json:
        asked.gallery.delete_person(EVERYBODY, asked.roster.find(asked.path["person"]).id)
        return SUCCESS

    return await asked.call.with_records(work)


async def delete_all(asked: LuxandCall) -> Json:
    """Delete all persons."""
    return SUCCESS | {"deleted": await asked.call.with_records(asked.roster.delete_all)}


async def face_image(asked: LuxandCall) -> Response:
    """The image that is kept with a face, where the setting ``images`` of the group keeps any."""

    def work() -> Response:
        try:
            kept = asked.gallery.image(EVERYBODY, uuid.UUID(asked.path["face"]).hex)
        except (NotFound, ValueError):
            raise NotFound("No image of that face is kept.") from None
        headers = {"Cache-Control": "private, no-store"}
        return Response(kept.data, media_type=kept.media_type, headers=headers)

    return await asked.call.with_records(work)


async def collections(asked: LuxandCall) -> list[Json]:
    """All collections."""
    return await asked.call.with_records(
        lambda: [collection.to_dict() for collection in asked.roster.collections()]
    )


async def create_collection(asked: LuxandCall) -> Json:
    """A new collection."""

    def work(form: PhotoForm) -> Json:
        return SUCCESS | asked.roster.create(form.text("name")).to_dict()

    return await asked.with_form(work)


async def delete_collection(asked: LuxandCall) -> Json:
    """Delete a collection; its persons stay."""

    def work() -> Json:
        asked.gallery.delete_group(asked.roster.collection(asked.path["collection"]).group)
        return SUCCESS

    return await asked.call.with_records(work)


async def add_to_collection(asked: LuxandCall) -> Json:
    """Make a person a member of a collection."""

    def work() -> Json:
        roster = asked.roster
        roster.attach(
            roster.collection(asked.path["collection"]), roster.find(asked.path["person"])
        )
        return SUCCESS

    return await asked.call.with_records(work)


async def remove_from_collection(asked: LuxandCall) -> Json:
    """Take a person out of a collection."""

    def work() -> Json:
        roster = asked.roster
        collection = roster.collection(asked.path["collection"])
        person = roster.find(asked.path["person"])
        try:
            roster.detach(collection, person)
        except NotFound:
            raise NotFound("The person is not in that collection.") from None
        return SUCCESS

    return await asked.call.with_records(work)


def _enroll(asked: LuxandCall, person: Person, photos: list[bytes]) -> list[str]:
    """Enrol photos, all or none.

    Raises:
        MienError: a photo cannot be enrolled; it says why.
    """
    if not photos:
        return []
    done = asked.call.engine.enroll(
        asked.gallery, EVERYBODY, person.id, photos, liveness=asked.liveness
    )
    if done.rejected:
        for face_id in done.face_ids:
            asked.gallery.delete_face(EVERYBODY, face_id)
        first = done.rejected[0]
        raise error_of(first.reasons[0] if first.reasons else "face", first.message)
    asked.call.service.metrics.enrolled.inc(done.enrolled)
    return list(done.face_ids)


def _refuse_known(asked: LuxandCall, photo: bytes) -> None:
    try:
        found = asked.call.engine.identify(asked.gallery, EVERYBODY, photo, top=1, liveness="off")
    except NotFound:  # nobody has ever been added
        return
    if len(found) and found.faces[0].candidates:
        raise AlreadyExists("This person is enrolled already.")


def _set_collections(roster: Roster, person: Person, names: list[str]) -> None:
    wanted = {one.group: one for one in roster.ensured(names)}
    (told,) = roster.described([person])
    for one in told["collections"]:
        collection = roster.collection(one["uuid"])
        if collection.group not in wanted:
            roster.detach(collection, person)
    for collection in wanted.values():
        roster.attach(collection, person)


def _names(form: PhotoForm) -> list[str]:
    return [name.strip() for name in form.text("collections").split(",") if name.strip()]
