"""Compare, identify and verify: embeddings on both sides, a decision, an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mien.errors import NoFaceFound, NotFound
from mien.image import ImageInput
from mien.match import metrics
from mien.match.calibration import Calibration
from mien.match.decision import Decision
from mien.results import (
    Candidate,
    Comparison,
    FaceComparison,
    FaceMatches,
    Identification,
    Representation,
)
from mien.types import Embeddings, Metric

if TYPE_CHECKING:
    from mien.engine.core import Engine
    from mien.gallery import Gallery, Hit

__all__ = ["compare", "identify", "verify"]

Scores = NDArray[np.float64]

# Persons fetched by similarity before they are ranked by confidence, beyond those asked for.
RERANKED = 20


def compare(
    engine: Engine,
    a: ImageInput,
    b: ImageInput,
    *,
    decision: Decision,
    metric: Metric | None,
) -> Comparison:
    """See :meth:`mien.Engine.compare`."""
    one, other = engine.map(
        lambda job: engine.represent(job[0], max_faces=job[1]), [(a, 1), (b, None)]
    )
    _need_face(one, "a", "the first photo")
    _need_face(other, "b", "the second photo")
    own = metrics.similarity(one.embeddings.vector, other.embeddings.vector, engine.embedder.metric)
    confidence = _confidence(engine.calibration, own[0], one.embeddings, other.embeddings)
    shown = own[0]
    if metric is not None and metric != engine.embedder.metric:
        shown = metrics.similarity(one.embeddings.vector, other.embeddings.vector, metric)[0]
    scores = decision.scores(shown, confidence)
    passed = decision.passes(scores)
    order = np.argsort(-scores, kind="stable")
    pairs = tuple(
        FaceComparison(
            other.detection[i],
            float(shown[i]),
            None if confidence is None else float(confidence[i]),
            bool(passed[i]),
        )
        for i in order
    )
    best = pairs[0]
    images = (one.image, other.image)
    return Comparison(
        match=best.match,
        similarity=best.similarity,
        confidence=best.confidence,
        decided_on=decision.decided_on,
        threshold=decision.threshold,
        fmr=decision.rate,
        embedder=engine.embedder.name,
        detector=engine.detector.name,
        face_a=one.detection[0],
        face_b=best.face,
        all=pairs,
        extrapolated=decision.extrapolated,
        images=None if images[0] is None or images[1] is None else (images[0], images[1]),
        image_widths=(one.detection.width, other.detection.width),
    )


def identify(
    engine: Engine,
    gallery: Gallery,
    group: str,
    image: ImageInput,
    *,
    top: int,
    decision: Decision,
    gallery_size: int,
) -> Identification:
    """See :meth:`mien.Engine.identify`."""
    found = engine.represent(image)
    hits = gallery.search(
        group, found.embeddings.vector, k=top + RERANKED, contract=engine.embedder.contract
    )
    faces = tuple(
        FaceMatches(face, _candidates(engine.calibration, decision, float(norm), of_face)[:top])
        for face, norm, of_face in zip(found.detection, found.embeddings.norm, hits, strict=True)
    )
    return Identification(
        group=group,
        faces=faces,
        decided_on=decision.decided_on,
        threshold=decision.threshold,
        fpir=decision.rate,
        extrapolated=decision.extrapolated,
        gallery_size=gallery_size,
        width=found.detection.width,
        height=found.detection.height,
        image=found.image,
    )


def verify(
    engine: Engine,
    gallery: Gallery,
    group: str,
    person: str,
    image: ImageInput,
    *,
    decision: Decision,
) -> Comparison:
    """See :meth:`mien.Engine.verify`."""
    known = gallery.person(group, person)
    enrolled = _templates(engine, gallery, group, person)
    probe = engine.represent(image, max_faces=1)
    _need_face(probe, "image", "the photo")
    alike = metrics.similarity(probe.embeddings.vector, enrolled.vector, engine.embedder.metric)[0]
    confidence = _confidence(engine.calibration, alike, probe.embeddings, enrolled)
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
    )


def _templates(engine: Engine, gallery: Gallery, group: str, person: str) -> Embeddings:
    """What a person of the group is compared by: every face, or their mean (group's scoring)."""
    pinned = gallery.group(group)
    gallery.check_contract(pinned, engine.embedder.contract)
    _, enrolled = gallery.embeddings(group, person)
    if not len(enrolled):
        raise NotFound(f"No face of {person!r} is enrolled in group {group!r}: enrol a photo.")
    if pinned.scoring == "max":
        return enrolled
    mean = enrolled.vector.mean(axis=0, keepdims=True)
    mean /= max(float(np.linalg.norm(mean)), np.finfo(np.float32).tiny)
    return Embeddings(mean.astype(np.float32), enrolled.norm.mean(keepdims=True))


def _confidence(
    calibration: Calibration | None, similarity: Scores, probe: Embeddings, others: Embeddings
) -> Scores | None:
    """Confidence of one probe against ``others``, or None without a calibration."""
    if calibration is None:
        return None
    return calibration.confidence(similarity, probe.norm[0], others.norm)


def _candidates(
    calibration: Calibration | None, decision: Decision, norm: float, hits: list[Hit]
) -> tuple[Candidate, ...]:
    """The hits that pass, most confident first."""
    similarity = np.array([hit.similarity for hit in hits], np.float64)
    confidence = None
    if calibration is not None:
        norms = np.array([hit.norm for hit in hits], np.float64)  # None becomes NaN
        confidence = calibration.confidence(similarity, norm, norms)
    scores = decision.scores(similarity, confidence)
    passed = decision.passes(scores)
    order = np.argsort(-scores, kind="stable")
    return tuple(
        Candidate(
            person=hits[i].person,
            person_id=hits[i].person_id,
            similarity=float(similarity[i]),
            confidence=None if confidence is None else float(confidence[i]),
            face_id=hits[i].face_id,
        )
        for i in order
        if passed[i]
    )


def _need_face(found: Representation, image: str, what: str) -> None:
    if not len(found):
        raise NoFaceFound(f"No face was found in {what}.", details={"image": image})
