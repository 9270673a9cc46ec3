"""Kinds of attacks, and live photos as a camera takes them: from a photo to a picture of it.

The same photo, scene, kind and random numbers give the same picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import MappingProxyType

import cv2
import numpy as np

from mien.errors import InvalidArgument
from mien.spelling import no_such
from mien.train.attacks import optics
from mien.train.attacks.backdrop import backdrop, beside, fingers
from mien.train.attacks.camera import corners, develop, shaded
from mien.train.attacks.parts import ALL_PARTS, Parts
from mien.train.attacks.surface import (
    Floats,
    Random,
    Surface,
    bent,
    cut_out,
    part_of,
    screen,
    sheet,
)
from mien.types import RGB, Box

__all__ = ["KINDS", "LIVE_KINDS", "Taken", "simulate"]

SIZES_HW = ((360, 270), (300, 300), (270, 360), (420, 315))
LEAST_FACE = 32
"""Pixels of a face's height in the picture; below, the surface is brought nearer."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A photo with a face in it.

    Attributes:
        pixels: RGB ``(h, w, 3)`` uint8.
        face: its box.
    """

    pixels: RGB
    face: Box


def simulate(
    kind: str, source: Taken, scene: Taken, random: Random, *, parts: Parts = ALL_PARTS
) -> Taken:
    """One picture.

    Args:
        kind: of :data:`KINDS` or :data:`LIVE_KINDS`.
        source: whose face is shown.
        scene: what stands behind; under a mask, who wears it.
        random: all else.
        parts: what is drawn.

    Raises:
        InvalidArgument: there is no such kind, or the source's box is not in its photo.
    """
    made = {**KINDS, **LIVE_KINDS}.get(kind)
    if made is None:
        raise InvalidArgument(no_such("kind of picture", kind, (*KINDS, *LIVE_KINDS)))
    for taken in (source, scene):
        high, wide = taken.pixels.shape[:2]
        box = taken.face
        if not (-1 <= box.x0 < box.x1 <= wide + 1 and -1 <= box.y0 < box.y1 <= high + 1):
            raise InvalidArgument("The face's box is not in its photo.")
    return made(source, scene, random, parts)


def _held(device: str) -> Callable[[Taken, Taken, Random, Parts], Taken]:
    """A screen before a scene, its edges in the picture."""

    def made(source: Taken, scene: Taken, random: Random, parts: Parts) -> Taken:
        photo = part_of(source.pixels, source.face, random, zoom=(1.2, 3.5))
        thing = screen(photo, random, parts, device=device)
        return _photographed(thing, scene, random, parts, share=(0.55, 1.0))

    return made


def _screen_filling(source: Taken, scene: Taken, random: Random, parts: Parts) -> Taken:
    """Zoomed in: grid, gamma and glare are all that is left of the screen."""
    photo = part_of(source.pixels, source.face, random, zoom=(2.0, 4.5))
    return _photographed(
        replace(photo, emits=True), scene, random, parts, share=(1.15, 1.9), held=False
    )


def _print(source: Taken, scene: Taken, random: Random, parts: Parts) -> Taken:
    photo = part_of(source.pixels, source.face, random, zoom=(1.2, 3.5))
    return _photographed(sheet(photo, random, parts), scene, random, parts, share=(0.55, 1.0))


def _print_filling(source: Taken, scene: Taken, random: Random, parts: Parts) -> Taken:
    photo = part_of(source.pixels, source.face, random, zoom=(2.0, 4.5))
    return _photographed(photo, scene, random, parts, share=(1.15, 1.9), held=False)


def _cut_out(source: Taken, scene: Taken, random: Random, parts: Parts) -> Taken:
    photo = part_of(source.pixels, source.face, random, zoom=(1.5, 3))
    thing = cut_out(photo, random, holes=False)
    return _photographed(thing, scene, random, parts, share=(0.55, 1.1))


def _mask(source: Taken, scene: Taken, random: Random, parts: Parts) -> Taken:
    """The face cut out of paper, before somebody's face."""
    photo = part_of(source.pixels, source.face, random, zoom=(1.5, 3))
    thing = cut_out(photo, random, holes=random.random() < 0.5)
    if parts.curvature:
        thing = bent(thing, random)
    worn = scene.face
    larger = random.uniform(0.95, 1.3)
    sx, sy = worn.width / thing.face.width * larger, worn.height / thing.face.height * larger
    angle = np.deg2rad(random.normal(0, 4))
    matrix = np.array(
        [[sx * np.cos(angle), -sy * np.sin(angle)], [sx * np.sin(angle), sy * np.cos(angle)]]
    )
    there = np.array([(worn.x0 + worn.x1) / 2, (worn.y0 + worn.y1) / 2])
    here = np.array([(thing.face.x0 + thing.face.x1) / 2, (thing.face.y0 + thing.face.y1) / 2])
    move = np.vstack([np.column_stack([matrix, there - matrix @ here]), [0, 0, 1]])
    return _laid(thing, scene.pixels.astype(np.float32) / 255, move, random, parts)


