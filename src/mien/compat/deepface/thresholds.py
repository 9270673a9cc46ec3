"""Where same and different part, and how sure that is, by model and distance.

Where Mien has calibrated a model, the threshold is the one that one comparison in a thousand of
two people passes (FMR 1e-3), and the confidence the calibration's. Where it has not, and where a
``normalization`` asks for DeepFace's own pipeline, the threshold is DeepFace's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

from mien.compat.deepface.distances import DistanceMetric
from mien.compat.deepface.engines import Backend
from mien.compat.deepface.exceptions import UnimplementedError, error
from mien.compat.deepface.names import RECOGNISERS
from mien.compat.deepface.options import Options
from mien.errors import InvalidArgument, UnknownMetric
from mien.match.decision import DEFAULT_FMR
from mien.match.metrics import METRICS
from mien.types import Metric

__all__ = ["DEEPFACE", "Decision", "converted", "decide", "default_threshold"]

DEEPFACE: dict[str, dict[str, float]] = {
    "VGG-Face": {"cosine": 0.68, "euclidean": 1.17, "euclidean_l2": 1.17, "angular": 0.39},
    "Facenet": {"cosine": 0.40, "euclidean": 10, "euclidean_l2": 0.80, "angular": 0.33},
    "Facenet512": {"cosine": 0.30, "euclidean": 23.56, "euclidean_l2": 1.04, "angular": 0.35},
    "ArcFace": {"cosine": 0.68, "euclidean": 4.15, "euclidean_l2": 1.13, "angular": 0.39},
    "Dlib": {"cosine": 0.07, "euclidean": 0.6, "euclidean_l2": 0.4, "angular": 0.12},
    "SFace": {"cosine": 0.593, "euclidean": 10.734, "euclidean_l2": 1.055, "angular": 0.36},
    "OpenFace": {"cosine": 0.10, "euclidean": 0.55, "euclidean_l2": 0.55, "angular": 0.11},
    "DeepFace": {"cosine": 0.23, "euclidean": 64, "euclidean_l2": 0.64, "angular": 0.12},
    "DeepID": {"cosine": 0.015, "euclidean": 45, "euclidean_l2": 0.17, "angular": 0.04},
    "GhostFaceNet": {"cosine": 0.65, "euclidean": 35.71, "euclidean_l2": 1.10, "angular": 0.38},
    "Buffalo_L": {"cosine": 0.55, "euclidean": 0.6, "euclidean_l2": 1.1, "angular": 0.45},
}
"""DeepFace's thresholds: ``deepface/config/threshold.py`` of 0.0.103."""

# Raw embeddings of a model differ in length, so "euclidean" does not follow from the cosine. At
# these lengths its threshold passes one impostor in a thousand: all pairs of the 1,583 photos of
# LFW's folds 1 and 2 (benchmarks/deepface_rates.py).
_LENGTHS = {"sface": 11.05, "dlib": 1.428, "mobilefacenet": 62.16, "faceres": 14.49}

# Without a calibration the confidence is a map of the distance alone: 50 at the threshold, 99 at
# distance 0, continuous and falling everywhere. It is no probability.
_STEEPNESS = math.log(99)


def default_threshold(
    backend: Backend, distance_metric: DistanceMetric, *, deepface: bool
) -> float | None:
    """The distance up to which two faces are taken for one person's.

    Args:
        distance_metric: a metric's name; a function has no threshold.
        deepface: take DeepFace's own.

    Returns:
        None where neither Mien nor DeepFace has one: the caller has to give it.

    Raises:
        UnknownMetric: no metric of that name; also DeepFace's ``UnimplementedError``.
    """
    if not isinstance(distance_metric, str):
        return None
    if distance_metric not in METRICS:
        raise error(
            UnknownMetric,
            UnimplementedError,
            f"Invalid distance_metric passed: {distance_metric!r}. "
            f"Choose one of {', '.join(METRICS)}.",
        )
    calibration = None if deepface else backend.calibration
    if calibration is not None:
        own = 1 - calibration.threshold(DEFAULT_FMR).similarity
        return round(converted(own, backend.metric, distance_metric, _length(backend)), 6)
    theirs = {card: name for name, card in RECOGNISERS.items()}.get(backend.recogniser)
    return None if theirs is None else float(DEEPFACE[theirs][distance_metric])


@dataclass(frozen=True, slots=True)
class Decision:
    """Where same and different part for one call.

    Attributes:
        threshold: the largest distance of one person.
        metric: the unit of distances.
        deepface: DeepFace's own threshold and no calibration.
    """

    threshold: float
    metric: DistanceMetric
    deepface: bool
    backend: Backend

    def confidence(self, distance: float) -> float:
        """How sure it is that the faces are one person's, 0..100, to hundredths.

        Continuous, falling with the distance, and 50 exactly at the default threshold: it does
        not know the caller's own, except where there is no default.
        """
        metric = self.metric
        calibration = None if self.deepface else self.backend.calibration
        if calibration is not None and isinstance(metric, str):
            own = converted(distance, metric, self.backend.metric, _length(self.backend))
            unknown = float("nan")  # the norms: the answer follows from the distance alone
            return round(100 * float(calibration.confidence(1 - own, unknown, unknown)), 2)
        default = default_threshold(self.backend, metric, deepface=self.deepface)
        middle = self.threshold if default is None else default
        steps = (distance - middle) / (abs(middle) or 1.0)
        return round(100 / (1 + math.exp(min(700.0, _STEEPNESS * steps))), 2)


def decide(
    backend: Backend, options: Options, metric: DistanceMetric, threshold: float | None = None
) -> Decision:
    """The caller's threshold, or the default of these models.

    Raises:
        InvalidArgument: the caller's is no number, or there is no default.
        UnknownMetric: no metric of that name; also DeepFace's ``UnimplementedError``.
    """
    deepface = options.mode is not None
    default = default_threshold(backend, metric, deepface=deepface)
    if threshold is None:
        threshold = default
    if threshold is None:
        raise InvalidArgument(
            f"{backend.model_name} has neither a calibration nor a threshold of DeepFace's: give "
            "threshold=."
            if isinstance(metric, str)
            else "Threshold must be specified when using custom distance metrics"
        )
    return Decision(_number(threshold), metric, deepface, backend)


def _length(backend: Backend) -> float:
    """The length of raw embeddings that euclidean distances are converted at."""
    calibration = backend.calibration
    reference = 1.0 if calibration is None else calibration.facts.norm_reference
    return _LENGTHS.get(backend.recogniser, reference)


def _number(threshold: object) -> float:
    """``threshold`` as it is, if it can be compared with a distance."""
    if isinstance(threshold, bool) or not isinstance(threshold, Real) or math.isnan(threshold):
        raise InvalidArgument("threshold is a number.")
    return threshold  # type: ignore[return-value]  # an int stays an int, as in DeepFace


def converted(distance: float, metric: str, wanted: Metric | str, norm: float) -> float:
    """A distance in another metric, for embeddings of length ``norm``."""
    if metric == wanted:
        return distance
    match metric:
        case "angular":
            cosine = 1 - math.cos(math.pi * min(max(distance, 0.0), 1.0))
        case "euclidean_l2":
            cosine = distance**2 / 2
        case "euclidean":
            cosine = (distance / norm) ** 2 / 2
        case _:
            cosine = distance
    cosine = min(max(cosine, 0.0), 2.0)
    match wanted:
        case "angular":
            return math.acos(1 - cosine) / math.pi
        case "euclidean_l2":
            return math.sqrt(2 * cosine)
        case "euclidean":
            return norm * math.sqrt(2 * cosine)
        case _:
            return cosine
