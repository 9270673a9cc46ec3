"""verify: do two photos show one person?"""

from __future__ import annotations

import itertools
import time
from typing import Any

import numpy as np

from mien.compat.deepface import faces
from mien.compat.deepface.distances import (
    DistanceMetric,
    find_angular_distance,
    find_cosine_distance,
    find_distance,
    find_euclidean_distance,
)
from mien.compat.deepface.engines import Backend, backend
from mien.compat.deepface.exceptions import (
    DataTypeError,
    DimensionMismatchError,
    InvalidEmbeddingsShapeError,
    error,
)
from mien.compat.deepface.images import load
from mien.compat.deepface.options import Options
from mien.compat.deepface.surface import public
from mien.compat.deepface.thresholds import Decision, decide
from mien.errors import EmbeddingMismatch, InvalidArgument

__all__ = [
    "find_angular_distance",
    "find_confidence",
    "find_cosine_distance",
    "find_distance",
    "find_euclidean_distance",
    "find_threshold",
    "verdict",
    "verify",
]

NO_AREA = dict.fromkeys(("x", "y", "w", "h", "left_eye", "right_eye"))


@public("model", "prog_bar")
def verify(
    img1_path: Any,  # noqa: ANN401 - see mien.compat.deepface.images.load
    img2_path: Any,  # noqa: ANN401
    model_name: str | None = None,
    detector_backend: str | None = None,
    distance_metric: DistanceMetric = "cosine",
    enforce_detection: bool = True,
    align: bool = True,
    expand_percentage: int = 0,
    normalization: str | None = None,
    silent: bool = False,
    threshold: float | None = None,
    anti_spoofing: bool = False,
) -> dict[str, Any]:
    """Do two photos show one person? The closest pair of their faces decides.

    Args:
        img1_path, img2_path: an image, or an embedding of this model as a list of numbers.
        model_name: recognition model; None: Mien's default (SFace).
        detector_backend: detector; None: Mien's default (YuNet).
        distance_metric: ``cosine``, ``euclidean``, ``euclidean_l2``, ``angular``, or a function
            of two embeddings, which needs a ``threshold``.
        enforce_detection: a photo without a face is an error; False: it is taken whole for one.
        align: turn faces upright.
        expand_percentage: how much larger the crop is than the face.
        normalization: None: the model's own preprocessing; ``base``, ``raw``, ``Facenet``,
            ``Facenet2018``, ``VGGFace``, ``VGGFace2``, ``ArcFace``: DeepFace's pipeline with it.
        silent: accepted; nothing is printed anyway.
        threshold: the largest distance of one person; None: the model's.
        anti_spoofing: a face that is not taken for a live one is an error, ``SpoofDetected``.

    Returns:
        ``verified``, ``distance``, ``threshold``, ``confidence`` (0..100), ``model``,
        ``detector_backend``, ``similarity_metric``, ``facial_areas`` with ``img1`` and ``img2``,
        ``time`` in seconds.

    Raises:
        NoFaceFound: also ``FaceNotDetected``; ``details["image"]`` says which photo.
        ImageError: also ``ImgNotFound``.
        InvalidArgument, ModelError: also ``ValueError``.

    Example:
        >>> DeepFace.verify("a.jpg", "b.jpg")["verified"]        # doctest: +SKIP
        True
    """
    begin = time.perf_counter()
    options = Options(
        model_name=model_name,
        detector_backend=detector_backend,
        enforce_detection=enforce_detection,
        align=align,
        expand_percentage=expand_percentage,
        normalization=normalization,
        anti_spoofing=anti_spoofing,
    )
    chosen = backend(options)
    decision = decide(chosen, options, distance_metric, threshold)
    one = _side(chosen, img1_path, options, 1)
    other = _side(chosen, img2_path, options, 2)
    distance, area1, area2 = _closest(one, other, distance_metric)
    answer = verdict(decision, distance)
    answer["facial_areas"] = {"img1": area1, "img2": area2}
    answer["time"] = round(time.perf_counter() - begin, 2)
    return answer


