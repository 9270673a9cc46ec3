"""One number for how fit a face is for recognition, from what is known of it.

The number estimates how alike SFace finds the face and good photos of the same person: 0 stands for
a similarity of 0.2 and less, 100 for 0.65 and more; 35 is where the default operating point (0.36)
begins to fail. Two linear models, with coefficients that cannot be negative, were fitted by
``benchmarks/fit_quality.py`` on photos of LFW and MFR2 as they are and spoilt; without the
embedding's norm, which says most, and with it. What they are worth: docs/reference/evaluation.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from mien.errors import InvalidArgument

__all__ = ["NORM_MODELS", "RECOGNITION", "quality_score", "recognition"]

NORM_MODELS = ("sface", "fusion")
"""Recognition models whose norm is SFace's."""

RECOGNITION = "recognition"
"""The component's name."""

LOWEST_NORM, HIGHEST_NORM = 5.0, 14.0
LOWEST_DETECTION, HIGHEST_DETECTION = 0.7, 0.94  # YuNet's; others' are mostly above
SIMILARITY_AT_0, SIMILARITY_AT_100 = 0.2, 0.65
FAULTS_TAKE = 0.3

# Similarity that each part adds where it is 1.
PICTURE = MappingProxyType({"detection": 0.368, "eyes_visible": 0.226, "mouth_visible": 0.06})
PICTURE_CONSTANT = -0.003
EMBEDDED = MappingProxyType(
    {RECOGNITION: 0.48, "detection": 0.071, "eyes_visible": 0.118, "mouth_visible": 0.042}
)
EMBEDDED_CONSTANT = 0.032


def recognition(norm: float) -> int:
    """The component that an embedding's norm before normalisation gives: 0 (5) to 100 (14).

    Args:
        norm: SFace's; those of other models have other ranges.

    Raises:
        InvalidArgument: not a number.
    """
    if not np.isfinite(norm):
        raise InvalidArgument("The norm of an embedding must be a finite number.")
    return round(100 * _share(norm, LOWEST_NORM, HIGHEST_NORM))


def quality_score(
    detection: float, components: Mapping[str, int], *, measures: Mapping[str, float] | None = None
) -> int:
    """0 (useless) to 100.

    Args:
        detection: the detector's score of the face, 0..1.
        components: of :class:`mien.analysis.Quality`, 0 to 100; those that are not known count as
            100. With :data:`RECOGNITION` among them it decides most.
        measures: of :class:`mien.analysis.Quality`, 0..1: faults that a better photo would not
            have. Their product takes off up to 30 %, so that what is given as a reason counts.
    """
    parts = {name: min(max(value, 0), 100) / 100 for name, value in components.items()}
    parts["detection"] = _share(detection, LOWEST_DETECTION, HIGHEST_DETECTION)
    known = RECOGNITION in components
    weights, similarity = (EMBEDDED, EMBEDDED_CONSTANT) if known else (PICTURE, PICTURE_CONSTANT)
    similarity += sum(weight * parts.get(name, 1.0) for name, weight in weights.items())
    faultless = float(np.prod(list((measures or {}).values())))
    kept = 1 - FAULTS_TAKE * (1 - faultless)
    return round(100 * kept * _share(similarity, SIMILARITY_AT_0, SIMILARITY_AT_100))


def _share(value: float, low: float, high: float) -> float:
    return float(np.clip((value - low) / (high - low), 0, 1))
