"""Recognise, verify and detect, from photos and from embeddings."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.engine import Engine
from mien.engine.noting import note_identification, note_verification
from mien.engine.serving import with_group
from mien.errors import InvalidArgument, NotFound, SeveralFaces
from mien.gallery import Group, Hit, StoredFace
from mien.service.dialects.compreface.failures import Failure, refused
from mien.service.dialects.compreface.looking import look
from mien.service.dialects.compreface.requests import COLLECTION, CompreCall, LookOptions
from mien.service.dialects.likeness import likeness
from mien.service.dialects.photo_forms import PhotoForm
from mien.types import Embeddings

__all__ = [
    "compare_embeddings",
    "detect",
    "recognise_embeddings",
    "recognize",
    "verify",
    "verify_embeddings",
    "verify_face",
]

Json = dict[str, Any]

_SAME = 0.5  # for the audit log and retention alone: the caller decides
_RERANKED = 20
_AT_ONCE = 500
MAX_EMBEDDINGS = 1000


async def recognize(asked: CompreCall) -> Json:
    """Who each face of a photo is most like; the caller decides from which similarity on."""
    given = asked.options(LookOptions)

    def work(form: PhotoForm) -> Json:
        def recognised(engine: Engine, group: Group | None) -> Json:
            seen = look(asked, form.one("file"), given, engine=engine, group=group)
            subjects = _subjects(asked, engine, group, seen.embeddings, given)
            return seen.answer(
                [
                    {**result, "subjects": of_face}
                    for result, of_face in zip(seen.results, subjects, strict=True)
                ]
            )

        return _in_collection(asked, recognised)

    return await asked.with_photos(work)


async def verify_face(asked: CompreCall) -> Json:
    """How like a stored face each face of a photo is."""
    given = asked.options(LookOptions)

    def work(form: PhotoForm) -> Json:
        face = asked.face(asked.path["image_id"])

        def compared(engine: Engine, group: Group | None) -> Json:
            seen = look(asked, form.one("file"), given, engine=engine, group=group)
            alike = likeness(engine, _template(asked, group, face), seen.embeddings)
            _note(asked, group, face, alike)
            return seen.answer(
                [
                    {**result, "similarity": round(float(score), 5)}
                    for result, score in zip(seen.results, alike, strict=True)
                ]
            )

        return _in_collection(asked, compared)

    return await asked.with_photos(work)


async def detect(asked: CompreCall) -> Json:
    """The faces of a photo."""
    given = asked.options(LookOptions)

    def work(form: PhotoForm) -> Json:
        seen = look(asked, form.one("file"), given, embed=False)
        return seen.answer(seen.results)

    return await asked.with_photos(work)


async def verify(asked: CompreCall) -> Json:
    """How like the one face of a photo each face of another is."""
    given = asked.options(LookOptions)

    def work(form: PhotoForm) -> Json:
        one = look(asked, form.one("source_image"), given)
        if len(one.faces) > 1:
            raise SeveralFaces("Found more than one face in the source image")
        other = look(asked, form.one("target_image"), given)
        alike = likeness(asked.call.engine, one.embeddings, other.embeddings)
        matches = [
            {**result, "similarity": round(float(score), 5)}
            for result, score in zip(other.results, alike, strict=True)
        ]
        told: Json = {"source_image_face": one.results[0], "face_matches": matches}
        if one.versions is not None:
            told["plugins_versions"] = one.versions
        return {"result": [told]}

    return await asked.with_photos(work, names=("source_image", "target_image"))


async def recognise_embeddings(asked: CompreCall) -> Json:
    """Who each embedding is most like."""
    given = asked.options(LookOptions)

    def work(body: Json) -> Json:
        def recognised(engine: Engine, group: Group | None) -> Json:
            probes = _embeddings(engine, body, "embeddings")
            subjects = _subjects(asked, engine, group, probes, given)
            return {
                "result": [
                    {"embedding": _numbers(probes, i), "similarities": of_one}
                    for i, of_one in enumerate(subjects)
                ]
            }

        return _in_collection(asked, recognised)

    return await asked.with_numbers(work)


async def verify_embeddings(asked: CompreCall) -> Json:
    """How like a stored face each embedding is."""

    def work(body: Json) -> Json:
        face = asked.face(asked.path["image_id"])

        def compared(engine: Engine, group: Group | None) -> Json:
            probes = _embeddings(engine, body, "embeddings")
            stored = _template(asked, group, face)
            _note(asked, group, face, likeness(engine, stored, probes))
            return _compared(engine, stored, probes)

        return _in_collection(asked, compared)

    return await asked.with_numbers(work)


async def compare_embeddings(asked: CompreCall) -> Json:
    """How like one embedding others are."""

    def work(body: Json) -> Json:
        engine = asked.call.engine
        source = body.get("source")
        one = _embeddings(engine, {"source": [source] if source else []}, "source")
        return _compared(engine, one, _embeddings(engine, body, "targets"))

    return await asked.with_numbers(work)


def _in_collection(asked: CompreCall, work: Callable[[Engine, Group | None], Json]) -> Json:
    """``work`` with the collection and the model that it is pinned to, if anything was added."""
    try:
        asked.gallery.group(COLLECTION)
    except NotFound:
        return work(asked.call.engine, None)
    return with_group(asked.call.engine, asked.gallery, COLLECTION, work)


def _compared(engine: Engine, one: Embeddings, others: Embeddings) -> Json:
    alike = likeness(engine, one, others)
    order = np.argsort(-alike, kind="stable").tolist()
    return {
        "result": [
            {"embedding": _numbers(others, i), "similarity": round(float(alike[i]), 5)}
            for i in order
        ]
    }


def _subjects(
    asked: CompreCall,
    engine: Engine,
    group: Group | None,
    probes: Embeddings,
    given: LookOptions,
) -> list[list[Json]]:
    """For each face the subjects that it is most like, best first, by the best of their faces."""
    if group is None:
        return [[] for _ in range(len(probes))]
    gallery, near = asked.gallery, given.prediction_count + _RERANKED
    found = gallery.search(COLLECTION, probes.vector, k=near, contract=group.contract)
    ranked: list[list[tuple[float, Hit]]] = []
    for place, hits in enumerate(found):
        by_id = {hit.person_id: hit for hit in hits}
        scored: list[tuple[float, Hit]] = []
        for start in range(0, len(hits), _AT_ONCE):
            some = [hit.person_id for hit in hits[start : start + _AT_ONCE]]
            known = gallery.faces_of(COLLECTION, some, contract=group.contract)
            for person_id, (_, templates) in known.items():
                best = float(likeness(engine, probes.take([place]), templates).max())
                scored.append((best, by_id[person_id]))
        scored.sort(key=lambda pair: (-pair[0], pair[1].person))
        ranked.append(scored[: given.prediction_count])
    persons = [[hit.person_id for _, hit in of_face] for of_face in ranked]
    sure = [hit.person_id for each in ranked for alike, hit in each[:1] if alike >= _SAME]
    liveness = asked.liveness.at_least(group.settings).policy
    note_identification(asked.call.settings, gallery, group, persons, sure, liveness=liveness)
    return [
        [{"subject": hit.person, "similarity": round(score, 5)} for score, hit in of_face]
        for of_face in ranked
    ]


def _template(asked: CompreCall, group: Group | None, face: StoredFace) -> Embeddings:
    contract = None if group is None else group.contract
    found = asked.gallery.faces_of(COLLECTION, [face.person_id], contract=contract)
    own = found.get(face.person_id)
    if own is None or face.id not in own[0]:
        raise refused(Failure.EMBEDDING_NOT_FOUND, "There is no such image.")
    return own[1].take([own[0].index(face.id)])


def _note(
    asked: CompreCall, group: Group | None, face: StoredFace, alike: NDArray[np.float64]
) -> None:
    """Write down that somebody was compared with a face."""
    if group is not None:
        match = bool(alike.max() >= _SAME)
        settings = asked.call.settings
        note_verification(settings, asked.gallery, group, face.person_id, match=match)


def _embeddings(engine: Engine, body: Json, name: str) -> Embeddings:
    """Embeddings that a client sends, made to unit length; nothing is known of their quality.

    Raises:
        MienError: none (5), or too many (37).
        InvalidArgument: not as many finite numbers as the recognition model gives.
    """
    given = body.get(name)
    if not isinstance(given, list) or not given:
        raise refused(Failure.EMPTY_FIELD, f"Field {name} cannot be empty")
    if len(given) > MAX_EMBEDDINGS:
        raise refused(Failure.EMBEDDING_COUNT, f"Send 1 to {MAX_EMBEDDINGS} embeddings.")
    dim = engine.embedder.contract.dim
    wrong = InvalidArgument(f"An embedding is a list of {dim} finite numbers, not all of them 0.")
    try:
        vector = np.array(given, np.float64)
    except (ValueError, TypeError, OverflowError):
        raise wrong from None
    if vector.shape != (len(given), dim) or not np.isfinite(vector).all():
        raise wrong
    peak = np.abs(vector).max(axis=1, keepdims=True)
    if not (peak > 0).all():
        raise wrong
    vector /= peak  # so that no square overflows
    length = np.linalg.norm(vector, axis=1, keepdims=True)
    return Embeddings(
        (vector / length).astype(np.float32), np.full(len(given), math.nan, np.float32)
    )


def _numbers(embeddings: Embeddings, index: int) -> list[float]:
    return [float(value) for value in embeddings.vector[index]]
