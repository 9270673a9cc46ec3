"""Subjects and their faces: create, list, rename, merge, delete."""

from __future__ import annotations

import math
import uuid
from typing import Any

from starlette.responses import Response

from mien.engine import EnrolmentPhoto
from mien.errors import AlreadyExists, NoFaceFound, NotFound, SeveralFaces
from mien.gallery import Person, StoredFace
from mien.service.dialects.compreface.failures import Failure, refused
from mien.service.dialects.compreface.requests import (
    COLLECTION,
    CompreCall,
    LookOptions,
    PageOptions,
    image_id_of,
    named,
)
from mien.service.dialects.photo_forms import PhotoForm
from mien.service.errors import error_of

__all__ = [
    "add_face",
    "create",
    "delete",
    "delete_all",
    "delete_face",
    "delete_faces",
    "delete_listed",
    "faces",
    "image",
    "listing",
    "rename",
]

Json = dict[str, Any]

_PAGE = 500


async def create(asked: CompreCall) -> Json:
    """A new subject without a face."""

    def work(body: Json) -> Json:
        name = named(body.get("subject"))
        _ensure_collection(asked)
        try:
            return {"subject": asked.gallery.add_person(COLLECTION, name).name}
        except AlreadyExists:
            raise refused(Failure.SUBJECT_EXISTS, "That subject exists already.") from None

    return await asked.call.with_json(work)


async def listing(asked: CompreCall) -> Json:
    """Names of all subjects."""
    return await asked.call.with_records(
        lambda: {"subjects": [person.name for person in _persons(asked)]}
    )


async def rename(asked: CompreCall) -> Json:
    """Give a subject another name; where that is taken, the two become one."""

    def work(body: Json) -> Json:
        name = named(body.get("subject"))
        person = asked.person(asked.path["subject"])
        if name == person.name:
            return {"updated": True}
        try:
            asked.gallery.set_person(COLLECTION, person.id, name=name)
        except AlreadyExists:
            asked.gallery.merge_persons(COLLECTION, asked.person(name).id, person.id)
        return {"updated": True}

    return await asked.call.with_json(work)


async def delete(asked: CompreCall) -> Json:
    """Delete a subject with all faces."""

    def work() -> Json:
        person = asked.person(asked.path["subject"])
        asked.gallery.delete_person(COLLECTION, person.id)
        return {"subject": person.name}

    return await asked.call.with_records(work)


async def delete_all(asked: CompreCall) -> Json:
    """Delete all subjects."""

    def work() -> Json:
        found = _persons(asked)
        for person in found:
            asked.gallery.delete_person(COLLECTION, person.id)
        return {"deleted": len(found)}

    return await asked.call.with_records(work)


async def add_face(asked: CompreCall) -> Json:
    """Add the one face of a photo to a subject, which is made where missing."""
    name = asked.subject
    given = asked.options(LookOptions)

    def work(form: PhotoForm) -> Json:
        engine = asked.call.engine
        photo = engine.photo(form.one("file"))
        seen = engine.detect(photo, liveness="off").faces
        count = sum(face.score >= given.det_prob_threshold for face in seen)
        if not count:
            raise NoFaceFound("No face is found in the given image")
        if count > 1:
            raise SeveralFaces("Found more than one face in the given image")
        _ensure_collection(asked)
        (done,) = engine.enroll_each(
            asked.gallery,
            COLLECTION,
            [EnrolmentPhoto(name, photo, "file")],
            liveness=asked.liveness,
        )
        if done.known_face is not None:
            known = asked.face(str(uuid.UUID(hex=done.known_face)))
            return {"image_id": image_id_of(known), "subject": name}
        if done.face_id is None:
            rejection = done.rejection
            reason = rejection.reasons[0] if rejection is not None else "face"
            raise error_of(reason, "" if rejection is None else rejection.message)
        asked.call.service.metrics.enrolled.inc()
        return {"image_id": str(uuid.UUID(hex=done.face_id)), "subject": name}

    return await asked.with_photos(work)


async def faces(asked: CompreCall) -> Json:
    """Stored faces, oldest first."""
    page = asked.options(PageOptions)

    def work() -> Json:
        try:
            person = None if page.subject is None else asked.person(page.subject)
            total = asked.gallery.size(COLLECTION) if person is None else person.faces
            shown = _faces(asked, person, start=page.page * page.size, count=page.size)
        except NotFound:  # nothing has ever been added
            total, shown = 0, []
        return {
            "faces": [_face(face) for face in shown],
            "page_number": page.page,
            "page_size": page.size,
            "total_pages": math.ceil(total / page.size),
            "total_elements": total,
        }

    return await asked.call.with_records(work)


async def delete_faces(asked: CompreCall) -> Json:
    """Delete all faces of a subject, or all faces; the subjects stay."""
    name = asked.subject if "subject" in asked.call.query else None

    def work() -> Json:
        try:
            person = None if name is None else asked.person(name)
            found = _faces(asked, person, start=0, count=None)
        except NotFound:
            found = []
        for face in found:
            asked.gallery.delete_face(COLLECTION, face.id)
        return {"deleted": len(found)}

    return await asked.call.with_records(work)


async def delete_face(asked: CompreCall) -> Json:
    """Delete one face."""

    def work() -> Json:
        face = asked.face(asked.path["image_id"])
        asked.gallery.delete_face(COLLECTION, face.id)
        return _face(face)

    return await asked.call.with_records(work)


async def delete_listed(asked: CompreCall) -> list[Json]:
    """Delete the faces of a list of ids; those that are not there are left out of the answer."""

    def work(ids: list[str]) -> list[Json]:
        gone: list[Json] = []
        for one in ids:
            try:
                face = asked.face(one)
                asked.gallery.delete_face(COLLECTION, face.id)
            except NotFound:
                continue
            gone.append(_face(face))
        return gone

    return await asked.with_ids(work)


async def image(asked: CompreCall) -> Response:
    """The image that is kept with a face, where the collection's setting ``images`` keeps any."""

    def work() -> Response:
        face = asked.face(asked.path["image_id"])
        try:
            kept = asked.gallery.image(COLLECTION, face.id)
        except NotFound:
            raise refused(Failure.IMAGE_NOT_FOUND, "No image of that face is kept.") from None
        headers = {"Cache-Control": "private, no-store"}
        return Response(kept.data, media_type=kept.media_type, headers=headers)

    return await asked.call.with_records(work)


def _ensure_collection(asked: CompreCall) -> None:
    try:
        asked.gallery.group(COLLECTION)  # which keeps the model that it is pinned to
    except NotFound:
        asked.gallery.ensure_group(COLLECTION, contract=asked.call.engine.embedder.contract)


def _persons(asked: CompreCall) -> list[Person]:
    found: list[Person] = []
    after: str | None = None
    try:
        while some := asked.gallery.persons(COLLECTION, after=after, limit=_PAGE):
            found += some
            after = some[-1].name
    except NotFound:  # nothing has ever been added
        return []
    return found


def _faces(
    asked: CompreCall, person: Person | None, *, start: int, count: int | None
) -> list[StoredFace]:
    """Faces from the ``start``-th on."""
    name = None if person is None else person.id
    found: list[StoredFace] = []
    end = None if count is None else start + count
    after: str | None = None
    while end is None or len(found) < end:
        some = asked.gallery.faces(COLLECTION, name, after=after, limit=_PAGE)
        found += some
        if len(some) < _PAGE:
            break
        after = some[-1].id
    return found[start:end]


def _face(face: StoredFace) -> Json:
    return {"image_id": image_id_of(face), "subject": face.person}