def verdict(decision: Decision, distance: float) -> dict[str, Any]:
    """What ``verify`` and ``identify`` say of a distance."""
    return {
        "verified": bool(distance <= decision.threshold),
        "distance": distance,
        "threshold": decision.threshold,
        "confidence": decision.confidence(distance),
        "model": decision.backend.model_name,
        "detector_backend": decision.backend.detector_backend,
        "similarity_metric": decision.metric,
    }


def find_threshold(
    model_name: str | None = None,
    distance_metric: DistanceMetric = "cosine",
    normalization: str | None = None,
) -> float:
    """The threshold that :func:`verify` decides by where its caller gives none.

    Args:
        model_name, distance_metric: as for :func:`verify`.
        normalization: as for :func:`verify`: any mode gives DeepFace's own threshold.

    Returns:
        0.0 for a function of the caller's.

    Raises:
        UnknownModel, UnknownMetric: also ``UnimplementedError``.
        InvalidArgument: the model has no threshold.
    """
    if not isinstance(distance_metric, str):
        return 0.0
    options = Options(model_name=model_name, normalization=normalization)
    return decide(backend(options), options, distance_metric).threshold


def find_confidence(
    distance: float,
    model_name: str | None,
    verified: bool,
    distance_metric: DistanceMetric = "cosine",
) -> float:
    """The confidence that :func:`verify` gives to a distance, 0..100.

    Args:
        verified: accepted and not used: the confidence does not jump with it.
    """
    options = Options(model_name=model_name)
    given = None if isinstance(distance_metric, str) else distance
    return decide(backend(options), options, distance_metric, given).confidence(distance)


Side = list[tuple[list[float], dict[str, Any]]]


def _side(chosen: Backend, image: Any, options: Options, number: int) -> Side:  # noqa: ANN401
    """The embeddings of one side, each with its face's area."""
    if isinstance(image, list):
        return [(_given(chosen, image, number), dict(NO_AREA))]
    name = f"img{number}_path"
    try:
        photo = load(image, chosen.engine)
        seen = faces.look(chosen, photo, options, what=name)
    except Exception as caught:
        if isinstance(getattr(caught, "details", None), dict):
            caught.details.setdefault("image", name)  # type: ignore[attr-defined]
        raise
    vectors = faces.embed(chosen, photo, seen, options)
    return [(vector.tolist(), one.area) for vector, one in zip(vectors, seen, strict=True)]


def _given(chosen: Backend, embedding: list[Any], number: int) -> list[float]:
    """An embedding that the caller has made before.

    Raises:
        InvalidArgument: not numbers; also ``DataTypeError``.
        EmbeddingMismatch: another length; also ``DimensionMismatchError``.
    """
    if not all(isinstance(value, int | float) for value in embedding):
        raise error(
            InvalidArgument,
            DataTypeError,
            f"When passing img{number}_path as a list, ensure that all its items are of type "
            "float.",
        )
    if len(embedding) != chosen.dim:
        raise error(
            EmbeddingMismatch,
            DimensionMismatchError,
            f"embeddings of {chosen.model_name} should have {chosen.dim} dimensions, but "
            f"{number}-th image has {len(embedding)} dimensions input",
        )
    return embedding


def _closest(
    one: Side, other: Side, metric: DistanceMetric
) -> tuple[float, dict[str, Any], dict[str, Any]]:
    """The least distance of a face of the one to a face of the other, and their areas."""
    pairs = (
        (_scalar(find_distance(a, b, metric)), area_a, area_b)
        for (a, area_a), (b, area_b) in itertools.product(one, other)
    )
    return min(pairs, key=lambda pair: pair[0])


def _scalar(distance: Any) -> float:  # noqa: ANN401 - a caller's own metric may answer anything
    """One distance; a metric that is made for batches answers ``[[distance]]``."""
    found = np.asarray(distance)
    if found.size != 1 or found.dtype.kind not in "fiub":
        raise error(
            InvalidArgument,
            InvalidEmbeddingsShapeError,
            "The distance_metric must answer one number for two embeddings.",
        )
    return float(found.reshape(()))
