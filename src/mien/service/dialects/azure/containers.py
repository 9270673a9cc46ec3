"""Containers: PersonGroup, LargePersonGroup, FaceList, LargeFaceList and DynamicPersonGroup.

Each is a group of the gallery, so ``/v1``, the command line and the dashboard see it, under the
name ``azure.KIND.ID``; what the API knows beside it is a note that goes with the group.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mien.errors import AlreadyExists, NotFound
from mien.gallery import Gallery, GroupSettings
from mien.service.call import Call
from mien.service.dialects.azure import models
from mien.service.dialects.azure.errors import (
    AzureError,
    bad_argument,
    exists,
    missing,
    untrained,
)
from mien.service.dialects.azure.fields import (
    CONTAINER_DATA,
    Body,
    container_id,
    name_of,
    text,
)

__all__ = [
    "DYNAMIC",
    "FACE_LIST",
    "KINDS",
    "LARGE_FACE_LIST",
    "LARGE_PERSON_GROUP",
    "PERSON_GROUP",
    "Container",
    "Kind",
    "change",
    "create",
    "delete",
    "find",
    "listing",
    "room",
    "train",
    "trained",
    "training",
]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of container.

    Attributes:
        path: of its routes; what: as errors name it; key: the member that is its id.
        persons: at most so many; faces: at most so many; None: no limit but the gallery's.
        containers: at most so many of its kind, 0: no limit but the gallery's.
        trains: it has to be trained before it is searched.
        strict: a change must name something.
    """

    path: str
    what: str
    key: str
    trains: bool = True
    strict: bool = True
    persons: int | None = None
    faces: int | None = None
    containers: int = 0

    @property
    def space(self) -> str:
        """Whose notes are its."""
        return f"azure.{self.what.lower()}"

    @property
    def settings(self) -> GroupSettings:
        """Limits of the gallery's group."""
        return GroupSettings(max_persons=self.persons, max_faces=self.faces)

    def group(self, one: str) -> str:
        """Name of the gallery's group."""
        return f"{self.space}.{one}"


PERSON_GROUP = Kind("persongroups", "PersonGroup", "personGroupId", strict=False, persons=10_000)
LARGE_PERSON_GROUP = Kind(
    "largepersongroups", "LargePersonGroup", "largePersonGroupId", persons=1_000_000
)
FACE_LIST = Kind(
    "facelists", "FaceList", "faceListId", trains=False, strict=False, faces=1000, containers=64
)
LARGE_FACE_LIST = Kind("largefacelists", "LargeFaceList", "largeFaceListId", faces=1_000_000)
DYNAMIC = Kind(
    "dynamicpersongroups",
    "DynamicPersonGroup",
    "dynamicPersonGroupId",
    trains=False,
    persons=1_000_000,
)
KINDS = (PERSON_GROUP, LARGE_PERSON_GROUP, FACE_LIST, LARGE_FACE_LIST)


@dataclass(frozen=True, slots=True)
class Container:
    """One container.

    Attributes:
        kind, id: which.
        group: name of its group in the gallery.
        name, user_data: the client's own.
        model: Azure's name of its recognition model.
        training: when it was last trained and which face was its newest then; None: never.
    """

    kind: Kind
    id: str
    group: str
    name: str
    user_data: str | None
    model: str
    training: tuple[str, str] | None = None

    def shown(self, *, model: bool) -> dict[str, Any]:
        """As the API lists it."""
        found: dict[str, Any] = {self.kind.key: self.id, "name": self.name}
        if self.user_data is not None:
            found["userData"] = self.user_data
        if model:
            found["recognitionModel"] = self.model
        return found

    def document(self) -> str:
        """As it is kept."""
        return json.dumps(
            {
                "name": self.name,
                "userData": self.user_data,
                "recognitionModel": self.model,
                "training": self.training,
            }
        )


def find(gallery: Gallery, kind: Kind, one: str, *, status: int = 404) -> Container:
    """The container of that id.

    Raises:
        AzureError: a bad id, or there is none (with ``status``).
    """
    container_id(one, kind.key)
    note = gallery.annex.note(kind.space, one)
    if note is None or note.group is None:
        raise missing(kind.what, status=status)
    return _read(kind, one, note.group, note.document)


