"""PersonDirectory: persons of the whole application, and their faces for each recognition model."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from mien.gallery import Gallery, Person
from mien.service.call import Call
from mien.service.dialects.azure import directory_scope, faces, operations, persons
from mien.service.dialects.azure.containers import DYNAMIC
from mien.service.dialects.azure.errors import AzureError, bad_argument, missing
from mien.service.dialects.azure.fields import Body, hex_id, page, shown_id
from mien.service.dialects.azure.models import RECOGNITION
from mien.service.dialects.azure.route import (
    AzureRoute,
    Reading,
    Writing,
    done,
    query_of,
    with_body,
    with_photo,
)

__all__ = ["router"]

router = APIRouter(route_class=AzureRoute, tags=["PersonDirectory"])

SPACE = "azure.directory"
FACES = "/persons/{person}/recognitionModels/{model}/persistedfaces"


@router.post("/persons", status_code=202)
async def create(call: Writing) -> Response:
    """Create a person."""

    def work(body: Body) -> tuple[str, str]:
        group, *others = directory_scope.groups(call).values()
        made = persons.add(call.gallery, group, body)
        for other in others:
            directory_scope.join(call.gallery, other, made.id, source=group)
        call.gallery.annex.add_note(SPACE, made.id, "", group=group, person=made.id)
        return made.id, operations.start(call)

    one, operation = await with_body(call, work)
    place = f"persons/{shown_id(one)}"
    return operations.accepted(call, operation, {"personId": shown_id(one)}, location=place)


@router.get("/persons")
async def listing(call: Reading) -> Response:
    """Persons by id, those after ``start``."""
    start, top = page(query_of(call))

    def work() -> list[dict[str, Any]]:
        after = persons.start_of(start)
        ids = [one.key for one in call.gallery.annex.notes(SPACE, after=after, limit=top)]
        found = [(home, call.gallery.person(home, one)) for home, one in _homes(call.gallery, ids)]
        return [_shown(call.gallery, home, one) for home, one in found]

    return done(await call.with_records(work))


@router.get("/persons/{person}")
async def show(call: Reading, person: str) -> Response:
    """One person."""

    def work() -> dict[str, Any]:
        home, found = _find(call.gallery, person)
        return _shown(call.gallery, home, found)

    return done(await call.with_records(work))


@router.patch("/persons/{person}")
async def change(call: Writing, person: str) -> Response:
    """Change name and user data."""

    def work(body: Body) -> None:
        home, found = _find(call.gallery, person)
        if body.get("name") is None and body.get("userData") is None:
            raise bad_argument("'name' and 'userData' are both empty.")
        persons.change(call.gallery, home, shown_id(found.id), body)

    return done(await with_body(call, work))


@router.delete("/persons/{person}", status_code=202)
async def delete(call: Writing, person: str) -> Response:
    """Delete a person, out of every group, with all faces."""

    def work() -> str:
        home, found = _find(call.gallery, person)
        call.gallery.delete_person(home, found.id)
        return operations.start(call)

    return operations.accepted(call, await call.with_records(work))


@router.get("/persons/{person}/dynamicPersonGroupReferences")
async def references(call: Reading, person: str) -> Response:
    """DynamicPersonGroups that a person is in, by id, those after ``start``."""
    start, top = page(query_of(call))

    def work() -> dict[str, Any]:
        _, found = _find(call.gallery, person)
        inside = set(call.gallery.annex.groups_of(found.id))
        ids, after = list[str](), start
        while len(ids) < top and (
            notes := call.gallery.annex.notes(DYNAMIC.space, after=after, limit=1000)
        ):
            ids += [one.key for one in notes if one.group in inside]
            after = notes[-1].key
        return {"dynamicPersonGroupIds": ids[:top]}

    return done(await call.with_records(work))


# ---------------------------------------------------------------------- faces


@router.post(FACES, status_code=202)
async def add_face(call: Writing, person: str, model: str) -> Response:
    """Register a person's face for a recognition model."""
    asked = faces.Registration(query_of(call))
    chosen = _model(model)

    def work(data: bytes) -> tuple[str, str, str]:
        home, found = _find(call.gallery, person)
        group = directory_scope.group_of(call, chosen)
        directory_scope.ensure(call, group, chosen)
        directory_scope.join(call.gallery, group, found.id, source=home)
        if len(_faces(call, group, found.id, chosen)) >= persons.MAX_FACES:
            raise AzureError(403, "QuotaExceeded", "Persisted face number reached limit.")
        stored = faces.register(call, group, found.id, chosen, data, asked, mark=chosen)
        return found.id, stored.id, operations.start(call)

    one, face, operation = await with_photo(call, work)
    place = f"persons/{shown_id(one)}/recognitionModels/{chosen}/persistedfaces/{shown_id(face)}"
    content = {"persistedFaceId": shown_id(face)}
    return operations.accepted(call, operation, content, location=place)


