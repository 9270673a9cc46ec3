"""POST /verify, /identify, /findsimilars and /group: what faceIds are compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
from fastapi import APIRouter
from starlette.responses import Response

from mien.answers import Candidate
from mien.engine.albums import album_threshold
from mien.engine.noting import note_verification
from mien.engine.recognition import candidates_of
from mien.errors import NotFound
from mien.gallery import Group
from mien.match.clustering import cluster
from mien.service.call import Call
from mien.service.dialects.azure import containers, directory_scope, models, probes
from mien.service.dialects.azure.containers import (
    DYNAMIC,
    FACE_LIST,
    LARGE_FACE_LIST,
    LARGE_PERSON_GROUP,
    PERSON_GROUP,
    Container,
    Kind,
)
from mien.service.dialects.azure.errors import AzureError, bad_argument, missing
from mien.service.dialects.azure.fields import (
    Body,
    choice,
    hex_id,
    number,
    shown_id,
    uuids,
    whole,
)
from mien.service.dialects.azure.matching import SAME, anybody, confidences, decision_at
from mien.service.dialects.azure.policies import note_search, searchable
from mien.service.dialects.azure.route import AzureRoute, Reading, done, with_body
from mien.types import Embeddings

__all__ = ["router"]

router = APIRouter(route_class=AzureRoute, tags=["recognition"])

MAX_IDENTIFY = 10
MAX_FACES = 1000
MAX_CANDIDATES = 100
DEFAULT_CANDIDATES = 10
DEFAULT_SIMILAR = 20


# ---------------------------------------------------------------------- verify


@router.post("/verify")
async def verify(call: Reading) -> Response:
    """Whether two faces, or a face and a person, are the same person's."""
    return done(await with_body(call, lambda body: _verified(call, body), models=True))


def _verified(call: Call, body: Body) -> dict[str, Any]:
    group, person = None, ""
    if "faceId1" in body or "faceId2" in body:
        ids = [hex_id(body.get(name), name) for name in ("faceId1", "faceId2")]
        unknown = missing("Face")
        found = [probes.load(call.gallery, [one], unknown=unknown)[0] for one in ids]
        model, both = probes.joined(found)
        engine = models.engine_of(call, model)
        others = both.take([1])
        probe = both.take([0])
    else:
        (face,) = probes.load(
            call.gallery, [hex_id(body.get("faceId"), "faceId")], unknown=missing("Face")
        )
        person = hex_id(body.get("personId"), "personId")
        engine = models.engine_of(call, face.model)
        group, others = _faces_of_person(call, body, face, person)
        probe = face.embeddings
    confidence = float(confidences(engine, probe, others).max())
    if group is not None:
        match = confidence >= SAME
        note_verification(call.settings, call.gallery, group, person, match=match)
    return {"isIdentical": confidence >= SAME, "confidence": round(confidence, 5)}


def _faces_of_person(
    call: Call, body: Body, face: probes.Probe, person: str
) -> tuple[Group, Embeddings]:
    scope = [kind for kind in (PERSON_GROUP, LARGE_PERSON_GROUP) if body.get(kind.key) is not None]
    if len(scope) > 1:
        raise bad_argument("Request body is invalid.")
    if scope:
        found = containers.find(call.gallery, scope[0], str(body[scope[0].key]), status=400)
        _compatible(found, face.model)
        group = found.group
    else:
        group = directory_scope.group_of(call, face.model)
    try:
        place = searchable(call, group)
        _, templates = call.gallery.embeddings(group, person)
    except NotFound:
        raise missing("Person") from None
    if not len(templates):
        raise AzureError(404, "PersistedFaceNotFound", "The person has no face.")
    return place, templates


# ---------------------------------------------------------------------- identify


@router.post("/identify")
async def identify(call: Reading) -> Response:
    """Who of a group, or of the directory, each face is; a stranger has no candidate."""
    return done(await with_body(call, lambda body: _identified(call, body), models=True))


def _identified(call: Call, body: Body) -> list[dict[str, Any]]:
    ids = uuids(body, "faceIds", least=1, most=MAX_IDENTIFY, distinct=False)
    top = whole(
        body,
        "maxNumOfCandidatesReturned",
        least=1,
        most=MAX_CANDIDATES,
        default=DEFAULT_CANDIDATES,
    )
    threshold = number(body, "confidenceThreshold")
    scope = _scope(body, version=call.request.path_params["version"])
    if scope == "personIds":
        persons = directory_scope.persons(body)
        model, embeddings = probes.joined(probes.load(call.gallery, ids))
        ranked = directory_scope.identify(
            call, model, embeddings, persons, top=top, threshold=threshold
        )
    elif scope == DYNAMIC.key:
        found = containers.find(call.gallery, DYNAMIC, str(body[scope]), status=400)
        model, embeddings = probes.joined(probes.load(call.gallery, ids))
        group = directory_scope.group_of_dynamic(call, found, model)
        ranked = _ranked(call, model, group, embeddings, top=top, threshold=threshold)
    else:
        kind = PERSON_GROUP if scope == PERSON_GROUP.key else LARGE_PERSON_GROUP
        found = containers.find(call.gallery, kind, str(body[scope]), status=400)
        newest = containers.trained(found)
        model, embeddings = probes.joined(probes.load(call.gallery, ids))
        _compatible(found, model)
        ranked = _ranked(
            call, model, found.group, embeddings, top=top, threshold=threshold, newest=newest
        )
    return [
        {"faceId": shown_id(one), "candidates": [_candidate(each) for each in candidates]}
        for one, candidates in zip(ids, ranked, strict=True)
    ]


SCOPES = (PERSON_GROUP.key, LARGE_PERSON_GROUP.key, DYNAMIC.key, "personIds")


def _scope(body: Body, *, version: str) -> str:
    """The one place that the request searches."""
    named = [name for name in SCOPES if body.get(name) is not None]
    if not named and version.lower() == "v1.0":  # it knows the two kinds of groups only
        raise AzureError(
            400,
            "PersonGroupIdAndLargePersonGroupIdBothNull",
            "Large person group ID and person group ID are both null.",
        )
    if not named:
        raise AzureError(
            400,
            "MissingIdentificationScopeParameters",
            "Must specify one of personGroupId, largePersonGroupId, dynamicPersonGroupId and "
            "personIds.",
        )
    if set(named) == {PERSON_GROUP.key, LARGE_PERSON_GROUP.key}:
        raise AzureError(
            400,
            "PersonGroupIdAndLargePersonGroupIdBothNotNull",
            "Large person group ID and person group ID are both not null.",
        )
    if len(named) > 1:
        raise AzureError(
            400,
            "IncompatibleIdentificationScopeParametersCombination",
            "Only one of personGroupId, largePersonGroupId, dynamicPersonGroupId and personIds "
            "can be given.",
        )
    return named[0]


def _ranked(
    call: Call,
    model: str,
    group: str,
    embeddings: Embeddings,
    *,
    top: int,
    threshold: float | None,
    newest: str | None = None,
) -> list[tuple[Candidate, ...]]:
    engine, place = models.engine_of(call, model), searchable(call, group)
    decision = decision_at(engine, threshold, size=place.faces)
    ranked = candidates_of(
        engine, call.gallery, group, embeddings, top=top, decision=decision, newest=newest
    )
    note_search(call, place, ranked)
    return ranked


def _candidate(one: Candidate) -> dict[str, Any]:
    return {
        "personId": shown_id(one.person_id),
        "confidence": round(one.similarity if one.confidence is None else one.confidence, 5),
    }


def _compatible(found: Container, model: str) -> None:
    if found.model != model:
        raise bad_argument("'recognitionModel' is incompatible.")


# ---------------------------------------------------------------------- find similar


@router.post("/findsimilars")
async def find_similar(call: Reading) -> Response:
    """Faces of a list that are like a face."""
    return done(await with_body(call, lambda body: _similar(call, body), models=True))


