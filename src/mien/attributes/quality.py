"""Image quality: is this face fit for recognition, and if not, why?

Seven measures (size, sharpness, light, highlights, contrast, frontality, completeness), each 1
where nothing is lost and 0 where recognition fails, are the reasons; how their ends were found is
in docs/reference/attributes.md. Beside them stand components in the terms of ISO/IEC 29794-5
(``mien.attributes.quality_components``). The score is ``mien.attributes.quality_score``'s.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.analysis import Quality, QualityReason
from mien.attributes.face_mesh import MeshReader
from mien.attributes.faults import grey_face
from mien.attributes.occlusion import OcclusionModel
from mien.attributes.protocol import FaceView
from mien.attributes.quality_components import REASONS, face_components, picture_components
from mien.attributes.quality_score import quality_score
from mien.models import ModelStore

__all__ = ["ImageQuality"]

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
    """The quality of one face's image; see the module.

    Args:
        reader, occlusion: for the components that need landmarks; None: without those.
    """

    name = "quality"

    def __init__(
        self, reader: MeshReader | None = None, occlusion: OcclusionModel | None = None
    ) -> None:
        self._reader = reader
        self._occlusion = occlusion

    @classmethod
    def load(cls, models: ModelStore) -> ImageQuality:
        """Fetch the weights of the landmark models and of the mask net, and open them."""
        return cls(MeshReader.load(models), OcclusionModel.load(models))

    def measure(self, view: FaceView) -> Quality:
        """Score, reasons and components of one face."""
        return self.assess(view)

    def assess(self, view: FaceView, *, more: Mapping[str, int] | None = None) -> Quality:
        """As :meth:`measure`, with components that were found out elsewhere.

        Args:
            view: the face.
            more: further components, 0 to 100, such as ``{"recognition": 43}`` from the norm of
                the face's embedding; they stand beside the others.
        """
        measures = {name: _ramp(name, value) for name, value in _measured(view).items()}
        components = picture_components(view)
        if self._reader is not None and self._occlusion is not None:
            components |= face_components(view, self._reader, self._occlusion)
        components |= more or {}
        score = quality_score(view.face.score, components, measures=measures)
        return Quality(score, _reasons(measures, components), measures, components)


def _reasons(
    measures: Mapping[str, float], components: Mapping[str, int]
) -> tuple[QualityReason, ...]:
    """What lowers the score, worst first, then which components are low, worst first."""
    lowering = sorted((value, RAMPS[name][0]) for name, value in measures.items())
    low = sorted(
        (components[name], reason)
        for name, (reason, least) in REASONS.items()
        if components.get(name, 100) < least
    )
    return (*(reason for value, reason in lowering if value < WORST_REPORTED), *(r for _, r in low))


def _ramp(name: str, value: float) -> float:
    _, zero, one = RAMPS[name]
    return float(np.clip((value - zero) / (one - zero), 0, 1))


def _measured(view: FaceView) -> dict[str, float]:
    box = view.face.box
    middle = grey_face(view)
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
