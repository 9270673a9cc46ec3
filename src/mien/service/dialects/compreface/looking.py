"""The faces of one photo as CompreFace describes them: box, plugins, times."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from mien.analysis import FaceAnalysis
from mien.engine import Engine
from mien.errors import AttributeNotAllowed, NoFaceFound
from mien.gallery import RESTRICTED_ATTRIBUTES, Group
from mien.image import Photo
from mien.service.dialects.compreface.requests import CompreCall, LookOptions
from mien.types import Embeddings, Face, Faces

__all__ = ["Look", "look"]

Json = dict[str, Any]
T = TypeVar("T")

AGE_BELIEF = 0.8
"""How much of the model's belief lies between ``low`` and ``high`` of an age."""


@dataclass(frozen=True, slots=True)
class Look:
    """The faces of a photo, largest first.

    Attributes:
        faces: where they are.
        embeddings: one a face.
        results: what is answered of each.
        versions: of the models, where they are asked for.
    """

    faces: Faces
    embeddings: Embeddings
    results: list[Json]
    versions: Json | None

    def answer(self, result: list[Json]) -> Json:
        """``{"result", "plugins_versions"}``; the latter where it is asked for."""
        versions = {} if self.versions is None else {"plugins_versions": self.versions}
        return {"result": result, **versions}


def look(
    asked: CompreCall,
    data: bytes,
    given: LookOptions,
    *,
    embed: bool = True,
    engine: Engine | None = None,
    group: Group | None = None,
) -> Look:
    """Find the faces of a photo and describe them.

    Args:
        asked: whose application and settings count.
        data: the photo.
        given: options of the request.
        embed: embeddings are needed, whether the answer shows them or not.
        engine: whose recognition model makes them; None: the service's.
        group: whose liveness policy holds beside the server's.

    Raises:
        NoFaceFound: there is none.
        AttributeNotAllowed: age or gender, which the application may not have.
        ImageError, ModelError: as the engine.
    """
    engine, plugins = engine or asked.call.engine, given.plugins
    _permit(asked, plugins)
    times: Json = {}
    photo = engine.photo(data)
    check = asked.liveness if group is None else asked.liveness.at_least(group.settings)
    found = _timed(times, "detector", lambda: engine.detect(photo, liveness=check)).faces
    keep = [i for i, face in enumerate(found) if face.score >= given.det_prob_threshold]
    faces = found.take(keep[: given.limit or None])
    asked.call.service.metrics.faces.inc(len(faces))
    if not len(faces):
        raise NoFaceFound("No face is found in the given image")
    needed = embed or "calculator" in plugins
    empty = faces.take([])
    embeddings = _timed(
        times, "calculator", lambda: engine.embed(photo, faces if needed else empty)
    )
    results = [{"box": _box(face)} for face in faces]
    for plugin in plugins:
        told = _timed(times, plugin, lambda: _plugin(engine, photo, faces, embeddings, plugin))  # noqa: B023 - called at once
        for result, one in zip(results, told, strict=True):
            result |= one
    versions = None
    if given.status:
        share = {name: round(spent / len(faces), 1) for name, spent in times.items()}
        results = [{**result, "execution_time": share} for result in results]
        versions = _versions(engine, plugins)
    return Look(faces, embeddings, results, versions)


def _permit(asked: CompreCall, plugins: list[str]) -> None:
    restricted = {*plugins} & {*RESTRICTED_ATTRIBUTES}
    if not restricted:
        return
    allowed = asked.gallery.application(asked.gallery.application_name).attributes
    for name in sorted(restricted - allowed):
        raise AttributeNotAllowed(
            f"The application of this key may not have {name!r} answered. Whoever runs the server "
            "allows it with 'mien apps allow'.",
            details={"attribute": name},
        )


def _plugin(
    engine: Engine, photo: Photo, faces: Faces, embeddings: Embeddings, plugin: str
) -> list[Json]:
    if plugin == "calculator":
        return [{"embedding": [float(v) for v in vector]} for vector in embeddings.vector]
    if plugin == "landmarks":
        return [{"landmarks": _points(face)} for face in faces]
    seen = engine.analyze_faces(photo, faces, actions=[plugin])
    return [{plugin: _ATTRIBUTES[plugin](one)} for one in seen]


def _age(one: FaceAnalysis) -> Json:
    return {"probability": AGE_BELIEF, "high": one["age"].high, "low": one["age"].low}


def _gender(one: FaceAnalysis) -> Json:
    told = one["gender"]
    return {"probability": round(float(told.confidence), 5), "value": told.value}


def _mask(one: FaceAnalysis) -> Json:
    worn, score = one["mask"].value, float(one["mask"].score)
    value = "mask_worn_correctly" if worn else "without_mask"
    return {"probability": round(score if worn else 1 - score, 5), "value": value}


def _pose(one: FaceAnalysis) -> Json:
    pose: Json = one["pose"].to_dict()
    return {name: pose[name] for name in ("pitch", "roll", "yaw")}


_ATTRIBUTES: dict[str, Callable[[FaceAnalysis], Json]] = {
    "age": _age,
    "gender": _gender,
    "mask": _mask,
    "pose": _pose,
}


def _points(face: Face) -> list[list[int]]:
    if face.landmarks is None:
        return []
    return [[round(float(x)), round(float(y))] for x, y in face.landmarks]


def _box(face: Face) -> Json:
    """Whole pixels of the upright photo."""
    box = face.box
    return {
        "probability": round(float(face.score), 5),
        "x_max": round(box.x1),
        "y_max": round(box.y1),
        "x_min": round(box.x0),
        "y_min": round(box.y0),
    }


def _versions(engine: Engine, plugins: list[str]) -> Json:
    models = {"detector": engine.detector.name, "calculator": engine.embedder.name}
    return models | {name: name for name in plugins if name in _ATTRIBUTES}


def _timed(times: Json, name: str, work: Callable[[], T]) -> T:
    """Run ``work`` and note how long it took, milliseconds."""
    start = time.perf_counter()
    value = work()
    times[name] = times.get(name, 0.0) + 1000 * (time.perf_counter() - start)
    return value
