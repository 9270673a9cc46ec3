"""Image quality: is this face fit for recognition, and if not, why?

Capture-related components in the terms of ISO/IEC 29794-5 (sharpness, under- and over-exposure,
contrast, inter-eye distance, pose, cropping), measured without a net. Each is 1 where nothing is
lost and falls to 0 where recognition fails; the score is 100 times their product. How the ends of
the ramps were found is in docs/reference/attributes.md.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.analysis import Quality, QualityReason
from mien.attributes.chips import box_chip
from mien.attributes.protocol import FaceView
from mien.models import ModelStore

__all__ = ["ImageQuality"]

SIDE = 160
BRIGHT = 250  # the grey value above which no detail is left
WORST_REPORTED = 0.8  # components below are given as reasons

Floats = NDArray[np.float64]

# Component -> its reason, and the values at which it is 0 and 1. Between them it rises in a line.
RAMPS: dict[str, tuple[QualityReason, float, float]] = {
    "size": ("face_too_small", 9.0, 32.0),  # short side of the box, pixels of the photo
    "sharpness": ("blurred", 0.65, 1.8),  # natural logarithm of the Laplacian's variance
    "light": ("too_dark", 4.0, 24.0),  # mean grey value
    "highlights": ("too_bright", 0.95, 0.2),  # share of blown pixels
    "contrast": ("low_contrast", 0.02, 0.075),  # deviation of the grey values / their mean
    "frontality": ("turned", 1.4, 0.55),  # the nose's shift from between the eyes
    "completeness": ("cut_off", 0.6, 0.95),  # share of the face that is inside the photo
}


class ImageQuality:
    """The quality of one face's image; see the module."""

    name = "quality"

    @classmethod
    def load(cls, models: ModelStore) -> ImageQuality:
        """Needs no weights."""
        return cls()

    def measure(self, view: FaceView) -> Quality:
        """Score, reasons and components of one face."""
        measured = _measured(view)
        components = {name: _ramp(name, value) for name, value in measured.items()}
        score = round(100 * float(np.prod(list(components.values()))))
        worst = sorted(components, key=components.__getitem__)
        reasons = tuple(RAMPS[name][0] for name in worst if components[name] < WORST_REPORTED)
        return Quality(score, reasons, components)


def _ramp(name: str, value: float) -> float:
    _, zero, one = RAMPS[name]
    return float(np.clip((value - zero) / (one - zero), 0, 1))


def _measured(view: FaceView) -> dict[str, float]:
    box = view.face.box
    grey = np.asarray(cv2.cvtColor(box_chip(view, SIDE), cv2.COLOR_RGB2GRAY))
    middle = grey[SIDE // 8 : -SIDE // 8, SIDE // 8 : -SIDE // 8]  # little hair and background
    found = {
        "size": min(box.width, box.height) / view.scale,
        "sharpness": float(np.log(max(cv2.Laplacian(middle, cv2.CV_64F).var(), 1e-6))),
        "light": float(middle.mean()),
        "highlights": float((middle > BRIGHT).mean()),
        "contrast": float(middle.std() / max(middle.mean(), 1.0)),
    }
    points = view.face.landmarks
    if points is not None:
        found["frontality"] = _nose_shift(points.astype(np.float64))
        found["completeness"] = _share_inside(points.astype(np.float64), view.image.shape)
    return found


def _nose_shift(points: Floats) -> float:
    """How far the nose is from the middle between the eyes, along them, in half eye distances."""
    axis = points[1] - points[0]
    length = float(axis @ axis)
    if length <= 0:
        return np.inf
    return abs(float((points[2] - (points[0] + points[1]) / 2) @ axis) / length * 2)


def _share_inside(points: Floats, shape: tuple[int, ...]) -> float:
    """Share of the face that lies in the photo.

    The face is taken as the upright rectangle around the five points, enlarged by their own
    spread: to the brows and hairline above, to the chin below and to the ears.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    spread = high - low
    low, high = low - spread * 0.6, high + spread * 0.5
    inside = np.clip(high, 0, shape[1::-1]) - np.clip(low, 0, shape[1::-1])
    whole = float(np.prod(high - low))
    return float(np.prod(inside)) / whole if whole > 0 else 0.0
