"""Drawn people who do what a challenge asks: the logic can be tested without weights.

What a drawn head does is written into the photo's first pixels, in bars that noise and JPEG leave
readable; :class:`DrawnMesh` reads it and answers as MediaPipe's nets would.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.attributes.face_mesh import MeshReader
from mien.attributes.protocol import FaceView
from mien.landmarks.blendshapes import MOVEMENTS, Movements
from mien.landmarks.mediapipe478 import FaceMesh
from mien.landmarks.pose import MODEL, POINTS
from mien.testing.animation import Gesture, camera_noise, gestures
from mien.testing.faces import drawn_photo
from mien.types import RGB

__all__ = ["DrawnMesh", "challenge_frames", "drawn_gesture"]

BAR = 16
SIZE_HW = (240, 320)
DEGREES = 2.0  # grey levels a degree
SHARE = 200.0  # grey levels for a whole movement


def drawn_gesture(
    identity: int,
    gesture: Gesture,
    *,
    size_hw: tuple[int, int] = SIZE_HW,
    scene: int = 225,
    flat: bool = False,
) -> RGB:
    """A photo of a drawn person who does something.

    Args:
        identity: who.
        gesture: what; also read by :class:`DrawnMesh`.
        size_hw: of the photo.
        scene: seed of the background.
        flat: the head turns as a picture does, without depth.
    """
    height, width = size_hw
    side = round(90 * gesture.zoom)
    x, y = (width - side) // 2, (height - side) // 2
    photo = drawn_photo([(identity, x, y, side)], size_hw)
    grain = np.random.default_rng(scene).integers(60, 200, (6, 8), np.uint8)
    behind = cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC)
    empty = (photo == 225).all(axis=2)
    photo[empty] = behind[empty, None]
    values = (
        128 + DEGREES * gesture.yaw,
        128 + DEGREES * gesture.pitch,
        20 + SHARE * gesture.closed,
        20 + SHARE * gesture.smile,
    )
    for number, value in enumerate(values):
        photo[:BAR, number * BAR : (number + 1) * BAR] = round(min(245.0, max(10.0, value)))
    return photo if flat else _shaded(photo, (x, y, side), gesture)


def _shaded(photo: RGB, square: tuple[int, int, int], gesture: Gesture) -> RGB:
    """The drawn face as if light fell on a round head, so that a turn is no flat picture's."""
    x, y, side = square
    if not (gesture.yaw or gesture.pitch):
        return photo
    across = np.linspace(-1, 1, side)
    light = across[None, :] * gesture.yaw + across[:, None] * gesture.pitch
    face = photo[y : y + side, x : x + side].astype(np.float64)
    inner = slice(round(side * 24 / 112), round(side * 88 / 112))
    contrast = 0.55 * (1 + np.tanh(light / 8))[inner, inner, None]
    face[inner, inner] = 128 + (face[inner, inner] - 128) * np.clip(contrast, 0.05, 1)
    photo[y : y + side, x : x + side] = np.clip(face, 0, 255).astype(np.uint8)
    return photo


def challenge_frames(
    steps: Sequence[str],
    *,
    identity: int = 1,
    frames_per_step: int = 10,
    noise: float = 2.0,
    scene: int = 225,
    seed: int = 0,
    flat: bool = False,
) -> list[RGB]:
    """Frames in which a drawn person does the steps, with a camera's noise.

    Args:
        steps: in order.
        identity: who.
        frames_per_step: of each.
        noise: grey levels; 0: every frame is as clean as no camera's is.
        scene: seed of the background.
        seed: of the noise.
        flat: the head turns as a picture does, without depth.
    """
    rng = np.random.default_rng(seed)
    wanted = gestures(steps, frames_per_step=frames_per_step)
    drawn = (drawn_gesture(identity, gesture, scene=scene, flat=flat) for gesture in wanted)
    return [camera_noise(one, rng, sigma=noise) if noise else one for one in drawn]


class DrawnMesh(MeshReader):
    """A :class:`~mien.attributes.face_mesh.MeshReader` that reads drawn photos."""

    def __init__(self) -> None:
        spread = np.random.default_rng(0).normal(size=(478, 3))
        spread /= np.linalg.norm(spread, axis=1, keepdims=True)
        spread *= (7.0, 9.0, 5.0)
        spread[POINTS] = MODEL
        self._model = spread * (1, -1, -1)  # to the image's axes

    def mesh(self, view: FaceView) -> FaceMesh:
        """A head turned as the photo says, as large as the face's box."""
        yaw, pitch, _, _ = _read(view.image)
        box = view.face.box
        middle = np.array([(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, 0])
        turned = self._model @ _turn(yaw, pitch).T * (box.width / 18) + middle
        return FaceMesh(turned[None].astype(np.float32), np.ones(1, np.float32))

    def movements(self, view: FaceView) -> Movements:
        """Lids and corners of the mouth as the photo says."""
        _, _, closed, smile = _read(view.image)
        score = np.zeros((1, len(MOVEMENTS)), np.float32)
        for name in ("eyeBlinkLeft", "eyeBlinkRight"):
            score[0, MOVEMENTS.index(name)] = closed
        for name in ("mouthSmileLeft", "mouthSmileRight"):
            score[0, MOVEMENTS.index(name)] = smile
        return Movements(score)


def _read(image: RGB) -> tuple[float, float, float, float]:
    bars = [float(image[2 : BAR - 2, n * BAR + 2 : (n + 1) * BAR - 2].mean()) for n in range(4)]
    return (
        (bars[0] - 128) / DEGREES,
        (bars[1] - 128) / DEGREES,
        float(np.clip((bars[2] - 20) / SHARE, 0, 1)),
        float(np.clip((bars[3] - 20) / SHARE, 0, 1)),
    )


def _turn(yaw: float, pitch: float) -> NDArray[np.float64]:
    """Image axes: x right, y down, z away; yaw to the image's right, pitch down."""
    a, b = np.radians(yaw), np.radians(pitch)
    about_y = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    turned: NDArray[np.float64] = about_y @ about_x
    return turned
