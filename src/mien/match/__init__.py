"""How alike two templates are, and what that means: metrics and calibration."""

from mien.match.calibration import Calibration, Threshold
from mien.match.metrics import METRICS, distance, paired_distance, paired_similarity, similarity

__all__ = [
    "METRICS",
    "Calibration",
    "Threshold",
    "distance",
    "paired_distance",
    "paired_similarity",
    "similarity",
]
