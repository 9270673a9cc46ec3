"""Identify and verify: embeddings on both sides, a decision, an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mien.answers import Candidate, Comparison, FaceMatches, Identification
from mien.engine import living
from mien.engine.comparing import compare, confidence_of, live_of, need_face
from mien.engine.living import LivenessCheck
from mien.errors import NotFound
from mien.image import ImageInput
from mien.match import metrics
from mien.match.calibration import Calibration
from mien.match.decision import Decision
from mien.results import Representation
from mien.stages import stage
from mien.types import EmbeddingContract, Embeddings, Metric
from mien.verdict import LivenessVerdict

if TYPE_CHECKING:
    from mien.engine.core import Engine
    from mien.gallery import Gallery, Group, Hit

__all__ = ["Search", "candidates_of", "compare", "identify", "verify"]

# Persons fetched by similarity before they are ranked by confidence, beyond those asked for.
RERANKED = 20
PERSONS_AT_ONCE = 500
# Persons fetched at most to get past those who are newer than a search may find.
MOST_FETCHED = 5_000


@dataclass(frozen=True, slots=True)
class Search:
    """How a group is searched.

    Attributes:
        top: candidates for each face at most.
        decision: who passes.
        gallery_size: faces in the group.
        check: what is asked about liveness.
    """

    top: int
    decision: Decision
    gallery_size: int
    check: LivenessCheck


def identify(
    engine: Engine,
    gallery: Gallery,
    group: str,
    image: ImageInput,
    *,
    options: Search,
) -> Identification:
    """See :meth:`mien.Engine.identify`."""
    check, decision = options.check, options.decision
    photo = engine.photo(image) if check.looks else image
    found = engine.represent(photo)
    told = _live_of_all(engine, photo, found, check)
    admitted = [i for i, one in enumerate(told) if one is None or one.live or not check.enforces]
    of_admitted = candidates_of(
        engine,
        gallery,
        group,
        found.embeddings.take(admitted),
        top=options.top,
        decision=decision,
    )
    candidates = dict(zip(admitted, of_admitted, strict=True))
    faces = tuple(
        FaceMatches(face, candidates.get(i, ()), told[i]) for i, face in enumerate(found.detection)
    )
    return Identification(
        group=group,
        faces=faces,
        decided_on=decision.decided_on,
        threshold=decision.threshold,
        fpir=decision.rate,
        extrapolated=decision.extrapolated,
        gallery_size=options.gallery_size,
        width=found.detection.width,
        height=found.detection.height,
        image=found.image,
    )


def candidates_of(
    engine: Engine,
    gallery: Gallery,
    group: str,
    probes: Embeddings,
    *,
    top: int,
    decision: Decision,
    newest: str | None = None,
) -> list[tuple[Candidate, ...]]:
    """Who of a group each probe is, best first; nobody where none passes.

    Args:
        engine: whose recognition model made the probes.
        gallery, group: where to search.
        probes: one template a face.
        top: candidates for each at most.
        decision: who passes.
        newest: only faces up to the one of this id count, which was the newest at some time;
            empty: none, None: all. It needs a decision on confidence.

    Raises:
        NotFound: no such group.
        EmbeddingMismatch: the group is pinned to another recognition model.
    """
    if newest == "":  # nobody was there at that time
        return [()] * len(probes)
    contract, fetched = engine.embedder.contract, top + RERANKED
    while True:
        with stage("search"):
            hits = gallery.search(group, probes.vector, k=fetched, contract=contract)
        searched = [
            _Search(engine.calibration, decision, probes.take([i]), of_face)
            for i, of_face in enumerate(hits)
        ]
        unsettled = {one for each in searched for one in each.unsettled}
        known = _all_faces(gallery, group, unsettled, contract)
        if newest is None:
            break
        known = _up_to(newest, known)
        cut = [each for each in searched if len(each.hits) == fetched]
        for each in searched:
            each.hits = [hit for hit in each.hits if hit.person_id in known]
        if fetched >= MOST_FETCHED or all(len(each.hits) >= top for each in cut):
            break
        fetched *= 4  # those who are too new took the places of others
    return [each.candidates(engine.embedder.metric, known)[:top] for each in searched]


def verify(
    engine: Engine,
    gallery: Gallery,
    group: Group,
    person: str,
    image: ImageInput,
    *,
    decision: Decision,
    check: LivenessCheck,
) -> Comparison:
    """See :meth:`mien.Engine.verify`."""
    known = gallery.person(group.name, person)
    enrolled = _templates(gallery, group, person, engine.embedder.contract)
    photo = engine.photo(image) if check.looks else image
    probe = engine.represent(photo, max_faces=1)
    need_face(probe, "image", "the photo")
    told = None
    if check.looks:
        told = (live_of(engine, photo, [probe.detection[0]], check, "image")[0], None)
    alike = metrics.similarity(probe.embeddings.vector, enrolled.vector, engine.embedder.metric)[0]
    confidence = confidence_of(engine.calibration, alike, probe.embeddings, enrolled.norm)
    scores = decision.scores(alike, confidence)
    best = int(np.argmax(scores))
    return Comparison(
        match=bool(decision.passes(scores)[best]),
        similarity=float(alike[best]),
        confidence=None if confidence is None else float(confidence[best]),
        decided_on=decision.decided_on,
        threshold=decision.threshold,
        fmr=decision.rate,
        embedder=engine.embedder.name,
        detector=engine.detector.name,
        face_a=probe.detection[0],
        face_b=None,
        extrapolated=decision.extrapolated,
        person=known.name,
        liveness=told,
    )


def _live_of_all(
    engine: Engine, image: ImageInput, found: Representation, check: LivenessCheck
) -> tuple[LivenessVerdict | None, ...]:
    """A verdict for each face of a photo, if asked for; raises where all of them are refused."""
    if not check.looks:
        return (None,) * len(found)
    told = living.verdicts(engine, engine.photo(image), found.detection, check)
    if not any(one.live for one in told):
        living.refuse(check, told, image="image")
    return told


def _templates(
    gallery: Gallery, group: Group, person: str, contract: EmbeddingContract
) -> Embeddings:
    """What a person of the group is compared by: every face, or their mean (group's scoring)."""
    _, enrolled = gallery.embeddings(group.name, person, contract=contract)
    if not len(enrolled):
        raise NotFound(f"No face of {person!r} is enrolled in group {group.name!r}: enrol a photo.")
    if group.scoring == "max":
        return enrolled
    from mien.gallery import mean_template  # loaded already: there is a gallery

    return mean_template(enrolled)


def _all_faces(
    gallery: Gallery, group: str, person_ids: set[str], contract: EmbeddingContract
) -> dict[str, tuple[list[str], Embeddings]]:
    """A person's id -> ids and templates of all faces, asked for in bounded parts."""
    known: dict[str, tuple[list[str], Embeddings]] = {}
    wanted = sorted(person_ids)
    for start in range(0, len(wanted), PERSONS_AT_ONCE):
        some = wanted[start : start + PERSONS_AT_ONCE]
        known |= gallery.faces_of(group, some, contract=contract)
    return known


def _up_to(
    newest: str, known: Mapping[str, tuple[list[str], Embeddings]]
) -> dict[str, tuple[list[str], Embeddings]]:
    """The faces up to the one of id ``newest``; a person without any is left out."""
    older: dict[str, tuple[list[str], Embeddings]] = {}
    for person_id, (ids, embeddings) in known.items():
        keep = [i for i, one in enumerate(ids) if one <= newest]
        if keep:
            older[person_id] = [ids[i] for i in keep], embeddings.take(keep)
    return older


class _Search:
    """One face's hits in the index, on their way to candidates.

    The index gives each person's most similar face; the most confident one may be another. So
    the faces of those who can pass at all are compared again, all of them.
    """

    def __init__(
        self,
        calibration: Calibration | None,
        decision: Decision,
        probe: Embeddings,
        hits: list[Hit],
    ) -> None:
        self._calibration = calibration
        self._decision = decision
        self._probe = probe
        similarity = np.array([hit.similarity for hit in hits], np.float64)
        ceiling = None if calibration is None else calibration.ceiling(similarity)
        possible = decision.passes(decision.scores(similarity, ceiling))
        self.hits = [hit for hit, may_pass in zip(hits, possible, strict=True) if may_pass]

    @property
    def unsettled(self) -> set[str]:
        """Ids of the persons whose most similar face need not be the one that decides."""
        if self._decision.decided_on == "similarity":
            return set()
        return {hit.person_id for hit in self.hits if hit.face_id is not None}

    def candidates(
        self, metric: Metric, known: Mapping[str, tuple[list[str], Embeddings]]
    ) -> tuple[Candidate, ...]:
        """Who passes, best first. ``known``: a person's id -> ids and templates of the faces."""
        scored = [self._scored(hit, metric, known.get(hit.person_id)) for hit in self.hits]
        passed = [pair for pair in scored if pair[0] >= self._decision.threshold]
        return tuple(candidate for _, candidate in sorted(passed, key=lambda pair: -pair[0]))

    def _scored(
        self, hit: Hit, metric: Metric, own: tuple[list[str], Embeddings] | None
    ) -> tuple[float, Candidate]:
        """The person's score in the unit of the decision, and the candidate it makes."""
        ids: list[str | None] = [hit.face_id]
        similarity = np.array([hit.similarity], np.float64)
        norm = np.array([hit.norm], np.float32)  # None becomes NaN
        if hit.face_id is not None and own is not None:
            ids = [*own[0]]
            similarity = metrics.similarity(self._probe.vector, own[1].vector, metric)[0]
            norm = own[1].norm
        confidence = confidence_of(self._calibration, similarity, self._probe, norm)
        scores = self._decision.scores(similarity, confidence)
        best = int(np.argmax(scores))
        return float(scores[best]), Candidate(
            person=hit.person,
            person_id=hit.person_id,
            similarity=float(similarity[best]),
            confidence=None if confidence is None else float(confidence[best]),
            face_id=ids[best],
        )