def create(call: Call, kind: Kind, one: str, body: Body, *, model: str | None = None) -> Container:
    """A new container.

    Args:
        call: whose.
        kind, one: which.
        body: ``name``, ``userData``, ``recognitionModel``.
        model: Azure's name of the recognition model; None: the body's.
    """
    container_id(one, kind.key)
    name = name_of(body, required=True) or ""
    data = text(body, "userData", most=CONTAINER_DATA)
    chosen = models.recognition_model(body) if model is None else model
    gallery = call.gallery
    if gallery.annex.note(kind.space, one) is not None:
        raise exists(kind.what)
    room(gallery, kind)
    made = Container(kind, one, kind.group(one), name, data, chosen)
    contract = models.engine_of(call, chosen).embedder.contract
    try:
        gallery.create_group(made.group, contract=contract, settings=kind.settings)
    except AlreadyExists:  # made by one who was killed before the note, or through /v1
        gallery.check_contract(gallery.group(made.group), contract)
    try:
        gallery.annex.add_note(kind.space, one, made.document(), group=made.group)
    except AlreadyExists:
        raise exists(kind.what) from None
    return made


def room(gallery: Gallery, kind: Kind) -> None:
    """Check that one more container of a kind may be made.

    Raises:
        AzureError: there are as many as there may be.
    """
    if kind.containers and len(gallery.annex.notes(kind.space, limit=1000)) >= kind.containers:
        raise AzureError(403, "QuotaExceeded", f"{kind.what} number reached limit.")


def change(gallery: Gallery, kind: Kind, one: str, body: Body, *, empty: bool = False) -> None:
    """Change name and user data; what is absent stays.

    Raises:
        AzureError: nothing to change where the kind is strict and ``empty`` is False.
    """
    found = find(gallery, kind, one)
    name = name_of(body, required=False)
    data = text(body, "userData", most=CONTAINER_DATA)
    if name is None and data is None:
        if kind.strict and not empty:
            raise bad_argument("'name' and 'userData' are both empty.")
        return
    given = {"name": name, "userData": data}
    _write(gallery, found, {key: value for key, value in given.items() if value is not None})


def delete(gallery: Gallery, kind: Kind, one: str) -> None:
    """Delete a container with all that is in it."""
    found = find(gallery, kind, one)
    try:
        gallery.delete_group(found.group)
    except NotFound:
        raise missing(kind.what) from None


def listing(gallery: Gallery, kind: Kind, start: str, top: int) -> list[Container]:
    """Containers by id, those after ``start``."""
    found = gallery.annex.notes(kind.space, after=start, limit=top)
    return [_read(kind, one.key, one.group or "", one.document) for one in found]


# ---------------------------------------------------------------------- training


def train(gallery: Gallery, kind: Kind, one: str) -> None:
    """From now on the faces that are there now are found.

    There is nothing to compute: the index follows the gallery. What is done is to say which faces
    a search may find, so that a client sees what the API promises: what was added since the last
    training is not found before the next. What is deleted is not found from that moment.
    """
    found = find(gallery, kind, one)
    newest = gallery.annex.newest_face(found.group)
    _write(gallery, found, {"training": (_now(), newest)})


def training(gallery: Gallery, kind: Kind, one: str) -> dict[str, Any]:
    """How the last training went.

    Raises:
        AzureError: it was never trained.
    """
    found = find(gallery, kind, one)
    if found.training is None:
        raise untrained(kind.what, status=404)
    at = found.training[0]
    return {
        "status": "succeeded",
        "createdDateTime": at,
        "lastActionDateTime": at,
        "lastSuccessfulTrainingDateTime": at,
    }


def trained(found: Container) -> str:
    """Id of the newest face that a search may find.

    Raises:
        AzureError: it was never trained.
    """
    if found.training is None:
        raise untrained(found.kind.what, status=400)
    return found.training[1]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _write(gallery: Gallery, container: Container, facts: Mapping[str, Any]) -> None:
    def changed(document: str) -> str:
        return json.dumps({**json.loads(document), **facts})

    try:
        gallery.annex.change_note(container.kind.space, container.id, changed)
    except NotFound:
        raise missing(container.kind.what) from None


def _read(kind: Kind, one: str, group: str, document: str) -> Container:
    facts = json.loads(document)
    done = facts["training"]
    return Container(
        kind=kind,
        id=one,
        group=group,
        name=facts["name"],
        user_data=facts["userData"],
        model=facts["recognitionModel"],
        training=None if done is None else (done[0], done[1]),
    )
