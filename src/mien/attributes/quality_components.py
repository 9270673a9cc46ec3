"""Components of a face image's quality, 0 to 100 each, in the terms of ISO/IEC 29794-5:2025.

Where a formula is OFIQ's (the standard's reference implementation, BSI-OFIQ/OFIQ-Project,
``OFIQlib/modules/measures``), its line says so; but OFIQ takes them from other landmarks and over a
segmented face, so that the numbers are close in meaning and not equal. All others are Mien's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.analysis import QualityReason
from mien.attributes.face_mesh import MeshReader
from mien.attributes.faults import Blur, Noise, grey_face
from mien.attributes.movements import EYE, MOUTH, lip_gap
from mien.attributes.occlusion import OcclusionModel
from mien.attributes.protocol import FaceView
from mien.landmarks.pose import head_pose

__all__ = ["REASONS", "face_components", "picture_components"]

Grey = NDArray[np.uint8]
OUTER_CORNERS, INNER_CORNERS, CHIN = (33, 263), (133, 362), 152

REASONS: Mapping[str, tuple[QualityReason, int]] = {
    "eyes_open": ("eyes_closed", 50),
    "mouth_closed": ("mouth_open", 50),
    "eyes_visible": ("eyes_covered", 50),
    "mouth_visible": ("mouth_covered", 50),
    "forehead_visible": ("forehead_covered", 50),
    "noise_prevention": ("noisy", 50),
    "illumination_uniformity": ("uneven_light", 50),
}
"""The reason that is given where a component is below the number beside it."""


@dataclass(frozen=True, slots=True)
class _Sigmoid:
    """``100 / (1 + exp((middle - x) / width))``."""

    middle: float
    width: float

    def __call__(self, x: float) -> float:
        return float(100 / (1 + np.exp(np.clip((self.middle - x) / self.width, -50, 50))))


EYE_DISTANCE = _Sigmoid(70.0, 20.0)  # pixels; OFIQ
DARK, BRIGHT = _Sigmoid(0.2, 0.05), _Sigmoid(0.8, 0.05)  # mean luminance; OFIQ
HEAD = _Sigmoid(0.0, 0.05)  # OFIQ: of the distance from 0.45, upside down and twice as high


def picture_components(view: FaceView) -> dict[str, int]:
    """What can be said without landmarks."""
    grey = grey_face(view)
    mean = float(grey.mean()) / 255
    found = {
        "sharpness": 100 * (1 - Blur().measure(view).value),
        "noise_prevention": 100 * (1 - Noise().measure(view).value),
        "luminance_mean": DARK(mean) * (100 - BRIGHT(mean)) / 100,  # OFIQ
        "under_exposure_prevention": 100 * (1 - 2 * float((grey <= 25).mean())),
        "over_exposure_prevention": 1 / (float((grey >= 247).mean()) + 0.01),  # OFIQ
        "dynamic_range": 12.5 * _entropy(grey),  # OFIQ
        "illumination_uniformity": 100 * _overlap(grey) ** 0.3,  # OFIQ, with 32 bins
    }
    return _rounded(found)


def face_components(
    view: FaceView, reader: MeshReader, occlusion: OcclusionModel
) -> dict[str, int]:
    """What the mesh, the movements and the occlusion of the face say."""
    mesh = reader.mesh(view)
    points = mesh.points[0, :, :2] / np.float32(view.scale)
    yaw, pitch, roll = (np.cos(np.radians(float(angle))) for angle in head_pose(mesh)[0])
    eyes = [points[[a, b]].mean(axis=0) for a, b in zip(OUTER_CORNERS, INNER_CORNERS, strict=True)]
    apart = float(np.linalg.norm(eyes[0] - eyes[1])) / max(float(abs(yaw)), 0.2)
    head = float(np.linalg.norm((eyes[0] + eyes[1]) / 2 - points[CHIN]))
    height = view.image.shape[0] / view.scale
    closed = reader.movements(view).eyes_closed[0]
    covered = occlusion.measure(view)
    found = {
        "inter_eye_distance": EYE_DISTANCE(apart),  # OFIQ
        "head_size": 2 * (100 - HEAD(abs(head / height - 0.45))),  # OFIQ
        "head_pose_yaw": 100 * max(yaw, 0) ** 2,  # OFIQ
        "head_pose_pitch": 100 * max(pitch, 0) ** 2,  # OFIQ
        "head_pose_roll": 100 * max(roll, 0) ** 2,  # OFIQ
        "eyes_open": 100 * min(EYE(float(one)).score for one in closed),
        "mouth_closed": 100 * (1 - MOUTH(lip_gap(mesh)).score),
        "eyes_visible": 100 * (1 - covered.eyes.score),
        "mouth_visible": 100 * (1 - covered.mouth.score),
        "forehead_visible": 100 * (1 - covered.forehead.score),
    }
    return _rounded(found)


def _rounded(found: Mapping[str, float]) -> dict[str, int]:
    return {name: round(float(np.clip(value, 0, 100))) for name, value in found.items()}


def _entropy(grey: Grey) -> float:
    """Bits a pixel."""
    share = np.bincount(grey.ravel(), minlength=256) / grey.size
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum())


def _overlap(grey: Grey) -> float:
    """How much the brightness of the left and the right half have in common, 0..1."""
    half = grey.shape[1] // 2
    left, right = (
        np.bincount(side.ravel() // 8, minlength=32) / side.size
        for side in (grey[:, :half], grey[:, -half:])
    )
    return float(np.minimum(left, right).sum())
