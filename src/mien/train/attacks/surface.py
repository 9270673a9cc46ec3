"""Surface: what an attacker holds before the camera, flat, before the camera sees it.

A photo's part around the face is put on a screen with its bezel, on a sheet with its margins, or
cut out along the head.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.train.attacks.parts import Parts
from mien.types import RGB, Box

__all__ = ["Floats", "Random", "Surface", "bent", "cut_out", "part_of", "screen", "sheet"]

Floats = NDArray[Any]
"""float32; OpenCV's types say no more than that it is an array."""
Random = np.random.Generator

LONGEST = 420
"""Pixels of the longer side of what is shown: about what a camera resolves of it."""


@dataclass(frozen=True, slots=True)
class Surface:
    """Something flat with a face on it.

    Attributes:
        pixels: ``(h, w, 3)``, 0..1.
        alpha: ``(h, w)``, 0..1: where there is something at all.
        shown: ``(h, w)``, 0..1: where the photo is, and not a bezel or a margin.
        face: box of the face in ``pixels``.
        emits: whether it is a screen.
    """

    pixels: Floats
    alpha: Floats
    shown: Floats
    face: Box
    emits: bool


def part_of(photo: RGB, face: Box, random: Random, *, zoom: tuple[float, float]) -> Surface:
    """The part of a photo around the face: ``zoom`` times as high as the face.

    Args:
        photo: RGB ``(h, w, 3)`` uint8.
        face: its box in ``photo``.
        random: where it is cut.
        zoom: least and most; less where the photo ends.
    """
    high, wide = photo.shape[:2]
    times = random.uniform(*zoom)
    ratio = random.uniform(0.62, 1.1)
    h = min(high, face.height * times)
    w = min(wide, max(face.width * 1.05, h * ratio))
    x = (face.x0 + face.x1 - w) / 2 + random.normal(0, 0.08) * w
    y = (face.y0 + face.y1 - h) / 2 + random.normal(0.05, 0.08) * h
    x0, y0 = int(np.clip(x, 0, wide - w)), int(np.clip(y, 0, high - h))
    part = photo[y0 : y0 + max(2, int(h)), x0 : x0 + max(2, int(w))]
    by = min(LONGEST / max(part.shape[:2]), 4.0)
    size = (max(2, round(part.shape[1] * by)), max(2, round(part.shape[0] * by)))
    way = cv2.INTER_AREA if by < 1 else cv2.INTER_CUBIC
    pixels = cv2.resize(part, size, interpolation=way).astype(np.float32) / 255
    box = Box((face.x0 - x0) * by, (face.y0 - y0) * by, (face.x1 - x0) * by, (face.y1 - y0) * by)
    full = np.ones(pixels.shape[:2], np.float32)
    return Surface(pixels, full, full, box, emits=False)


def screen(photo: Surface, random: Random, parts: Parts, *, device: str) -> Surface:
    """On a phone, a tablet or a monitor: a dark edge around the picture, round at the corners."""
    shown = replace(photo, emits=True)
    if not parts.bezel:
        return shown
    longer = max(photo.pixels.shape[:2])
    thin = {"phone": (0.01, 0.06), "tablet": (0.03, 0.09), "monitor": (0.01, 0.05)}[device]
    side = max(2, int(random.uniform(*thin) * longer))
    ends = int(side * (random.uniform(1, 3.5) if device == "phone" else 1))
    colour = random.choice([0.03, 0.06, 0.12, 0.85]) + random.normal(0, 0.02, 3)
    framed = _bordered(shown, (ends, ends, side, side), np.clip(colour, 0, 1))
    bar = random.random()
    if bar < 0.35:  # controls of a gallery or a player
        _draw_controls(framed, (ends, side), random)
    return _rounded(framed, random.uniform(0.0, 0.12 if device == "phone" else 0.04))


def sheet(photo: Surface, random: Random, parts: Parts) -> Surface:
    """On paper, with margins of four widths or none."""
    if not parts.bezel or random.random() < 0.2:
        return photo
    longer = max(photo.pixels.shape[:2])
    widest = random.choice([0.04, 0.12, 0.3])
    margins = [int(v * longer) for v in random.uniform(0.01, widest, 4)]
    tone = random.uniform(0.82, 0.98) * np.array([1, random.uniform(0.97, 1), 0.96])
    return _bordered(photo, margins, tone)


