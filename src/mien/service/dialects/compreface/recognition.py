"""Recognise, verify and detect, from photos and from embeddings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mien.errors import InvalidArgument, NotFound
from mien.gallery import StoredFace
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

_RERANKED = 20
_AT_ONCE = 500
MAX_EMBEDDINGS = 1000


async def recognize(asked: CompreCall) -> Json:
    """Who each face of a photo is most like; the caller decides from which similarity on."""
    given = asked.options(LookOptions)

    def work(form: PhotoForm) -> Json:
        seen = look(asked, form.one("file"), given)
        return seen.answer(
            [
                {**result, "subjects": _subjects(asked, seen.embeddings.take([i]), given)}
                for i, result in enumerate(seen.results)
            ]
        )

    return await asked.with_photos(work)


async def verify_face(asked: CompreCall) -> Json:
    """How like a stored face each face of a photo is."""
    given = asked.options(LookOptions)

    def work(form: PhotoForm) -> Json:
        stored = _template(asked, asked.face(asked.path["image_id"]))
        seen = look(asked, form.one("file"), given)
        alike = likeness(asked.call.engine, stored, seen.embeddings)
        return seen.answer(
            [
                {**result, "similarity": round(float(score), 5)}
                for result, score in zip(seen.results, alike, strict=True)
            ]
        )

    return await asked.with_photos(work)


async def detect(asked: CompreCall) -> Json:
    """The faces of a photo."""
    given = asked.options(LookOptions)

    def work(form: PhotoForm) -> Json:
        seen = look(asked, form.one("file"), given, embed=False)
        return seen.answer(seen.results)

    return await asked.with_photos(work)


async def verify(asked: CompreCall) -> Json:
    """How like the face of one photo each face of another is."""
    given = asked.options(LookOptions)

    def work(form: PhotoForm) -> Json:
        one = look(asked, form.one("source_image"), given.model_copy(update={"limit": 1}))
        other = look(asked, form.one("target_image"), given)
        alike = likeness(asked.call.engine, one.embeddings, other.embeddings)
        order = np.argsort(-alike, kind="stable").tolist()
        matches = [{**other.results[i], "similarity": round(float(alike[i]), 5)} for i in order]
        told: Json = {"source_image_face": one.results[0], "face_matches": matches}
        if one.versions is not None:
            told["plugins_versions"] = one.versions
        return {"result": [told]}

    return await asked.with_photos(work, names=("source_image", "target_image"))


async def recognise_embeddings(asked: CompreCall) -> Json:
    """Who each embedding is most like."""
    given = asked.options(LookOptions)

    def work(body: Json) -> Json:
        probes = _embeddings(asked, body.get("embeddings"))
        return {
            "result": [
                {
                    "embedding": _numbers(probes, i),
                    "similarities": _subjects(asked, probes.take([i]), given),
                }
                for i in range(len(probes))
            ]
        }

    return await asked.with_numbers(work)


async def verify_embeddings(asked: CompreCall) -> Json:
    """How like a stored face each embedding is."""

    def work(body: Json) -> Json:
        stored = _template(asked, asked.face(asked.path["image_id"]))
        return _compared(asked, stored, _embeddings(asked, body.get("embeddings")))

    return await asked.with_numbers(work)


async def compare_embeddings(asked: CompreCall) -> Json:
    """How like one embedding others are."""

    def work(body: Json) -> Json:
        source = body.get("source")
        one = _embeddings(asked, [source])
        return _compared(asked, one, _embeddings(asked, body.get("targets")))

    return await asked.with_numbers(work)


def _compared(asked: CompreCall, one: Embeddings, others: Embeddings) -> Json:
    alike = likeness(asked.call.engine, one, others)
    order = np.argsort(-alike, kind="stable").tolist()
    return {
        "result": [
            {"embedding": _numbers(others, i), "similarity": round(float(alike[i]), 5)}
            for i in order
        ]
    }


def _subjects(asked: CompreCall, probe: Embeddings, given: LookOptions) -> list[Json]:
    """The subjects that a face is most like, best first, each by the best of the faces."""
    engine, gallery = asked.call.engine, asked.gallery
    contract, near = engine.embedder.contract, given.prediction_count + _RERANKED
    try:
        (hits,) = gallery.search(COLLECTION, probe.vector, k=near, contract=contract)
    except NotFound:  # nothing has ever been added
        return []
    names = {hit.person_id: hit.person for hit in hits}
    scored: list[tuple[float, str]] = []
    for start in range(0, len(hits), _AT_ONCE):
        some = [hit.person_id for hit in hits[start : start + _AT_ONCE]]
        for person_id, (_, templates) in gallery.faces_of(COLLECTION, some).items():
            best = float(likeness(engine, probe, templates).max())
            scored.append((best, names[person_id]))
    ranked = sorted(scored, key=lambda pair: (-pair[0], pair[1]))[: given.prediction_count]
    return [{"subject": name, "similarity": round(score, 5)} for score, name in ranked]


def _template(asked: CompreCall, face: StoredFace) -> Embeddings:
    own = asked.gallery.faces_of(COLLECTION, [face.person_id]).get(face.person_id)
    if own is None or face.id not in own[0]:
        raise refused(Failure.EMBEDDING_NOT_FOUND, "There is no such image.")
    asked.gallery.check_contract(
        asked.gallery.group(COLLECTION), asked.call.engine.embedder.contract
    )
    return own[1].take([own[0].index(face.id)])


def _embeddings(asked: CompreCall, given: object) -> Embeddings:
    """Embeddings that a client sends, made to unit length; nothing is known of their quality.

    Raises:
        MienError: none, or too many (37).
        InvalidArgument: not as many finite numbers as the recognition model gives.
    """
    if not isinstance(given, list) or not 0 < len(given) <= MAX_EMBEDDINGS:
        raise refused(Failure.EMBEDDING_COUNT, f"Send 1 to {MAX_EMBEDDINGS} embeddings.")
    dim = asked.call.engine.embedder.contract.dim
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