def _live(source: Taken, scene: Taken, random: Random, parts: Parts) -> Taken:
    """As it is, or as another camera would have taken it."""
    if not parts.camera:
        return source
    seen = source.pixels.astype(np.float32) / 255
    return Taken(develop(seen, random, gentle=random.uniform(0, 1)), source.face)


def _live_beside(source: Taken, scene: Taken, random: Random, parts: Parts) -> Taken:
    """A live face with a screen, a picture or a bright pane beside it."""
    seen = beside(source.pixels, source.face, scene.pixels, random)
    return Taken(develop(seen, random, gentle=0.7 if parts.camera else 0.0), source.face)


Kind = Callable[[Taken, Taken, Random, Parts], Taken]

KINDS: MappingProxyType[str, Kind] = MappingProxyType(
    {
        "phone": _held("phone"),
        "tablet": _held("tablet"),
        "monitor": _held("monitor"),
        "screen-filling": _screen_filling,
        "print": _print,
        "print-filling": _print_filling,
        "cut-out": _cut_out,
        "mask": _mask,
    }
)
"""Attacks."""

LIVE_KINDS: MappingProxyType[str, Kind] = MappingProxyType(
    {"live": _live, "live-beside": _live_beside}
)
"""No attacks."""


def _photographed(
    thing: Surface,
    scene: Taken,
    random: Random,
    parts: Parts,
    *,
    share: tuple[float, float],
    held: bool = True,
) -> Taken:
    """The thing before the scene, seen by a camera; near enough that the face can be looked at."""
    if parts.curvature and not thing.emits and random.random() < 0.45:
        thing = bent(thing, random)
    size = SIZES_HW[int(random.integers(len(SIZES_HW)))]
    back = backdrop(scene.pixels if parts.scene else None, size, random)
    filled = random.uniform(*share)
    # Not so near that the face itself is cut, not so far that it is small.
    fits = min(size[0] / thing.alpha.shape[0], size[1] / thing.alpha.shape[1])
    most = 0.85 * min(size[0] / thing.face.height, size[1] / thing.face.width) / fits
    filled = min(max(filled, LEAST_FACE / (thing.face.height * fits)), max(most, 0.3))
    high, wide = thing.alpha.shape
    source = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32)
    target = corners((high, wide), size, random, share=filled)
    if filled > 1:  # what is zoomed at is the face
        target += _towards_middle(thing, source, target, size)
    matrix = cv2.getPerspectiveTransform(source, np.asarray(target, np.float32))
    return _laid(thing, back, matrix, random, parts, hand=held and parts.hand)


def _towards_middle(
    thing: Surface, source: Floats, target: Floats, size_hw: tuple[int, int]
) -> Floats:
    """The shift that brings the face to the middle of the picture, as far as the thing covers it.

    Whoever fills the picture with a screen takes care that its edges are out of it.
    """
    matrix = cv2.getPerspectiveTransform(source, target)
    face = thing.face
    middle = np.array([[[(face.x0 + face.x1) / 2, (face.y0 + face.y1) / 2]]], np.float32)
    at = cv2.perspectiveTransform(middle, matrix)[0, 0]
    wanted = np.array([size_hw[1] / 2, size_hw[0] / 2], np.float32) - at
    lowest = np.array(size_hw[::-1]) - target[[1, 2, 2, 3], [0, 0, 1, 1]].reshape(2, 2).min(1)
    highest = -target[[0, 3, 0, 1], [0, 0, 1, 1]].reshape(2, 2).max(1)
    covered = lowest <= highest
    kept = np.where(covered, np.clip(wanted, np.minimum(lowest, highest), highest), wanted)
    return np.asarray(kept, np.float32)


