"""Backdrop: what stands behind an attack, beside a live face, and the hand that holds a thing."""

from __future__ import annotations

import cv2
import numpy as np

from mien.train.attacks.surface import Floats, Random
from mien.types import RGB, Box

__all__ = ["backdrop", "beside", "fingers"]


def backdrop(scene: RGB | None, size_hw: tuple[int, int], random: Random) -> Floats:
    """A part of a photo, more or less out of focus, or a wall.

    Args:
        scene: RGB uint8; None: a wall.
        size_hw: height and width wanted.
        random: which part, how much out of focus, which wall.

    Returns:
        ``(h, w, 3)``, 0..1.
    """
    if scene is None or random.random() < 0.3:
        return _wall(size_hw, random)
    high, wide = size_hw
    scale = max(high / scene.shape[0], wide / scene.shape[1]) * random.uniform(1, 1.6)
    size = (max(wide, int(scene.shape[1] * scale) + 1), max(high, int(scene.shape[0] * scale) + 1))
    large = cv2.resize(scene, size)
    y = int(random.integers(0, size[1] - high + 1))
    x = int(random.integers(0, size[0] - wide + 1))
    part = large[y : y + high, x : x + wide].astype(np.float32) / 255
    if random.random() < 0.5:
        part = part[:, ::-1]
    return np.asarray(cv2.GaussianBlur(part, (0, 0), random.uniform(0.3, 6)), np.float32)


def _wall(size_hw: tuple[int, int], random: Random) -> Floats:
    """Of one colour, lit from a side, rough; sometimes with an edge of a door or a desk."""
    high, wide = size_hw
    rough = random.uniform(0.94, 1.06, (int(random.integers(2, 9)), int(random.integers(2, 9)), 1))
    light = cv2.resize(rough.astype(np.float32), (wide, high), interpolation=cv2.INTER_CUBIC)
    wall = light[..., None] * random.uniform(0.1, 0.95) * random.uniform(0.85, 1.0, 3)
    for _ in range(int(random.integers(0, 3))):
        horizontal = random.random() < 0.5
        at = int(random.uniform(0, high if horizontal else wide))
        darker = random.uniform(0.4, 1.2)
        if horizontal:
            wall[at:] *= darker
        else:
            wall[:, at:] *= darker
    grain = random.standard_normal((high, wide, 1)) * random.uniform(0, 0.03)
    return np.asarray(np.clip(wall + grain, 0, 1), np.float32)


def fingers(seen: Floats, thing_hw: tuple[int, int], matrix: Floats, random: Random) -> Floats:
    """Two to five fingers over an edge of a thing, in the colour of some skin.

    Args:
        seen: the picture.
        thing_hw: height and width of the thing.
        matrix: from the thing to the picture.
        random: which edge, which skin, how many.
    """
    high, wide = thing_hw
    edge = int(random.integers(3))  # lower, left, right
    along = random.uniform(0.2, 0.8)
    n = int(random.integers(2, 6)) if edge else int(random.integers(1, 4))
    thick = random.uniform(0.05, 0.09) * max(high, wide)
    skin = np.array([0.85, 0.66, 0.55]) * random.uniform(0.35, 1.1)
    skin = np.clip(skin * random.uniform(0.93, 1.07, 3), 0, 1)
    out = seen.copy()
    for index in range(n):
        step = (index - n / 2) * 1.15 * thick
        reach = random.uniform(0.4, 2.2) * thick
        if edge == 0:
            tips = [(along * wide + step, high - reach), (along * wide + step, high + 6 * thick)]
        elif edge == 1:
            tips = [(reach, along * high + step), (-6 * thick, along * high + step * 1.3)]
        else:
            tips = [(wide - reach, along * high + step), (wide + 6 * thick, along * high + step)]
        ends = cv2.perspectiveTransform(
            np.array([tips], np.float32), np.asarray(matrix, np.float64)
        )[0]
        scale = float(np.linalg.norm(ends[1] - ends[0])) / (6 * thick + reach)
        width = max(2, int(thick * scale))
        finger = np.zeros(seen.shape[:2], np.float32)
        ends = np.clip(ends, -2000, 4000).astype(int)
        cv2.line(finger, tuple(map(int, ends[0])), tuple(map(int, ends[1])), 1.0, width)
        round_ = cv2.GaussianBlur(finger, (0, 0), max(0.6, width / 5))
        tone = skin * (0.65 + 0.4 * round_[..., None])
        mask = cv2.GaussianBlur(finger, (0, 0), 0.8)[..., None]
        out = out * (1 - mask) + tone * mask
    return np.asarray(out, np.float32)


def beside(photo: RGB, face: Box, scene: RGB, random: Random) -> Floats:
    """The photo with a rectangle beside the face: a screen, a framed picture, a bright pane.

    Args:
        photo: RGB uint8 of a live face.
        face: its box; nothing of the head is covered.
        scene: what the rectangle shows.
        random: where it is.

    Returns:
        ``(h, w, 3)``, 0..1.
    """
    out = photo.astype(np.float32) / 255
    high, wide = out.shape[:2]
    left, right = int(face.x0 - 0.35 * face.width), int(face.x1 + 0.35 * face.width)
    spans = [(0, left), (right, wide)]
    x0, x1 = max(spans, key=lambda span: span[1] - span[0])
    if x1 - x0 < 12:
        return out
    w = int(random.uniform(0.5, 1) * (x1 - x0))
    h = int(min(high, w * random.uniform(0.6, 2)))
    x = x0 + int(random.integers(0, x1 - x0 - w + 1))
    y = int(random.integers(0, high - h + 1))
    shown = cv2.resize(scene, (max(w, 2), max(h, 2))).astype(np.float32) / 255
    style = random.random()
    if style < 0.3:
        shown[:] = random.uniform(0.7, 1)
    edge = max(1, int(random.uniform(0.02, 0.08) * w))
    colour = [float(v) for v in np.clip(random.uniform(0, 1) + random.normal(0, 0.05, 3), 0, 1)]
    cv2.rectangle(shown, (0, 0), (w - 1, h - 1), colour, edge)
    out[y : y + h, x : x + w] = shown[:h, :w]
    return out
