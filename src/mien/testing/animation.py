"""One photo, animated: a head that turns, nods, blinks and comes closer, out of a single picture.

The mesh with its depth is turned in space, or its lids are closed, and the picture follows it,
triangle by triangle. That is what an attacker with one photo can do, so a sequence like this *is*
an attack; with noise like a camera's it is also the nearest to a real sequence that can be made
without filming anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator

from mien.types import RGB

__all__ = ["Gesture", "animate", "camera_noise", "gestures"]

COARSE = 4
MESH = 468  # points of the mesh without the irises, which do not follow a lid
LIDS = (
    ((246, 161, 160, 159, 158, 157, 173), (7, 163, 144, 145, 153, 154, 155)),
    ((466, 388, 387, 386, 385, 384, 398), (249, 390, 373, 374, 380, 381, 382)),
)
CHEEKS = (50, 101, 118, 280, 330, 347)
MOUTH_CORNERS = (61, 291)


@dataclass(frozen=True, slots=True)
class Gesture:
    """What the head does in one frame.

    Attributes:
        yaw, pitch: degrees, signs as :func:`mien.landmarks.pose.head_pose`.
        closed: how far the lids are closed, 0..1.
        smile: how far the corners of the mouth are drawn up, 0..1.
        zoom: how much larger everything is.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    closed: float = 0.0
    smile: float = 0.0
    zoom: float = 1.0


def gestures(
    steps: Sequence[str], *, frames_per_step: int = 12, degrees: float = 26.0
) -> list[Gesture]:
    """Frames in which the steps of a challenge are done, one after the other.

    Example:
        >>> len(gestures(["blink", "turn_left"], frames_per_step=10))
        23
    """
    done = [Gesture()] * 3
    wave = np.sin(np.linspace(0, np.pi, frames_per_step)) ** 2
    for step in steps:
        for share in (float(value) for value in wave):
            made = {
                "turn_left": Gesture(yaw=degrees * share),
                "turn_right": Gesture(yaw=-degrees * share),
                "nod": Gesture(pitch=degrees * share),
                "blink": Gesture(closed=share),
                "smile": Gesture(smile=share),
                "move_closer": Gesture(zoom=1 + 0.5 * share),
            }
            done.append(made[step])
    return done


def camera_noise(image: RGB, rng: np.random.Generator, *, sigma: float = 2.0) -> RGB:
    """The picture with the noise of a sensor: of its own in every frame, ``sigma`` grey levels."""
    noise = rng.normal(0, sigma, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def animate(
    image: RGB, points: NDArray[np.float32], wanted: Sequence[Gesture], *, flat: bool = False
) -> list[RGB]:
    """Frames in which the face of a photo does what it is told to.

    Args:
        image: RGB ``(height, width, 3)`` uint8.
        points: ``(478, 3)`` of the face, pixels, as :class:`mien.landmarks.mediapipe478.FaceMesh`.
        wanted: one a frame.
        flat: turn the whole photo, as a sheet of paper is turned, in place of the head.
    """
    if flat:
        return [_turned_sheet(image, points, one) for one in wanted]
    return [_warped(image, points.astype(np.float64), one) for one in wanted]


def _rotation(gesture: Gesture) -> NDArray[np.float64]:
    """In the image's axes: x right, y down, z away from the camera."""
    yaw, pitch = np.radians(gesture.yaw), np.radians(gesture.pitch)
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    turned: NDArray[np.float64] = about_y @ about_x
    return turned


def _moved(points: NDArray[np.float64], gesture: Gesture) -> NDArray[np.float64]:
    moved = points.copy()
    if gesture.smile:
        left, right = points[MOUTH_CORNERS[0]], points[MOUTH_CORNERS[1]]
        width = np.linalg.norm(right - left)
        for corner, side in ((left, -1), (right, 1)):
            away = np.linalg.norm(points - corner, axis=1) / (0.35 * width)
            pull = np.exp(-(away**2))[:, None]
            moved += gesture.smile * pull * width * np.array([side * 0.14, -0.13, 0])
    centre = points.mean(axis=0)
    return np.asarray((moved - centre) @ _rotation(gesture).T + centre, np.float64)


def _blinking(image: RGB, points: NDArray[np.float64], closed: float) -> RGB:
    """The lids painted over the eyes, of the cheeks' colour, with a line of lashes."""
    made = image.copy()
    x, y = np.rint(points[list(CHEEKS), :2]).astype(int).T
    cheek = image[y.clip(0, image.shape[0] - 1), x.clip(0, image.shape[1] - 1)]
    skin = 0.9 * np.median(cheek, axis=0)
    for upper, lower in LIDS:
        top, bottom = points[list(upper), :2], points[list(lower), :2]
        lid = top + closed * (bottom - top)
        height = max(2.0, float(np.linalg.norm(bottom - top, axis=1).max()))
        rim = top - (0, 0.3 * height)
        cover = np.rint(np.concatenate([rim, lid[::-1]])).astype(np.int32)
        mask = cv2.fillPoly(np.zeros(image.shape[:2], np.float32), [cover], 1.0)
        mask = cv2.GaussianBlur(mask, (0, 0), 0.08 * height + 0.3)[..., None]
        made = (made * (1 - mask) + skin * mask).astype(np.uint8)
        lashes = tuple(float(value) for value in 0.35 * skin)
        line = [np.rint(lid).astype(np.int32)]
        cv2.polylines(made, line, False, lashes, max(1, round(0.12 * height)), cv2.LINE_AA)
    return made


def _warped(image: RGB, points: NDArray[np.float64], gesture: Gesture) -> RGB:
    height, width = image.shape[:2]
    if gesture.closed:
        image = _blinking(image, points, gesture.closed)
    moved = _moved(points, gesture)[:MESH, :2]
    points = points[:MESH, :2]
    span, centre = np.ptp(points, axis=0).max(), points.mean(axis=0)
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = centre + 1.1 * span * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    source, target = np.concatenate([points, ring]), np.concatenate([moved, ring])
    seen = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float64)
    seen = centre + (seen - centre) / gesture.zoom
    if np.abs(source - target).max() > 0:
        x0, y0 = np.floor(ring.min(axis=0)).astype(int)
        xs = np.arange(x0, ring[:, 0].max() + COARSE, COARSE)
        ys = np.arange(y0, ring[:, 1].max() + COARSE, COARSE)
        grid = np.stack(np.meshgrid(xs, ys), axis=-1)
        shift_at = LinearNDInterpolator(target, source - target, fill_value=0.0)
        place = ((seen - (x0, y0)) / COARSE).astype(np.float32)
        border = cv2.BORDER_CONSTANT
        across, down = cv2.split(place)
        seen += cv2.remap(shift_at(grid), across, down, cv2.INTER_LINEAR, borderMode=border)
    x, y = cv2.split(seen.astype(np.float32))
    made = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(made, np.uint8)


def _turned_sheet(image: RGB, points: NDArray[np.float32], gesture: Gesture) -> RGB:
    height, width = image.shape[:2]
    middle = np.array([width / 2, height / 2, 0])
    corners = np.array([[0, 0, 0], [width, 0, 0], [width, height, 0], [0, height, 0]], float)
    turned = (corners - middle) @ _rotation(gesture).T
    away = 2.0 * max(width, height)
    seen = turned[:, :2] * gesture.zoom * (away / (away + turned[:, 2:])) + middle[:2]
    matrix = cv2.getPerspectiveTransform(corners[:, :2].astype(np.float32), seen.astype(np.float32))
    return np.asarray(
        cv2.warpPerspective(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )
