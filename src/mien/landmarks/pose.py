"""Head pose: which way a face looks, from its mesh.

The mesh's rigid points are brought to a fixed model of a head by the rotation and scale that fit
best. Source of the model, its points and their weights: the ``face_geometry`` module of MediaPipe
(canonical face model; the same data is in ``face_landmarker.task``); of the fit: Umeyama,
"Least-squares estimation of transformation parameters between two point patterns", IEEE TPAMI
13(4), 1991.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.landmarks.mediapipe478 import FaceMesh

__all__ = ["head_pose"]

# Points of the mesh, image-left and its mirror (the same one on the middle line); where the left
# one is in the model, centimetres, x to the image's right, y up, z to the camera; weight.
_MODEL = (
    (4, 4, 0.000, -0.463, 7.587, 0.0709),
    (6, 6, 0.000, 2.473, 5.789, 0.0321),
    (10, 10, 0.000, 8.262, 4.482, 0.0084),
    (33, 263, -4.446, 2.664, 3.173, 0.0587),
    (54, 284, -6.279, 6.615, 1.426, 0.0077),
    (67, 297, -3.524, 8.006, 3.729, 0.0091),
    (117, 346, -5.259, 0.946, 2.974, 0.0098),
    (119, 348, -3.301, 0.862, 3.873, 0.0146),
    (121, 350, -1.821, 1.468, 4.224, 0.0186),
    (127, 356, -7.743, 2.365, -2.005, 0.0052),
    (129, 358, -1.786, -0.978, 4.850, 0.1206),
    (132, 361, -7.271, -2.891, -2.252, 0.0056),
    (133, 362, -1.856, 2.585, 3.758, 0.0533),
    (136, 365, -5.085, -7.179, 0.715, 0.0669),
    (143, 372, -6.408, 2.236, 1.561, 0.0148),
    (147, 376, -6.235, -1.944, 1.664, 0.0143),
    (198, 420, -1.247, 0.230, 5.681, 0.0255),
    (205, 425, -3.833, -1.537, 4.138, 0.0473),
)
_LEFT, _RIGHT = (np.array([row[k] for row in _MODEL], int) for k in (0, 1))
_PLACE = np.array([row[2:5] for row in _MODEL], np.float64)
_PAIRED = _LEFT != _RIGHT
POINTS = np.concatenate([_LEFT, _RIGHT[_PAIRED]])
MODEL = np.concatenate([_PLACE, _PLACE[_PAIRED] * (-1, 1, 1)])
_HALF = np.array([row[5] for row in _MODEL], np.float64)
WEIGHT = np.concatenate([_HALF, _HALF[_PAIRED]]) / (_HALF.sum() + _HALF[_PAIRED].sum())


def head_pose(mesh: FaceMesh) -> NDArray[np.float32]:
    """Yaw, pitch and roll of each face.

    Signs are those of ISO/IEC 19794-5, from the subject's own view:

    - yaw: positive when the face looks to its own left, which is the image's right;
    - pitch: positive when it looks down;
    - roll: positive when the head is tilted to its own right shoulder (anticlockwise in the image).

    A mirrored photo changes the signs of yaw and roll. The head is turned by roll first, then by
    pitch, then by yaw.

    Returns:
        ``(n, 3)`` float32 degrees: yaw and roll from -180 to 180, pitch from -90 to 90.
    """
    angles = [_angles(_rotation(points)) for points in mesh.points[:, POINTS]]
    return np.array(angles, np.float32).reshape(-1, 3)


def _rotation(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """``(3, 3)``: from the model's axes to the camera's (x right, y up, z to the camera)."""
    found = points.astype(np.float64) * (1, -1, -1)
    found -= WEIGHT @ found
    model = MODEL - WEIGHT @ MODEL
    left, _, right = np.linalg.svd((model * WEIGHT[:, None]).T @ found)
    sign = np.sign(np.linalg.det(left @ right))
    return np.asarray((left * (1, 1, sign) @ right).T)


def _angles(rotation: NDArray[np.float64]) -> tuple[float, float, float]:
    forward = rotation[:, 2]
    yaw = np.arctan2(forward[0], forward[2])
    pitch = -np.arcsin(np.clip(forward[1], -1, 1))
    roll = np.arctan2(rotation[1, 0], rotation[1, 1])
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))