def cut_out(photo: Surface, random: Random, *, holes: bool) -> Surface:
    """The face cut out along the head, sloppily; with ``holes``, as a mask with its eyes cut."""
    face = photo.face
    middle = np.array([(face.x0 + face.x1) / 2, (face.y0 + face.y1) / 2 - 0.06 * face.height])
    axes: Floats = np.array([face.width, face.height]) * random.uniform([0.5, 0.52], [0.85, 0.85])
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    waves = [
        random.normal(0, 0.035) * np.cos(n * angles + random.uniform(0, 6)) for n in range(2, 6)
    ]
    rough = 1 + np.sum(waves, axis=0)
    outline = middle + np.stack([np.cos(angles), np.sin(angles)], 1) * axes * rough[:, None]
    alpha = np.zeros(photo.pixels.shape[:2], np.float32)
    cv2.fillPoly(alpha, [np.round(outline * 8).astype(np.int32)], 1.0, shift=3)
    if random.random() < 0.4:  # the neck and shoulders stay on
        top = max(0, int(face.y1 - 0.1 * face.height))
        left, right = middle[0] - 0.5 * axes[0], middle[0] + 0.5 * axes[0]
        alpha[top:, max(0, int(left)) : max(1, int(right))] = 1
    if holes:
        for across in (0.3, 0.7):
            eye = (int(face.x0 + across * face.width), int(face.y0 + 0.42 * face.height))
            axes_px = (max(1, int(0.1 * face.width)), max(1, int(0.045 * face.height)))
            cv2.ellipse(alpha, eye, axes_px, 0, 0, 360, 0.0, -1)
    rim = cv2.erode(alpha, np.ones((3, 3), np.uint8), iterations=int(random.integers(0, 5)))
    white = (alpha - rim)[..., None] * random.uniform(0.4, 1)
    pixels = photo.pixels * (1 - white) + random.uniform(0.8, 0.95) * white
    return replace(photo, pixels=pixels.astype(np.float32), alpha=alpha, shown=rim)


def bent(surface: Surface, random: Random) -> Surface:
    """Bent about an upright axis, as a sheet held at its sides is: a part of a cylinder."""
    high, wide = surface.alpha.shape
    half = random.uniform(0.3, 1.2)  # half the angle of the cylinder that is seen, radians
    lift = random.uniform(-0.08, 0.08) * high
    across = np.linspace(-1, 1, wide, dtype=np.float32)
    angle = np.arcsin(np.clip(across * np.sin(half), -1, 1)) / half
    columns = (angle + 1) / 2 * (wide - 1)
    rows = np.arange(high, dtype=np.float32)[:, None] + lift * (1 - np.cos(across * half))[None]
    map_x = np.repeat(columns[None].astype(np.float32), high, axis=0)
    map_y = rows.astype(np.float32)
    shade = (1 - random.uniform(0, 0.35) * (1 - np.cos(angle * half)))[None, :, None]
    move = [
        cv2.remap(layer, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        for layer in (surface.pixels, surface.alpha, surface.shown)
    ]
    xs = [
        (np.sin((x / wide * 2 - 1) * half) / np.sin(half) + 1) / 2 * wide
        for x in (surface.face.x0, surface.face.x1)
    ]
    face = Box(float(xs[0]), surface.face.y0, float(xs[1]), surface.face.y1)
    return replace(
        surface,
        pixels=(move[0] * shade).astype(np.float32),
        alpha=move[1],
        shown=move[2],
        face=face,
    )


def _bordered(surface: Surface, sides: tuple[int, ...] | list[int], colour: Floats) -> Surface:
    """With a border: top, bottom, left, right, pixels."""
    top, bottom, left, right = sides
    grown = [
        cv2.copyMakeBorder(layer, top, bottom, left, right, cv2.BORDER_CONSTANT, value=value)
        for layer, value in (
            (surface.pixels, [float(v) for v in colour]),
            (surface.alpha, 1.0),
            (surface.shown, 0.0),
        )
    ]
    face = surface.face
    moved = Box(face.x0 + left, face.y0 + top, face.x1 + left, face.y1 + top)
    return replace(surface, pixels=grown[0], alpha=grown[1], shown=grown[2], face=moved)


def _rounded(surface: Surface, share: float) -> Surface:
    high, wide = surface.alpha.shape
    radius = int(share * min(high, wide))
    if radius < 2:
        return surface
    alpha = np.zeros((high, wide), np.float32)
    alpha[radius : high - radius] = 1
    alpha[:, radius : wide - radius] = 1
    for x in (radius, wide - 1 - radius):
        for y in (radius, high - 1 - radius):
            cv2.circle(alpha, (x, y), radius, 1.0, -1)
    return replace(surface, alpha=alpha)


def _draw_controls(surface: Surface, edge: tuple[int, int], random: Random) -> None:
    """A bar with signs at the screen's lower end, as galleries and players have."""
    high, wide = surface.alpha.shape
    bottom, tall = high - edge[0], max(4, int(random.uniform(0.04, 0.09) * high))
    dark = random.uniform(0, 0.9)
    surface.pixels[bottom - tall : bottom, edge[1] : wide - edge[1]] = dark
    for x in np.linspace(edge[1], wide - edge[1], int(random.integers(3, 7)))[1:-1]:
        cv2.circle(surface.pixels, (int(x), bottom - tall // 2), tall // 4, [1 - dark] * 3, -1)
