"""Faces that are registered: choosing the one face of a photo, storing it, showing it."""

from __future__ import annotations

from typing import Any

from mien.engine import Engine
from mien.engine.keeping import images_for
from mien.errors import NotFound
from mien.gallery import Gallery, Group, StoredFace
from mien.image import Photo
from mien.results import Detection
from mien.service.call import Call
from mien.service.dialects.azure import models
from mien.service.dialects.azure.errors import AzureError, bad_argument, missing
from mien.service.dialects.azure.fields import (
    FACE_DATA,
    Body,
    Rectangle,
    hex_id,
    rectangle,
    shown_id,
    text,
)
from mien.service.dialects.azure.policies import refuse_lookalike, refuse_spoof
from mien.types import Face, Faces

__all__ = ["Registration", "change", "find", "only_face", "register", "shown"]


class Registration:
    """The query of a request that registers a face.

    Raises:
        AzureError: an option that cannot be.
    """

    def __init__(self, query: Body) -> None:
        models.detection_model(query)
        self.target = rectangle(query)
        self.user_data = text(query, "userData", most=FACE_DATA)


def register(
    call: Call,
    group: str,
    person: str | None,
    model: str,
    data: bytes,
    asked: Registration,
    *,
    mark: str | None = None,
) -> StoredFace:
    """Register the one face of a photo.

    Args:
        call: whose.
        group: of the gallery; person: id, or None for a face without a person.
        model: Azure's name of the recognition model.
        data: the photo.
        asked: which face, and what is kept with it.
        mark: kept with the face too, to know it by.

    Raises:
        AzureError: no face or several, or the group's own policies refuse it.
    """
    engine, place = models.engine_of(call, model), call.gallery.group(group)
    photo, face = only_face(engine, data, asked.target)
    refuse_spoof(engine, photo, face, place.settings)
    quality = _quality(call, place, photo, face)
    embeddings = engine.embed(photo, face)
    refuse_lookalike(engine, call.gallery, place, person, embeddings)
    (stored,) = call.gallery.add_faces(
        group,
        person,
        embeddings,
        contract=engine.embedder.contract,
        boxes=[face[0].box],
        qualities=[quality],
        user_data=asked.user_data,
        external_image_id=mark,
        images=[images_for(photo, face[0].box, place.settings.images, call.settings)],
    )
    call.service.metrics.enrolled.inc()
    return stored


def only_face(engine: Engine, data: bytes, target: Rectangle | None = None) -> tuple[Photo, Faces]:
    """A photo and the one face in it, or in a rectangle of it; it may be a spoof.

    Raises:
        AzureError: no face or several.
    """
    photo = engine.photo(data)
    return photo, _one(engine.detect(photo, liveness="off"), photo, target)


def find(gallery: Gallery, group: str, face_id: str, *, person: str | None = None) -> StoredFace:
    """A face of a group, and of a person in it.

    Raises:
        AzureError: a bad id, or there is none.
    """
    try:
        found = gallery.face(group, hex_id(face_id, "persistedFaceId"))
    except NotFound:
        raise missing("PersistedFace") from None
    if person is not None and found.person_id != person:
        raise missing("PersistedFace")
    return found


def change(gallery: Gallery, group: str, face: StoredFace, body: Body) -> None:
    """Change what the client keeps with a face."""
    data = text(body, "userData", most=FACE_DATA)
    if data is not None:
        gallery.set_face(group, face.id, user_data=data)


def shown(face: StoredFace) -> dict[str, Any]:
    """A face as the API lists it."""
    found: dict[str, Any] = {"persistedFaceId": shown_id(face.id)}
    if face.user_data is not None:
        found["userData"] = face.user_data
    return found


def _one(found: Detection, photo: Photo, target: Rectangle | None) -> Faces:
    """The one face of a photo, or of a rectangle in it."""
    inside = list(range(len(found)))
    if target is not None:
        left, top, width, height = target
        if left + width > photo.width or top + height > photo.height:
            raise bad_argument("Argument targetFace out of range.")
        inside = [i for i, face in enumerate(found) if _centre_in(face, target)]
    if not inside:
        raise AzureError(400, "InvalidImage", "No face detected in the image.")
    if len(inside) > 1:
        raise AzureError(400, "InvalidImage", "There is more than 1 face in the image.")
    return found.faces.take(inside)


def _centre_in(face: Face, target: Rectangle) -> bool:
    left, top, width, height = target
    x, y = (face.box.x0 + face.box.x1) / 2, (face.box.y0 + face.box.y1) / 2
    return left <= x < left + width and top <= y < top + height


def _quality(call: Call, place: Group, photo: Photo, face: Faces) -> float | None:
    """The face's quality where the group asks for one.

    Raises:
        AzureError: it is too low.
    """
    least = place.settings.min_quality
    if least is None:
        return None
    (analysed,) = call.engine.analyze_faces(photo, face, actions=["quality"])
    quality = float(analysed["quality"].to_dict()["score"]) / 100
    if quality < least:
        raise AzureError(
            400,
            "InvalidImage",
            f"The quality of the face is {quality:.2f}; the group asks for {least:.2f}.",
        )
    return quality
