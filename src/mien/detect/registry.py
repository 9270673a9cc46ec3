"""Detectors by name."""

from __future__ import annotations

from mien.detect.landmarked import Landmarked
from mien.detect.multiscale import MultiScale, MultiScaleOptions
from mien.detect.protocol import Detector
from mien.landmarks import create as create_landmarks
from mien.models import ModelStore
from mien.models.plugins import loader, loaders

__all__ = ["create", "names"]

GROUP = "mien.detectors"


def names() -> list[str]:
    """Names of the detectors that can be chosen."""
    return list(loaders(GROUP))


def create(name: str, models: ModelStore, *, scales: MultiScaleOptions | None = None) -> Detector:
    """The detector ``name``, loaded, looking at several scales.

    A detector's attribute ``scales`` says which suit it; None: it sees all scales by itself. A
    detector without landmarks gets them from the landmark model that its card needs.

    Raises:
        UnknownModel: no detector of that name.
        ModelError: its weights cannot be had or run.
    """
    card = models.card(name, "detect")
    detector: Detector = loader(GROUP, card.name)(card, models)
    own: MultiScaleOptions | None = getattr(detector, "scales", MultiScaleOptions())
    if own is not None:
        detector = MultiScale(detector, scales or own)
    for key in card.needs:
        if key.startswith("landmarks/"):
            detector = Landmarked(detector, create_landmarks(key, models))
    return detector
