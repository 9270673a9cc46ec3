"""What a photo shows: search, verify, similarity, detect, emotions, landmarks, liveness."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from mien.answers import Candidate
from mien.engine.living import advice
from mien.errors import AttributeNotAllowed, InvalidArgument, NoFaceFound, NotFound
from mien.gallery import Person
from mien.service.dialects.luxand.requests import LuxandCall
from mien.service.dialects.luxand.roster import EVERYBODY, Roster
from mien.service.dialects.photo_forms import PhotoForm
from mien.types import Box

__all__ = ["detect", "emotions", "landmarks", "liveness", "search", "similarity", "verify"]

Json = dict[str, Any]

DEFAULT_THRESHOLD = 0.5

EMOTIONS = {
    "neutral": "neutral",
    "happy": "happiness",
    "sad": "sadness",
    "angry": "anger",
    "fear": "fear",
    "disgust": "disgust",
    "surprise": "surprise",
}
"""Mien's names and Luxand's; Luxand's contempt and confused are not told."""


async def search(asked: LuxandCall) -> list[Json]:
    """Who of all persons, or of some collections, is in the photo: the likeliest for each face."""

    def work(form: PhotoForm) -> list[Json]:
        photo = asked.call.engine.photo(form.one("photo"))
        names = [one.strip() for one in form.text("collections").split(",") if one.strip()]
        roster = asked.roster
        groups = [one.group for one in roster.named(names)] if names else [EVERYBODY]
        best: dict[int, tuple[float, Candidate, Box]] = {}
        for group in groups:
            try:
                found = asked.call.engine.identify(
                    asked.gallery, group, photo, top=1, liveness=asked.liveness
                )
            except NotFound:  # nobody has ever been added
                continue
            for place, face in enumerate(found.faces):
                for one in face.candidates:
                    score = _probability(one.confidence, one.similarity)
                    if place not in best or score > best[place][0]:
                        best[place] = score, one, face.face.box
        if not best:
            photo.pixels()  # what is no photo is an error in any case
        return _matches(roster, (best[place] for place in sorted(best)))

    return await asked.with_form(work)


async def verify(asked: LuxandCall) -> Json:
    """Whether the largest face of the photo is a person."""

    def work(form: PhotoForm) -> Json:
        person = asked.roster.find(asked.path["person"])
        told = asked.call.engine.verify(
            asked.gallery, EVERYBODY, person.id, form.one("photo"), liveness=asked.liveness
        )
        return {
            "status": "success" if told.match else "failure",
            "message": "verified" if told.match else "Not verified",
            "probability": _probability(told.confidence, told.similarity),
        }

    return await asked.with_form(work)


async def similarity(asked: LuxandCall) -> Json:
    """How alike the largest face of one photo and the most similar one of another are."""

    def work(form: PhotoForm) -> Json:
        threshold = _threshold(form)
        told = asked.call.engine.compare(
            form.one("face1"), form.one("face2"), liveness=asked.liveness
        )
        score = _probability(told.confidence, told.similarity)
        return {"status": "success", "score": score, "similar": score >= threshold}

    return await asked.with_form(work)


async def detect(asked: LuxandCall) -> list[Json]:
    """The faces of a photo; age and gender where the application may have them."""

    def work(form: PhotoForm) -> list[Json]:
        allowed = asked.gallery.application(asked.gallery.application_name).attributes
        actions = [name for name in ("age", "gender") if name in allowed]
        photo = form.one("photo")
        if not actions:
            found = asked.call.engine.detect(photo, liveness=asked.liveness)
            return [{"rectangle": _rectangle(face.box)} for face in found]
        seen = asked.call.engine.analyze(photo, actions=actions, liveness=asked.liveness)
        faces: list[Json] = []
        for one in seen.faces:
            told: Json = {"rectangle": _rectangle(one.face.box)}
            if "age" in actions:
                told["age"] = round(one["age"].value)
            if "gender" in actions:
                gender = one["gender"]
                told["gender"] = {
                    "value": gender.value.capitalize(),
                    "probability": round(float(gender.confidence), 4),
                }
            faces.append(told)
        return faces

    return await asked.with_form(work)