@router.get(FACES)
async def list_faces(call: Reading, person: str, model: str) -> Response:
    """A person's faces for a recognition model."""
    chosen = _model(model)

    def work() -> dict[str, Any]:
        _, found = _find(call.gallery, person)
        group = directory_scope.group_of(call, chosen)
        listed = _faces(call, group, found.id, chosen)
        return {
            "personId": shown_id(found.id),
            "persistedFaceIds": [shown_id(one.id) for one in listed],
        }

    return done(await call.with_records(work))


@router.get(FACES + "/{face}")
async def show_face(call: Reading, person: str, model: str, face: str) -> Response:
    """One face of a person."""
    chosen = _model(model)
    return done(await call.with_records(lambda: faces.shown(_face(call, person, chosen, face)[1])))


@router.patch(FACES + "/{face}")
async def change_face(call: Writing, person: str, model: str, face: str) -> Response:
    """Change what is kept with a face."""
    chosen = _model(model)

    def work(body: Body) -> None:
        group, found = _face(call, person, chosen, face)
        faces.change(call.gallery, group, found, body)

    return done(await with_body(call, work))


@router.delete(FACES + "/{face}", status_code=202)
async def delete_face(call: Writing, person: str, model: str, face: str) -> Response:
    """Delete a face of a person."""
    chosen = _model(model)

    def work() -> str:
        group, found = _face(call, person, chosen, face)
        call.gallery.delete_face(group, found.id)
        return operations.start(call)

    return operations.accepted(call, await call.with_records(work))


def _find(gallery: Gallery, person: str) -> tuple[str, Person]:
    """A group of the directory that a person is in, and the person there."""
    one = hex_id(person, "personId")
    if gallery.annex.note(SPACE, one) is None:
        raise missing("Person")
    home = directory_scope.home_of(gallery, one)
    return home, persons.find(gallery, home, one)


def _homes(gallery: Gallery, ids: list[str]) -> list[tuple[str, str]]:
    return [(directory_scope.home_of(gallery, one), one) for one in ids]


def _shown(gallery: Gallery, home: str, person: Person) -> dict[str, Any]:
    shown = persons.shown(gallery, home, [person])[0]
    del shown["persistedFaceIds"]
    return shown


def _model(model: str) -> str:
    if model not in RECOGNITION:
        raise bad_argument("'recognitionModel' is invalid.")
    return model


def _faces(call: Call, group: str, person: str, model: str) -> list[Any]:
    return call.gallery.faces(group, person, external_image_id=model, limit=1000)


def _face(call: Call, person: str, model: str, face: str) -> tuple[str, Any]:
    """A person's face and the group that it is in."""
    _, found = _find(call.gallery, person)
    group = directory_scope.group_of(call, model)
    stored = faces.find(call.gallery, group, face, person=found.id)
    if stored.external_image_id != model:
        raise missing("PersistedFace")
    return group, stored
