"""Open-set identification simulated: how often is a stranger named at the chosen rate?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.evaluate.lists import FaceList
from mien.evaluate.templates import Templates
from mien.match.calibration import Calibration
from mien.match.metrics import similarity
from mien.types import Result

__all__ = ["OpenSet", "open_set"]

FPIR = 1e-2
SIZES = (50, 200)
DRAWS = 20

Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class OpenSet(Result):
    """Strangers searched in a gallery.

    Attributes:
        gallery_half: which half of the people is enrolled; the probes are of the other.
        gallery_size: enrolled faces.
        probes_from: the data set of the probes.
        probes: how many, over all random galleries of that size.
        fpir: false-positive identification rate at the default threshold of that size (1e-2
            asked for).
        extrapolated: that threshold lies below the calibration's floor.
    """

    gallery_half: int
    gallery_size: int
    probes_from: str
    probes: int
    fpir: float
    extrapolated: bool

    def to_dict(self) -> dict[str, Any]:
        """The fields by name."""
        return {
            "gallery_half": self.gallery_half,
            "gallery_size": self.gallery_size,
            "probes_from": self.probes_from,
            "probes": self.probes,
            "fpir": round(self.fpir, 6),
            "extrapolated": self.extrapolated,
        }


def open_set(
    faces: FaceList,
    templates: Templates,
    half: Index,
    calibration: Calibration,
    *,
    metric: str,
    seed: int,
) -> tuple[OpenSet, ...]:
    """Enrol one half of the people, search the other half's faces in it, and the reverse.

    Each gallery is searched whole, and in random parts of 50 and 200 faces. Nobody who is
    searched is enrolled, so every candidate is a false one.
    """
    generator = np.random.default_rng(seed)
    dataset = np.asarray(faces.dataset)
    rows: list[OpenSet] = []
    for enrolled in (0, 1):
        gallery = np.flatnonzero((half == enrolled) & templates.found)
        for name in sorted(set(faces.dataset)):
            probes = np.flatnonzero((half != enrolled) & templates.found & (dataset == name))
            if len(probes) == 0:
                continue
            confidence = _confidence(templates, probes, gallery, calibration, metric)
            for size in (*(s for s in SIZES if s < len(gallery)), len(gallery)):
                draws = DRAWS if size < len(gallery) else 1
                best = [
                    confidence[:, generator.permutation(len(gallery))[:size]].max(axis=1)
                    for _ in range(draws)
                ]
                threshold = calibration.identification_threshold(FPIR, size)
                named = np.concatenate(best) >= threshold.confidence
                rows.append(
                    OpenSet(
                        enrolled + 1,
                        size,
                        name,
                        len(named),
                        float(named.mean()),
                        threshold.extrapolated,
                    )
                )
    return tuple(rows)


def _confidence(
    templates: Templates, probes: Index, gallery: Index, calibration: Calibration, metric: str
) -> NDArray[np.float64]:
    scores = similarity(templates.vector[probes], templates.vector[gallery], metric)
    norms = templates.norm
    return calibration.confidence(scores, norms[probes][:, None], norms[gallery][None, :])
