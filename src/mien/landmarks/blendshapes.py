"""MediaPipe's blendshapes: how far 52 movements of the face go, from the face mesh.

Source: Grishchenko et al., "Blendshapes GHUM: Real-time Monocular Facial Blendshape Prediction",
2023, https://arxiv.org/abs/2309.05782; reference implementation: ``face_landmarker`` of
MediaPipe Tasks, whose choice of points is used here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.errors import InvalidArgument
from mien.landmarks.mediapipe478 import FaceMesh
from mien.models import ModelCard, ModelStore, Session
from mien.spelling import no_such

__all__ = ["MOVEMENTS", "Blendshapes", "Movements"]

Floats = NDArray[np.float32]

_POINTS = """
0 1 4 5 6 7 8 10 13 14 17 21 33 37 39 40 46 52 53 54 55 58 61 63 65 66 67 70 78 80 81 82 84 87 88
91 93 95 103 105 107 109 127 132 133 136 144 145 146 148 149 150 152 153 154 155 157 158 159 160
161 162 163 168 172 173 176 178 181 185 191 195 197 234 246 249 251 263 267 269 270 276 282 283 284
285 288 291 293 295 296 297 300 308 310 311 312 314 317 318 321 323 324 332 334 336 338 356 361 362
365 373 374 375 377 378 379 380 381 382 384 385 386 387 388 389 390 397 398 400 402 405 409 415 454
466 468 469 470 471 472 473 474 475 476 477
"""
POINTS = np.array(_POINTS.split(), int)
OUTER_CORNERS = (33, 263)

_NAMES = """
_neutral browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff
cheekSquintLeft cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight
eyeLookInLeft eyeLookInRight eyeLookOutLeft eyeLookOutRight eyeLookUpLeft eyeLookUpRight
eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight jawForward jawLeft jawOpen jawRight
mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft mouthFrownRight mouthFunnel mouthLeft
mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker mouthRight
mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft mouthSmileRight
mouthStretchLeft mouthStretchRight mouthUpperUpLeft mouthUpperUpRight noseSneerLeft noseSneerRight
"""
MOVEMENTS: tuple[str, ...] = tuple(_NAMES.split())
"""Names of the movements, in the net's order. Left and right are the subject's own."""


@dataclass(frozen=True, slots=True, eq=False)
class Movements:
    """What the faces of n people do.

    Attributes:
        score: ``(n, 52)`` float32, 0 (not at all) to 1 (as far as it goes), by :data:`MOVEMENTS`.
    """

    score: Floats

    def __len__(self) -> int:
        return len(self.score)

    def __getitem__(self, name: str) -> Floats:
        """``(n,)``: one movement by its name.

        Raises:
            InvalidArgument: no movement of that name.
        """
        if name not in MOVEMENTS:
            raise InvalidArgument(no_such("movement", name, MOVEMENTS))
        return self.score[:, MOVEMENTS.index(name)]

    @property
    def smile(self) -> Floats:
        """``(n,)``: the mean of both mouth corners going up."""
        corners = [self["mouthSmileLeft"], self["mouthSmileRight"]]
        return np.asarray(np.mean(corners, axis=0), np.float32)

    @property
    def mouth_open(self) -> Floats:
        """``(n,)``: the jaw going down."""
        return self["jawOpen"]

    @property
    def eyes_closed(self) -> Floats:
        """``(n, 2)``: the subject's left and right lid going down."""
        return np.stack([self["eyeBlinkLeft"], self["eyeBlinkRight"]], axis=1)


class Blendshapes:
    """From face meshes to movements.

    Args:
        session: input ``(1, 146, 2)`` pixels; it takes off position and size by itself.

    Example:
        >>> movements = Blendshapes(session).of(mesh)        # doctest: +SKIP
        >>> movements.smile                                  # doctest: +SKIP
        array([0.87], dtype=float32)
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._input = session.input_names[0]

    @classmethod
    def load(cls, card: ModelCard, models: ModelStore) -> Blendshapes:
        """Fetch the weights, if need be, and open them."""
        return cls(models.open(card, streams=models.settings.thread_budget))

    def of(self, mesh: FaceMesh) -> Movements:
        """The movements of each face, turned upright (MediaPipe takes it as it lies)."""
        rows = [self._one(_upright(points)[POINTS]) for points in mesh.points[..., :2]]
        return Movements(np.array(rows, np.float32).reshape(-1, len(MOVEMENTS)))

    def _one(self, points: Floats) -> Floats:
        outputs = self._session.run({self._input: np.ascontiguousarray(points[None])})
        return outputs[self._session.output_names[0]].ravel()


def _upright(points: Floats) -> Floats:
    """``(478, 2)`` turned so that the line through the eyes' outer corners is level."""
    x, y = points[OUTER_CORNERS[1]] - points[OUTER_CORNERS[0]]
    length = max(float(np.hypot(x, y)), float(np.finfo(np.float32).tiny))
    cosine, sine = x / length, y / length
    return points @ np.array([[cosine, -sine], [sine, cosine]], np.float32)
