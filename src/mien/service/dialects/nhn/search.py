"""Search by face and by image, compare, verify. Similarity is Mien's confidence, 0 to 100."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.engine import Engine
from mien.engine.noting import note_identification, note_verification
from mien.engine.serving import with_group
from mien.gallery import Gallery, Group, StoredFace
from mien.service.dialects.likeness import likeness
from mien.service.dialects.nhn import stored
from mien.service.dialects.nhn.codes import Refused, Result
from mien.service.dialects.nhn.looking import look
from mien.service.dialects.nhn.operations import Answered, Question, group_of
from mien.service.dialects.nhn.parameters import (
    CompareParameters,
    LookParameters,
    SearchParameters,
    SearchParametersV1,
    ThresholdParameters,
    read,
)
from mien.service.dialects.nhn.photos import NhnUpload, Part
from mien.types import Embeddings

__all__ = ["COMPARED", "VERIFIED", "by_face", "by_image", "compare", "verify"]

Json = dict[str, Any]

COMPARED = (Part("sourceImage", "sourceImageFile"), Part("targetImage", "targetImageFile"))
VERIFIED = (Part("compareImage", "imageFile"),)
_SAME = 50.0  # for the audit log and retention alone: the caller decides
_RERANKED = 20
_AT_ONCE = 500


async def by_face(asked: Question) -> Answered:
    """The faces of the group that are most like one of them; that one itself is left out."""
    wanted = asked.query(_search_model(asked))

    def work() -> Json:
        group = group_of(asked.gallery, asked.group)
        face = stored.face_in(asked.gallery, group.name, asked.face)

        def search(engine: Engine, group: Group) -> Json:
            probe = _template(asked.gallery, group, face)
            return _matches(asked, engine, group, probe, wanted, without=face.id)

        return with_group(asked.call.engine, asked.gallery, group.name, search)

    return Answered(await asked.call.with_models(work))


async def by_image(asked: Question) -> Answered:
    """The faces of the group that are most like the largest face of a photo."""
    in_query = asked.query(SearchParametersV1) if asked.version == "v1.0" else None

    def work(upload: NhnUpload) -> Json:
        wanted = in_query or read(SearchParameters, upload.given)
        group = group_of(asked.gallery, asked.group)
        looking = read(LookParameters, upload.given)

        def search(engine: Engine, group: Group) -> Json:
            seen = look(
                asked.call, upload.images[0], looking, max_faces=1, engine=engine, group=group
            )
            found = _matches(
                asked, engine, group, seen.largest(), wanted, liveness=seen.check.policy
            )
            return asked.with_version({**found, "sourceFace": seen.details[0]}, group.contract)

        return with_group(asked.call.engine, asked.gallery, group.name, search)

    return Answered(await asked.with_photos(work))


async def compare(asked: Question) -> Answered:
    """The largest face of one photo against every face of another."""
    in_query = asked.query(ThresholdParameters) if asked.version == "v1.0" else None

    def work(upload: NhnUpload) -> Json:
        threshold = (in_query or read(CompareParameters, upload.given)).threshold
        wanted = read(LookParameters, upload.given)
        engine = asked.call.engine
        one = look(asked.call, upload.images[0], wanted, max_faces=1)
        probe = one.largest()
        other = look(asked.call, upload.images[1], wanted)
        alike = _likeness(engine, probe, other.embeddings(range(len(other.faces))))
        order = np.argsort(-alike, kind="stable").tolist()
        matched: list[Json] = []
        unmatched: list[Json] = []
        for i in order:
            passed = alike[i] >= threshold and not other.refused(i)
            told = {"faceDetail": other.details[i], "similarity": float(alike[i])}
            (matched if passed else unmatched).append(told)
        data = {
            "matchedFaceDetailCount": len(matched),
            "matchedFaceDetails": matched,
            "unmatchedFaceDetailCount": len(unmatched),
            "unmatchedFaceDetails": unmatched,
            "sourceFace": one.details[0],
        }
        return asked.with_version(data, engine.embedder.contract)

    return Answered(await asked.with_photos(work, parts=COMPARED))


async def verify(asked: Question) -> Answered:
    """How alike the largest face of a photo and a registered face are; the caller decides."""

    def work(upload: NhnUpload) -> Json:
        wanted = read(LookParameters, upload.given)
        group = group_of(asked.gallery, asked.group)
        face = stored.face_in(asked.gallery, group.name, asked.face)

        def compared(engine: Engine, group: Group) -> Json:
            seen = look(
                asked.call, upload.images[0], wanted, max_faces=1, engine=engine, group=group
            )
            own = _template(asked.gallery, group, face)
            (alike,) = _likeness(engine, seen.largest(), own)
            match = bool(alike >= _SAME)
            note_verification(
                asked.call.settings, asked.gallery, group, face.person_id, match=match
            )
            return {
                "similarity": float(alike),
                "face": stored.answered(face, asked.scale),
                "sourceFace": seen.details[0],
            }

        return with_group(asked.call.engine, asked.gallery, group.name, compared)

    return Answered(await asked.with_photos(work, parts=VERIFIED))


def _search_model(asked: Question) -> type[SearchParameters] | type[SearchParametersV1]:
    return SearchParametersV1 if asked.version == "v1.0" else SearchParameters


def _matches(
    asked: Question,
    engine: Engine,
    group: Group,
    probe: Embeddings,
    wanted: SearchParameters | SearchParametersV1,
    *,
    without: str | None = None,
    liveness: str = "off",
) -> Json:
    """Registered faces from the threshold on, the most similar first."""
    gallery = asked.gallery
    near = wanted.limit + _RERANKED
    (hits,) = gallery.search(group.name, probe.vector, k=near, contract=group.contract)
    scored: list[tuple[float, str]] = []
    for start in range(0, len(hits), _AT_ONCE):
        some = [hit.person_id for hit in hits[start : start + _AT_ONCE]]
        known_faces = gallery.faces_of(group.name, some, contract=group.contract)
        for ids, templates in known_faces.values():
            scored += zip(_likeness(engine, probe, templates).tolist(), ids, strict=True)
    passed = [pair for pair in scored if pair[0] >= wanted.threshold and pair[1] != without]
    best = sorted(passed, key=lambda pair: (-pair[0], pair[1]))[: wanted.limit]
    known = _by_id(gallery, group, [face_id for _, face_id in best])
    matches = [
        {"face": stored.answered(known[face_id], asked.scale), "similarity": alike}
        for alike, face_id in best
        if face_id in known
    ]
    persons = [known[face_id].person_id for _, face_id in best if face_id in known]
    sure = [known[one].person_id for alike, one in best if alike >= _SAME and one in known]
    recognised = sure[:1] if without is None else ()
    note_identification(
        asked.call.settings, gallery, group, [persons], recognised, liveness=liveness
    )
    return {"matchFaceCount": len(matches), "matchFaces": matches}


def _by_id(gallery: Gallery, group: Group, ids: Sequence[str]) -> dict[str, StoredFace]:
    known: dict[str, StoredFace] = {}
    for start in range(0, len(ids), _AT_ONCE):
        known |= gallery.faces_by_id(group.name, ids[start : start + _AT_ONCE])
    return known


def _template(gallery: Gallery, group: Group, face: StoredFace) -> Embeddings:
    """The template of one registered face."""
    found = gallery.faces_of(group.name, [face.person_id], contract=group.contract)
    own = found.get(face.person_id)
    if own is None or face.id not in own[0]:
        raise Refused(Result.NOT_FOUND_FACE, "not_found")
    return own[1].take([own[0].index(face.id)])


def _likeness(engine: Engine, probe: Embeddings, others: Embeddings) -> NDArray[np.float64]:
    """Similarity of one face to each of the others, 0 to 100."""
    return np.round(100 * likeness(engine, probe, others), 6)
