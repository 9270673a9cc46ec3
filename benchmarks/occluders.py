"""Things to paint over a face: what hides its eyes, its mouth or its forehead.

Everything is placed by the 478 points of the face's mesh, so that it turns with the face.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

KINDS = {
    "eyes": ("sunglasses", "solid", "sunglasses", "texture", "one", "skin"),
    "mouth": ("cloth", "solid", "texture", "skin"),
    "forehead": ("cap", "fringe", "solid", "texture", "skin"),
}

LOWER_FACE = """
234 93 132 58 172 136 150 149 176 148 152 377 400 378 379 365 397 288 361 323 454 347 195 118
"""

Floats = NDArray[np.float64]
Image = NDArray[np.uint8]


class Painter:
    """Paints occluders; the same seed paints the same.

    Args:
        textures: photos whose corners are cut out as textures.
        seed: of the choices.
    """

    def __init__(self, textures: list[Image], seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._textures = textures

    def __call__(self, image: Image, points: Floats, part: str, kind: str) -> Image:
        """``image`` with ``kind`` over ``part`` of the face of these points ``(478, 2)``."""
        makers: dict[str, Callable[..., tuple[Image, Floats]]] = {
            "sunglasses": self._sunglasses,
            "fringe": self._fringe,
        }
        if kind in makers:
            mask, paint = makers[kind](image, points)
        else:
            mask = _filled(image, self._outline(points, part, kind))
            paint = self._surface(image, points, kind)
        soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8)[..., None]
        made = np.clip(image * (1 - soft) + paint * soft, 0, 255).astype(np.uint8)
        return self._resaved(made)

    def _resaved(self, image: Image) -> Image:
        """As a camera would have saved it: a little blur over all, and JPEG."""
        if self._random.random() < 0.5:
            image = cv2.GaussianBlur(image, (0, 0), self._random.uniform(0.3, 0.9))
        quality = int(self._random.integers(70, 96))
        _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return cv2.imdecode(encoded, cv2.IMREAD_COLOR)

    def _outline(self, points: Floats, part: str, kind: str) -> Floats:
        draw = self._random.uniform
        centre, across, down, eyes = _frame(points)
        if part == "eyes" and kind == "one":
            side = self._random.choice([-1, 1])
            middle = centre + side * across * eyes * 0.32
            size = (eyes * draw(0.26, 0.34), eyes * draw(0.18, 0.26))
            return self._shape(middle, across, down, size, draw(-20, 20))
        if part == "eyes":
            size = (eyes * draw(0.62, 0.8), eyes * draw(0.2, 0.3))
            return self._shape(centre, across, down, size, draw(-8, 8))
        if part == "mouth" and kind == "cloth":
            return points[[int(i) for i in LOWER_FACE.split()]]
        if part == "mouth":
            middle = (points[13] + points[14]) / 2 + down * eyes * draw(-0.02, 0.08)
            size = (eyes * draw(0.35, 0.5), eyes * draw(0.2, 0.32))
            return self._shape(middle, across, down, size, draw(-20, 20))
        rise = points[10] - points[9]
        if kind == "cap":
            low, high = points[9] + rise * draw(0.05, 0.35), points[10] + rise * 1.2
            wide = across * eyes * draw(0.9, 1.1)
            return np.array([low - wide, low + wide, high + wide, high - wide])
        size = (eyes * draw(0.45, 0.65), float(np.linalg.norm(rise)) * draw(0.35, 0.5))
        return self._shape((points[9] + points[10]) / 2, across, down, size, draw(-10, 10))

    def _shape(
        self, centre: Floats, across: Floats, down: Floats, half: tuple[float, float], turn: float
    ) -> Floats:
        """A rectangle or an ellipse, turned by ``turn`` degrees."""
        angle = np.deg2rad(turn)
        x = (np.cos(angle) * across + np.sin(angle) * down) * half[0]
        y = (np.cos(angle) * down - np.sin(angle) * across) * half[1]
        if self._random.random() < 0.5:
            return np.array([centre - x - y, centre + x - y, centre + x + y, centre - x + y])
        turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        return centre + np.outer(np.cos(turns) * 1.15, x) + np.outer(np.sin(turns) * 1.2, y)

    def _surface(self, image: Image, points: Floats, kind: str) -> Floats:
        height, width = image.shape[:2]
        if (kind in ("texture", "one", "cap") and self._random.random() < 0.5) or kind == "texture":
            photo = self._textures[self._random.integers(len(self._textures))]
            y = 0 if self._random.random() < 0.5 else photo.shape[0] - 80
            x = 0 if self._random.random() < 0.5 else photo.shape[1] - 80
            cut = photo[max(0, y) : max(0, y) + 80, max(0, x) : max(0, x) + 80]
            return cv2.resize(cut, (width, height), interpolation=cv2.INTER_CUBIC).astype(float)
        noise = self._random.normal(0, 4, (height, width, 3))
        if kind == "skin":
            cheek = points[[50, 280, 101, 330][self._random.integers(4)]].astype(int)
            reach = max(4, int(_frame(points)[3] * 0.12))
            x, y = np.clip(cheek, 0, (width - 1, height - 1))
            cut = image[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach]
            bare = cv2.resize(cut, (width, height), interpolation=cv2.INTER_CUBIC)
            return bare * self._random.uniform(0.75, 1.15) + noise
        colour = self._random.integers(0, 256, 3).astype(float)
        shade = np.linspace(-20, 20, height)[:, None, None] * self._random.uniform(-1, 1)
        return colour + shade + noise

    def _sunglasses(self, image: Image, points: Floats) -> tuple[Image, Floats]:
        draw = self._random.uniform
        centre, across, down, eyes = _frame(points)
        mask = np.zeros(image.shape[:2], np.uint8)
        wide, high, power = draw(0.25, 0.33), draw(0.15, 0.25), self._random.choice([2, 3, 5])
        turns = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        x, y = (np.sign(f(turns)) * abs(f(turns)) ** (2 / power) for f in (np.cos, np.sin))
        low = draw(-0.02, 0.08)
        for side in (-1, 1):
            middle = centre + side * across * eyes * draw(0.31, 0.34) + down * eyes * low
            mask |= _filled(
                image, middle + np.outer(x * eyes * wide, across) + np.outer(y * eyes * high, down)
            )
        ends = [
            tuple(np.round(centre + s * across * eyes * 0.62).astype(int).tolist()) for s in (-1, 1)
        ]
        cv2.line(mask, ends[0], ends[1], 1, max(1, int(eyes * draw(0.02, 0.06))))
        glass = self._random.integers(5, 75, 3) + np.linspace(-20, 30, len(image))[:, None, None]
        glass = glass + image * draw(0, 0.25)
        if self._random.random() < 0.6:  # what the glass mirrors
            glass = glass + self._surface(image, points, "texture") * draw(0.1, 0.5)
        return mask, glass

    def _fringe(self, image: Image, points: Floats) -> tuple[Image, Floats]:
        draw = self._random.uniform
        _, across, _, eyes = _frame(points)
        rise = points[10] - points[9]
        hair = np.array([18.0, 22.0, 30.0]) * draw(0.3, 1)
        if self._random.random() < 0.35:
            hair = hair + np.array([45.0, 80.0, 110.0])
        mask, paint = np.zeros(image.shape[:2], np.uint8), np.full(image.shape, hair)
        thick = max(1, int(eyes * 0.03))
        for _ in range(160):
            root = points[10] + rise * 0.35 + across * eyes * draw(-0.75, 0.75)
            tip = points[9] + rise * draw(0, 0.35) + across * eyes * draw(-0.7, 0.7)
            tip = (tip + root - rise * 1.3) / 2
            ends = [tuple(p.astype(int).tolist()) for p in (root, tip)]
            cv2.line(mask, *ends, 1, thick)
            cv2.line(paint, *ends, (hair * draw(0.5, 1.7)).tolist(), thick)
        return mask, paint


def _frame(points: Floats) -> tuple[Floats, Floats, Floats, float]:
    """Between the eyes' outer corners: the middle, right, down, and their distance."""
    left, right = points[33], points[263]
    distance = max(float(np.linalg.norm(right - left)), 1.0)
    across = (right - left) / distance
    return (left + right) / 2, across, np.array([-across[1], across[0]]), distance


def _filled(image: Image, outline: Floats) -> Image:
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 1)
    return mask
