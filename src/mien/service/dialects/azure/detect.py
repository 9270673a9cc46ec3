"""POST /detect: faces of a photo, their landmarks and attributes, and a faceId for each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from fastapi import APIRouter
from starlette.responses import Response

from mien.analysis import FaceAnalysis
from mien.image import Photo
from mien.landmarks.named import FaceLandmarks
from mien.results import Detection
from mien.service.api.analyze import allowed_actions
from mien.service.call import Call
from mien.service.dialects.azure import attributes, models, probes, sessions
from mien.service.dialects.azure.errors import bad_argument
from mien.service.dialects.azure.fields import Body, boolean, shown_id, whole
from mien.service.dialects.azure.route import (
    AzureRoute,
    Detecting,
    done,
    query_of,
    with_photo,
)
from mien.types import Box

__all__ = ["rectangle_of", "router"]

router = APIRouter(route_class=AzureRoute, tags=["recognition"])

MAX_FACES = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """What a detection is asked for."""

    model: str
    face_id: bool
    seconds: int
    landmarks: bool
    told_model: bool
    attributes: tuple[str, ...]

    @classmethod
    def of(cls, query: Body) -> Asked:
        """Read and check the query.

        Raises:
            AzureError: an option that cannot be.
        """
        detection, model = models.detection_model(query), models.recognition_model(query)
        face_id = boolean(query, "returnFaceId", default=True)
        landmarks = boolean(query, "returnFaceLandmarks", default=False)
        told = face_id and boolean(query, "returnRecognitionModel", default=False)
        if landmarks and detection == "detection_02":
            raise bad_argument("'returnFaceLandmarks' is not supported by detection_02.")
        low, high = probes.MIN_TTL_S, probes.MAX_TTL_S
        seconds = whole(query, "faceIdTimeToLive", least=low, most=high, default=high)
        wanted = attributes.asked(query, detection, model)
        return cls(model, face_id, seconds, landmarks, told, wanted)


@router.post("/detect")
async def detect(call: Detecting) -> Response:
    """Detect the faces of a photo, largest first."""
    asked = Asked.of(query_of(call))
    work = partial(_detected, call, asked)
    return done(await with_photo(call, work, kept=sessions.image))


def _detected(call: Call, asked: Asked, data: bytes) -> list[dict[str, Any]]:
    actions = attributes.actions_of(asked.attributes)
    if actions:
        allowed_actions(call.gallery, actions)
    photo = call.engine.photo(data)
    found = call.engine.detect(photo).first(MAX_FACES)
    call.service.metrics.faces.inc(len(found))
    if asked.landmarks:
        actions.append("landmarks")
    looks: list[dict[str, Any]] = [{} for _ in found]
    if actions:
        analysed = call.engine.analyze_faces(photo, found.faces, actions=actions)
        looks = [_looks(asked, one) for one in analysed]
    ids = _face_ids(call, asked, found, photo) if asked.face_id else []
    return [
        {
            **({"faceId": shown_id(ids[i])} if ids else {}),
            **({"recognitionModel": asked.model} if asked.told_model else {}),
            "faceRectangle": rectangle_of(place.box),
            **looks[i],
        }
        for i, place in enumerate(found)
    ]


def _face_ids(call: Call, asked: Asked, found: Detection, photo: Photo) -> list[str]:
    engine = models.engine_of(call, asked.model)
    return probes.keep(
        call.gallery,
        asked.model,
        engine.embedder.contract,
        engine.embed(photo, found.faces),
        seconds=asked.seconds,
        limit=call.settings.azure_face_ids,
    )


def _looks(asked: Asked, one: FaceAnalysis) -> dict[str, Any]:
    looks: dict[str, Any] = {}
    if asked.landmarks:
        points = cast("FaceLandmarks", one.values["landmarks"]).named()
        looks["faceLandmarks"] = {
            name: {"x": round(x, 1), "y": round(y, 1)} for name, (x, y) in points.items()
        }
    if asked.attributes:
        looks["faceAttributes"] = attributes.shown(asked.attributes, one)
    return looks


def rectangle_of(box: Box) -> dict[str, int]:
    """A box in whole pixels."""
    left, top = round(box.x0), round(box.y0)
    return {
        "top": top,
        "left": left,
        "width": max(1, round(box.x1) - left),
        "height": max(1, round(box.y1) - top),
    }
