"""Camera: what any photo goes through, of a live face as of an attack."""

from __future__ import annotations

import cv2
import numpy as np

from mien.train.attacks.surface import Floats, Random
from mien.types import RGB

__all__ = ["corners", "develop", "shaded"]


def corners(
    thing_hw: tuple[int, int], size_hw: tuple[int, int], random: Random, *, share: float
) -> Floats:
    """Where the four corners of a thing come to lie: turned, shifted, in perspective.

    Args:
        thing_hw: height and width of the thing.
        size_hw: of the picture.
        random: turn, shift and perspective.
        share: of the picture's height or width that it fills; above 1 it is cut.

    Returns:
        ``(4, 2)`` from the upper left, clockwise.
    """
    scale = share * min(size_hw[0] / thing_hw[0], size_hw[1] / thing_hw[1])
    half = np.array([thing_hw[1], thing_hw[0]], np.float32) * scale / 2
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32) * half
    angle = np.deg2rad(np.clip(random.normal(0, 5), -15, 15))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    free = np.maximum(0.03, (1 - share) / 2)
    shift = random.uniform(-free, free, 2) * np.array(size_hw[::-1])
    skew = random.normal(0, 0.025, (4, 2)) * half.max()
    return np.asarray(square @ turn + skew + shift + np.array(size_hw[::-1]) / 2, np.float32)


def shaded(seen: Floats, random: Random) -> Floats:
    """Light from one side."""
    high, wide = seen.shape[:2]
    slope = random.uniform(-0.18, 0.18, 2)
    y = np.linspace(-slope[0], slope[0], high, dtype=np.float32)[:, None]
    x = np.linspace(-slope[1], slope[1], wide, dtype=np.float32)[None]
    return np.asarray(seen * (1 + x + y)[..., None], np.float32)


def develop(seen: Floats, random: Random, *, gentle: float = 1.0) -> RGB:
    """Exposure, white balance, blur, noise, and JPEG.

    Args:
        seen: ``(h, w, 3)``, 0..1.
        random: how much of each.
        gentle: less than 1 leaves more as it is.
    """
    exposure = np.exp(random.normal(0, 0.16 * gentle))
    balance = np.exp(random.normal(0, 0.04 * gentle, 3))
    out = seen * np.asarray(exposure * balance, np.float32)
    out = np.maximum(out, 0) ** np.float32(np.exp(random.normal(0, 0.12 * gentle)))
    if random.random() < 0.6:
        spread = random.exponential(0.7) * gentle * max(seen.shape[:2]) / 400
        out = cv2.GaussianBlur(out, (0, 0), min(3.5, max(0.25, spread)))
    if random.random() < 0.15 * gentle:  # the hand shook
        out = cv2.filter2D(out, -1, _streak(random))
    if random.random() < 0.7:
        noise = random.standard_normal((*out.shape[:2], 1), np.float32) * random.uniform(0, 0.025)
        tint = random.standard_normal(out.shape, np.float32) * random.uniform(0, 0.015)
        out = out + (noise + tint) * np.float32(gentle)
    picture = np.asarray(np.clip(out * 255, 0, 255), np.uint8)
    quality = int(np.clip(random.normal(85, 12), 35, 98))
    data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[..., ::-1])


def _streak(random: Random) -> Floats:
    """A kernel of motion: a line in some direction."""
    long = int(random.integers(3, 9))
    kernel = np.zeros((long, long), np.float32)
    angle = random.uniform(0, np.pi)
    reach = (long - 1) / 2 * np.array([np.cos(angle), np.sin(angle)])
    first, last = (np.round((long - 1) / 2 + sign * reach).astype(int) for sign in (-1, 1))
    cv2.line(kernel, (int(first[0]), int(first[1])), (int(last[0]), int(last[1])), 1.0)
    return np.asarray(kernel / kernel.sum(), np.float32)
