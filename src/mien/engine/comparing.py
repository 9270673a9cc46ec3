"""Compare two photos, and what every comparison needs: a face, its liveness, a confidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mien.answers import Comparison, FaceComparison
from mien.engine import living
from mien.engine.living import LivenessCheck
from mien.errors import NoFaceFound
from mien.image import ImageInput
from mien.match import metrics
from mien.match.calibration import Calibration
from mien.match.decision import Decision
from mien.results import Representation
from mien.types import Embeddings, Face, Metric
from mien.verdict import LivenessVerdict

if TYPE_CHECKING:
    from mien.engine.core import Engine

__all__ = ["Scores", "compare", "confidence_of", "live_of", "need_face"]

Scores = NDArray[np.float64]


def compare(
    engine: Engine,
    a: ImageInput,
    b: ImageInput,
    *,
    decision: Decision,
    metric: Metric | None,
    check: LivenessCheck,
) -> Comparison:
    """See :meth:`mien.Engine.compare`."""
    photos = [engine.photo(image) for image in (a, b)] if check.looks else [a, b]
    one, other = engine.map(
        lambda job: engine.represent(job[0], max_faces=job[1]), zip(photos, (1, None), strict=True)
    )
    need_face(one, "a", "the first photo")
    need_face(other, "b", "the second photo")
    own = metrics.similarity(one.embeddings.vector, other.embeddings.vector, engine.embedder.metric)
    confidence = confidence_of(engine.calibration, own[0], one.embeddings, other.embeddings.norm)
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
    told = None
    if check.looks:
        (of_a,) = live_of(engine, photos[0], [one.detection[0]], check, "a")
        (of_b,) = live_of(engine, photos[1], [best.face], check, "b")
        told = (of_a, of_b)
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
        liveness=told,
    )


def live_of(
    engine: Engine, image: ImageInput, faces: Sequence[Face], check: LivenessCheck, name: str
) -> tuple[LivenessVerdict, ...]:
    """The faces' verdicts; raises for the first that is refused."""
    told = living.verdicts(engine, engine.photo(image), faces, check)
    living.refuse(check, told, image=name)
    return told


def confidence_of(
    calibration: Calibration | None,
    similarity: Scores,
    probe: Embeddings,
    norm: NDArray[np.float32],
) -> Scores | None:
    """Confidence of one probe against faces of these norms, or None without a calibration."""
    if calibration is None:
        return None
    return calibration.confidence(similarity, probe.norm[0], norm)


def need_face(found: Representation, image: str, what: str) -> None:
    """Raise NoFaceFound where a photo has none."""
    if not len(found):
        raise NoFaceFound(f"No face was found in {what}.", details={"image": image})