def _similar(call: Call, body: Body) -> list[dict[str, Any]]:
    face_id = hex_id(body.get("faceId"), "faceId")
    top = whole(
        body,
        "maxNumOfCandidatesReturned",
        least=1,
        most=MAX_FACES,
        default=DEFAULT_SIMILAR,
    )
    strict = choice(body, "mode", ("matchPerson", "matchFace"), default="matchPerson")
    targets = ("faceIds", FACE_LIST.key, LARGE_FACE_LIST.key)
    named = [name for name in targets if body.get(name) is not None]
    if len(named) != 1:
        raise bad_argument("Exactly one of faceIds, faceListId and largeFaceListId must be given.")
    matching = strict == "matchPerson"
    if named[0] == "faceIds":
        others = uuids(body, "faceIds", least=1, most=MAX_FACES)
        return _similar_faces(call, face_id, others, top=top, matching=matching)
    kind = FACE_LIST if named[0] == FACE_LIST.key else LARGE_FACE_LIST
    return _similar_listed(call, face_id, kind, str(body[kind.key]), top=top, matching=matching)


def _similar_faces(
    call: Call, face_id: str, others: list[str], *, top: int, matching: bool
) -> list[dict[str, Any]]:
    (probe,) = probes.load(call.gallery, [face_id])
    model, embeddings = probes.joined([probe, *probes.load(call.gallery, others)])
    engine = models.engine_of(call, model)
    scores = confidences(engine, probe.embeddings, embeddings.take(slice(1, None)))
    least = decision_at(engine, None, size=len(others)).threshold if matching else 0.0
    order = [int(i) for i in np.argsort(-scores, kind="stable") if scores[i] >= least]
    return [
        {"faceId": shown_id(others[i]), "confidence": round(float(scores[i]), 5)}
        for i in order[:top]
    ]


def _similar_listed(
    call: Call, face_id: str, kind: Kind, one: str, *, top: int, matching: bool
) -> list[dict[str, Any]]:
    found = containers.find(call.gallery, kind, one, status=400)
    newest = containers.trained(found) if kind.trains else None
    place = searchable(call, found.group)
    if not place.faces:
        raise AzureError(400, "FaceListNotReady", "Face list is empty.")
    (probe,) = probes.load(call.gallery, [face_id])
    _compatible(found, probe.model)
    engine = models.engine_of(call, found.model)
    decision = decision_at(engine, None, size=place.faces) if matching else anybody()
    (candidates,) = candidates_of(
        engine,
        call.gallery,
        found.group,
        probe.embeddings,
        top=top,
        decision=decision,
        newest=newest,
    )
    note_search(call, place, [candidates])
    return [
        {
            "persistedFaceId": shown_id(each.face_id),
            "confidence": _candidate(each)["confidence"],
        }
        for each in candidates
        if each.face_id is not None
    ]


# ---------------------------------------------------------------------- group


@router.post("/group")
async def group(call: Reading) -> Response:
    """Sort faces by who they are: groups, and faces that are like no other."""
    return done(await with_body(call, lambda body: _grouped(call, body), models=True))


def _grouped(call: Call, body: Body) -> dict[str, Any]:
    ids = uuids(body, "faceIds", least=2, most=MAX_FACES)
    unknown = bad_argument("'faceIds' holds a face that is not found.")
    model, embeddings = probes.joined(probes.load(call.gallery, ids, unknown=unknown))
    engine = models.engine_of(call, model)
    threshold = album_threshold(engine, len(ids))
    labels = cluster(embeddings.vector, threshold=threshold).tolist()
    groups: list[list[str]] = [[] for _ in range(max(labels) + 1)]
    for one, label in zip(ids, labels, strict=True):
        groups[label].append(shown_id(one))
    return {
        "groups": [members for members in groups if len(members) > 1],
        "messyGroup": [members[0] for members in groups if len(members) == 1],
    }