def _laid(
    thing: Surface,
    back: Floats,
    matrix: Floats,
    random: Random,
    parts: Parts,
    *,
    hand: bool = False,
) -> Taken:
    """The thing over ``back`` where ``matrix`` brings it, with all that betrays it."""
    size = back.shape[:2]
    flat = (size[1], size[0])
    thing = _lowered(thing, matrix, random)
    seen = cv2.warpPerspective(thing.pixels, matrix, flat, flags=cv2.INTER_LINEAR)
    alpha = cv2.warpPerspective(thing.alpha, matrix, flat)[..., None]
    shown = cv2.warpPerspective(thing.shown, matrix, flat)[..., None]
    changed = seen
    at = optics.positions(np.asarray(matrix, np.float32), size)
    if thing.emits:
        if parts.gamma:
            changed = optics.on_screen(changed, random)
        if parts.grid and random.random() < 0.8:
            changed = changed * optics.pixel_grid(at, random)
    else:
        if parts.tone:
            changed = optics.on_paper(changed, random)
        if parts.halftone and random.random() < 0.7:
            changed = changed + optics.halftone(at, random)
    seen = shown * changed + (1 - shown) * seen
    if parts.glare and random.random() < (0.6 if thing.emits else 0.25):
        seen = seen + optics.glare(size, random, strength=random.uniform(0.2, 1))
    seen = shaded(np.asarray(seen, np.float32), random)
    if not thing.emits:  # something thin throws a shadow on what is behind it
        dark = cv2.GaussianBlur(alpha[..., 0], (0, 0), random.uniform(2, 10))
        back = back * (1 - random.uniform(0, 0.5) * dark)[..., None]
    mixed = seen * alpha + back * (1 - alpha)
    if hand and random.random() < 0.5:
        mixed = fingers(mixed, thing.alpha.shape, matrix, random)
    gentle = random.uniform(0.3, 1) if parts.camera else 0.0
    return Taken(
        develop(np.asarray(mixed, np.float32), random, gentle=gentle),
        _moved(thing.face, matrix, size),
    )


def _lowered(thing: Surface, matrix: Floats, random: Random) -> Surface:
    """Smoothed before it is sampled more coarsely, as a lens does; a screen's copy may be coarse.

    Args:
        thing: the surface.
        matrix: how it is brought into the picture.
        random: how coarse the copy is that is shown.
    """
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2])) / matrix[2, 2] ** 2))
    pixels = thing.pixels
    if random.random() < 0.35:  # the copy that is shown has fewer pixels
        less = random.uniform(0.35, 0.9)
        size = (max(2, int(pixels.shape[1] * less)), max(2, int(pixels.shape[0] * less)))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        pixels = cv2.resize(small, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    if scale < 0.8:
        pixels = cv2.GaussianBlur(pixels, (0, 0), 0.4 / max(scale, 0.05))
    return replace(thing, pixels=np.asarray(pixels, np.float32))


def _moved(face: Box, matrix: Floats, size_hw: tuple[int, int]) -> Box:
    """The box around where a box comes to lie, cut at the picture's edge."""
    points = np.array(
        [[[face.x0, face.y0], [face.x1, face.y0], [face.x1, face.y1], [face.x0, face.y1]]],
        np.float32,
    )
    at = cv2.perspectiveTransform(points, np.asarray(matrix, np.float64))[0]
    across, down = np.sort(at[:, 0]), np.sort(at[:, 1])
    x0, x1 = (float(across[i : i + 2].mean()) for i in (0, 2))  # a turned box is no larger
    y0, y1 = (float(down[i : i + 2].mean()) for i in (0, 2))
    high, wide = size_hw
    x0, x1 = float(np.clip(x0, 0, wide - 8)), float(np.clip(x1, 8, wide))
    y0, y1 = float(np.clip(y0, 0, high - 8)), float(np.clip(y1, 8, high))
    return Box(x0, y0, max(x1, x0 + 8), max(y1, y0 + 8))
