"""Optics: what screen, paper and light do to the pixels that the camera sees.

Patterns are sampled point by point at the camera's pixels, so they alias as they do in a camera.
"""

from __future__ import annotations

import cv2
import numpy as np

from mien.train.attacks.surface import Floats, Random

__all__ = ["glare", "halftone", "on_paper", "on_screen", "pixel_grid", "positions"]


def positions(matrix: Floats, size_hw: tuple[int, int]) -> tuple[Floats, Floats]:
    """Where on the surface each pixel of the camera lies: two arrays ``(h, w)``."""
    back = np.linalg.inv(matrix)
    y, x = np.mgrid[: size_hw[0], : size_hw[1]].astype(np.float32)
    u, v, w = (np.float32(row[0]) * x + np.float32(row[1]) * y + np.float32(row[2]) for row in back)
    return u / w, v / w


def pixel_grid(at: tuple[Floats, Floats], random: Random) -> Floats:
    """Stripes of red, green and blue with gaps between rows; ``(h, w, 3)``, about 1."""
    pitch = np.float32(2 * np.pi / random.uniform(0.7, 2.6))  # of the surface's pixels
    depth = random.uniform(0.02, 0.35)
    rows = 1 + random.uniform(0.3, 1) * depth * np.cos(at[1] * pitch)
    stripes = [1 + depth * np.cos(at[0] * pitch + np.float32(shift)) for shift in (0, 2.094, 4.189)]
    return np.asarray(np.stack(stripes, axis=-1) * rows[..., None], np.float32)


def halftone(at: tuple[Floats, Floats], random: Random) -> Floats:
    """Dots of three inks, each turned by an angle of its own; ``(h, w, 3)``, about 0."""
    pitch = np.float32(2 * np.pi / random.uniform(1.5, 6))
    depth = random.uniform(0.01, 0.1)
    dots = []
    for angle in (0.26, 1.31, 0.0):
        c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        across, down = at[0] * c + at[1] * s, at[1] * c - at[0] * s
        dots.append(depth * np.cos(across * pitch) * np.cos(down * pitch))
    return np.asarray(np.stack(dots, axis=-1), np.float32)


def on_screen(seen: Floats, random: Random) -> Floats:
    """A screen's tone: gamma, brightness, a colour cast, and black that is lit."""
    cast = random.uniform([0.88, 0.93, 0.9], [1.06, 1.05, 1.15])
    lit = np.maximum(seen, 0) ** np.float32(random.uniform(0.75, 1.25))
    black = random.uniform(0, 0.08)
    return np.asarray((black + lit * (1 - black)) * random.uniform(0.85, 1.2) * cast, np.float32)


def on_paper(seen: Floats, random: Random) -> Floats:
    """A print's tone: ink is not black, paper not white, colours are fewer."""
    grey = seen.mean(axis=2, keepdims=True)
    fewer = random.uniform(0.55, 1.0) if random.random() < 0.9 else 0.0
    black = random.uniform(0.02, 0.2)
    paper = random.uniform([0.86, 0.84, 0.78], [1.0, 1.0, 1.0])
    span = random.uniform(0.65, 0.95)
    return np.asarray((black + (grey + (seen - grey) * fewer) * span) * paper, np.float32)


def glare(size_hw: tuple[int, int], random: Random, *, strength: float) -> Floats:
    """Light that is reflected: soft spots, a band, a veil over all; ``(h, w, 1)``, to be added."""
    high, wide = size_hw
    y, x = np.mgrid[:high, :wide].astype(np.float32)
    light = np.full(size_hw, random.uniform(0, 0.1) * strength, np.float32)
    for _ in range(int(random.integers(0, 3))):
        cx, cy = random.uniform(0, wide), random.uniform(0, high)
        radius = random.uniform(0.05, 0.35) * high
        away = ((x - cx) ** 2 + (y - cy) ** 2) / np.float32(radius**2)
        light += np.float32(random.uniform(0.1, 0.8) * strength) * np.exp(-away)
    if random.random() < 0.25:  # a window, or a lamp
        angle = random.uniform(0, np.pi)
        along = (x - wide / 2) * np.cos(angle) + (y - high / 2) * np.sin(angle)
        edge = np.abs(along / high - random.uniform(-0.4, 0.4)) < random.uniform(0.02, 0.15)
        soft = cv2.GaussianBlur(edge.astype(np.float32), (0, 0), random.uniform(1, 8))
        light += np.float32(random.uniform(0.05, 0.4) * strength) * soft
    return light[..., None]