async def emotions(asked: LuxandCall) -> Json:
    """What each face expresses, where the application may have that."""

    def work(form: PhotoForm) -> Json:
        if "emotion" not in asked.gallery.application(asked.gallery.application_name).attributes:
            raise AttributeNotAllowed(
                "The application of this token may not have emotions answered. Whoever runs the "
                "server allows them with 'mien apps allow'.",
                details={"attribute": "emotion"},
            )
        seen = asked.call.engine.analyze(
            form.one("photo"), actions=["emotion"], liveness=asked.liveness
        )
        faces = [
            {
                "rectangle": _rectangle(one.face.box),
                "dominant_emotion": EMOTIONS[one["emotion"].value],
                "emotions": {
                    EMOTIONS[name]: round(float(score), 4)
                    for name, score in one["emotion"].scores.items()
                },
            }
            for one in seen.faces
        ]
        return {"status": "success", "faces": faces}

    return await asked.with_form(work)


async def landmarks(asked: LuxandCall) -> Json:
    """68 points of each face, pixels."""

    def work(form: PhotoForm) -> Json:
        seen = asked.call.engine.landmarks(form.one("photo"), model="landmarks68")
        faces = [
            {
                "rectangle": _rectangle(one.face.box),
                "points": [
                    {"x": round(float(x), 1), "y": round(float(y), 1)}
                    for x, y in one["landmarks"].points
                ],
            }
            for one in seen.faces
        ]
        return {"status": "success", "landmarks": faces}

    return await asked.with_form(work)


async def liveness(asked: LuxandCall) -> Json:
    """Whether the largest face is a live one. Version 2 refuses to say where the photo does not."""

    def work(form: PhotoForm) -> Json:
        seen = asked.call.engine.check_liveness(form.one("photo"), max_faces=1)
        if not len(seen.faces):
            raise NoFaceFound("No face was found in the photo.")
        (face,) = seen.faces
        verdict = face["liveness"]
        if verdict.verdict == "undetermined" and asked.version == 2:
            return {"status": "failure", "message": advice(verdict)}
        return {
            "status": "success",
            "score": round(float(verdict.score), 4),
            "result": "real" if verdict.live else "fake",
            "rectangle": _rectangle(face.face.box),
        }

    return await asked.with_form(work)


def _matches(roster: Roster, best: Iterable[tuple[float, Candidate, Box]]) -> list[Json]:
    """What is answered of those who were found; whoever was deleted meanwhile is left out."""
    best = list(best)
    people: dict[str, Person] = {}
    for _, one, _ in best:
        with suppress(NotFound):
            people[one.person_id] = roster.find(str(uuid.UUID(hex=one.person_id)))
    told = dict(zip(people, roster.described(people.values()), strict=True))
    return [
        {
            **{name: known[name] for name in ("id", "uuid", "name") if name in known},
            "probability": score,
            "rectangle": _rectangle(box),
            "collections": known["collections"],
        }
        for score, one, box in best
        if (known := told.get(one.person_id)) is not None
    ]


def _probability(confidence: float | None, similarity: float) -> float:
    """Mien's confidence; the similarity where the recognition model has no calibration."""
    value = similarity if confidence is None else confidence
    return round(min(1.0, max(0.0, float(value))), 6)


def _threshold(form: PhotoForm) -> float:
    given = form.text("threshold").strip()
    if not given:
        return DEFAULT_THRESHOLD
    try:
        value = float(given)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise InvalidArgument("'threshold' must be a number from 0 to 1.")
    return value


def _rectangle(box: Box) -> Json:
    """Whole pixels of the upright photo."""
    return {
        "left": round(box.x0),
        "top": round(box.y0),
        "right": round(box.x1),
        "bottom": round(box.y1),
    }
