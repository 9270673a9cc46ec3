"""Attacks on face recognition, simulated: a photo shown on a screen or printed, and photographed.

They are crude: they serve to see whether a piece of evidence reacts to what it is meant for, and
whether it stays silent on real photos. What stops them need not stop real attacks.

    python benchmarks/simulated_attacks.py --photos DIR --scenes DIR --to DIR

writes five attacks for every photo with a face (its largest), and list.csv for
``mien eval liveness``. The same names give the same attacks.

    screen         on a phone or tablet, held before another scene: bezel, glare, pixel grid
    screen-filling the screen fills the picture: no edge is seen, only grid, gamma and glare
    paper          a print with white margins before another scene: dots, paper tone, shading
    paper-filling  the print fills the picture
    cut-out        the face cut out of a print, held before another scene
"""

from __future__ import annotations

import argparse
import csv
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien import Engine
from mien.types import Box

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]
Random = np.random.Generator
Attack = tuple[str, str, Picture]

SIZE_HW = (640, 480)
OVERSAMPLED = 2


def screen(photo: Picture, scene: Picture, random: Random) -> Picture:
    shown = _fitted(photo, random.uniform(1.3, 1.8))
    high, wide = shown.shape[:2]
    bezel = max(6, int(random.uniform(0.02, 0.07) * high))
    glass = cv2.copyMakeBorder(
        shown, bezel * 2, bezel * 2, bezel, bezel, cv2.BORDER_CONSTANT, value=[15, 15, 17]
    )
    lit = np.zeros(glass.shape[:2], np.float32)
    lit[bezel * 2 : bezel * 2 + high, bezel : bezel + wide] = 1
    return _photographed(glass, lit, scene, random, share=random.uniform(0.75, 0.95), grid=True)


def screen_filling(photo: Picture, scene: Picture, random: Random) -> Picture:
    shown = _fitted(photo, SIZE_HW[0] / SIZE_HW[1])
    lit = np.ones(shown.shape[:2], np.float32)
    return _photographed(shown, lit, scene, random, share=1.25, grid=True)


def paper(photo: Picture, scene: Picture, random: Random) -> Picture:
    printed = _printed(_fitted(photo, random.uniform(1.2, 1.5)), random)
    margin = int(random.uniform(0.02, 0.1) * printed.shape[0])
    tone = [int(v) for v in random.uniform(215, 250) * np.array([1, 0.99, 0.96])]
    sheet = cv2.copyMakeBorder(
        printed, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=tone
    )
    unlit = np.zeros(sheet.shape[:2], np.float32)
    return _photographed(sheet, unlit, scene, random, share=random.uniform(0.75, 0.95))


def paper_filling(photo: Picture, scene: Picture, random: Random) -> Picture:
    printed = _printed(_fitted(photo, SIZE_HW[0] / SIZE_HW[1]), random)
    return _photographed(printed, np.zeros(printed.shape[:2], np.float32), scene, random, share=1.2)


def cut_out(
    photo: Picture, scene: Picture, random: Random, *, face: tuple[float, ...] = ()
) -> Picture:
    """The head, an ellipse about the face's box, cut out of a print."""
    printed = _printed(photo, random)
    x0, y0, x1, y1 = face
    centre = (int((x0 + x1) / 2), int((y0 + y1) / 2 - 0.08 * (y1 - y0)))
    axes = (int(0.68 * (x1 - x0)), int(0.72 * (y1 - y0)))
    mask = np.zeros(photo.shape[:2], np.float32)
    cv2.ellipse(mask, centre, axes, 0, 0, 360, 1, -1)
    side = int(2.6 * (y1 - y0))
    back = _cover(scene, (side, side))
    y, x = centre[1] - side // 2, centre[0] - side // 2
    move = np.array([[1, 0, -x], [0, 1, -y]], np.float32)
    front = cv2.warpAffine(printed, move, (side, side))
    alpha = cv2.GaussianBlur(cv2.warpAffine(mask, move, (side, side)), (3, 3), 0)[..., None]
    mixed = front * alpha + back * (1 - alpha)
    return _finished(cv2.resize(mixed.astype(np.uint8), (480, 480)), random)


KINDS: dict[str, Callable[..., Picture]] = {
    "screen": screen,
    "screen-filling": screen_filling,
    "paper": paper,
    "paper-filling": paper_filling,
    "cut-out": cut_out,
}


def _fitted(photo: Picture, ratio: float) -> Picture:
    """The middle of the photo with height / width = ratio, about 900 pixels high."""
    high, wide = photo.shape[:2]
    if high / wide > ratio:
        cut = int(wide * ratio)
        photo = photo[(high - cut) // 2 : (high - cut) // 2 + cut]
    else:
        cut = int(high / ratio)
        photo = photo[:, (wide - cut) // 2 : (wide - cut) // 2 + cut]
    return np.asarray(cv2.resize(photo, (int(900 / ratio), 900)), np.uint8)


def _printed(photo: Picture, random: Random) -> Picture:
    """Fewer colours, less contrast, and a raster of dots."""
    colours = photo.astype(np.float32) / 255
    grey = colours.mean(axis=2, keepdims=True)
    colours = grey + (colours - grey) * random.uniform(0.6, 0.95)
    colours = random.uniform(0.08, 0.16) + colours * random.uniform(0.7, 0.8)
    period = random.uniform(2.5, 5)
    rows, columns = np.mgrid[: photo.shape[0], : photo.shape[1]].astype(np.float32)
    for channel, angle in enumerate((0.26, 1.31, 0.0)):
        u = (columns * np.cos(angle) + rows * np.sin(angle)) * 2 * np.pi / period
        v = (rows * np.cos(angle) - columns * np.sin(angle)) * 2 * np.pi / period
        colours[..., channel] += random.uniform(0.02, 0.07) * np.cos(u) * np.cos(v)
    return np.asarray(np.clip(colours * 255, 0, 255), np.uint8)


def _photographed(
    thing: Picture, lit: Floats, scene: Picture, random: Random, *, share: float, grid: bool = False
) -> Picture:
    """The thing before the scene, seen by a camera: turned, in perspective, re-sampled."""
    high, wide = (side * OVERSAMPLED for side in SIZE_HW)
    back = cv2.GaussianBlur(_cover(scene, (high, wide)), (0, 0), random.uniform(1, 4))
    corners = _corners(thing.shape[:2], (high, wide), random, share)
    h, w = thing.shape[:2]
    source = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, corners)
    size = (wide, high)
    seen = cv2.warpPerspective(thing, matrix, size, flags=cv2.INTER_AREA).astype(np.float32)
    alpha = cv2.warpPerspective(np.ones((h, w), np.float32), matrix, size)[..., None]
    if grid:
        glow = cv2.warpPerspective(lit, matrix, size)[..., None]
        pixels = _pixel_grid(matrix, (h, w), random)
        light = 255 * (seen / 255) ** random.uniform(0.8, 1.1) * random.uniform(0.95, 1.15)
        seen = glow * light * pixels + (1 - glow) * seen
    seen = _shaded(seen, random, shiny=grid)
    mixed = seen * alpha + back * (1 - alpha)
    small = cv2.resize(mixed, (SIZE_HW[1], SIZE_HW[0]), interpolation=cv2.INTER_AREA)
    return _finished(np.asarray(np.clip(small, 0, 255), np.uint8), random)


def _corners(
    thing_hw: tuple[int, ...], size_hw: tuple[int, int], random: Random, share: float
) -> Floats:
    scale = share * min(size_hw[0] / thing_hw[0], size_hw[1] / thing_hw[1])
    half = np.array([thing_hw[1], thing_hw[0]], np.float32) * scale / 2
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32) * half
    angle = np.deg2rad(random.uniform(-6, 6))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = corners @ turn + random.uniform(-0.02, 0.02, (4, 2)) * size_hw[0]
    return np.asarray(corners + np.array(size_hw[::-1]) / 2, np.float32)


def _pixel_grid(matrix: Floats, thing_hw: tuple[int, int], random: Random) -> Floats:
    """Stripes of red, green and blue with dark lines between rows, in the screen's own pixels."""
    high, wide = (side * OVERSAMPLED for side in SIZE_HW)
    x, y = np.meshgrid(np.arange(wide, dtype=np.float32), np.arange(high, dtype=np.float32))
    points = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.linalg.inv(matrix).T
    fineness = random.uniform(500, 1400) / thing_hw[0]  # screen pixels a pixel of the thing
    u = points[..., 0] / points[..., 2] * fineness
    v = points[..., 1] / points[..., 2] * fineness
    depth = random.uniform(0.15, 0.6)
    gap = 1 - depth * (np.mod(v, 1) > 0.8)
    stripes = [
        1 - depth * np.abs(((np.mod(u, 1) - centre + 0.5) % 1) - 0.5) * 2
        for centre in (1 / 6, 3 / 6, 5 / 6)
    ]
    return np.asarray(np.stack(stripes, axis=-1) * gap[..., None] / (1 - depth / 2), np.float32)


def _shaded(seen: Floats, random: Random, *, shiny: bool) -> Floats:
    high, wide = seen.shape[:2]
    x, y = np.meshgrid(np.linspace(-1, 1, wide), np.linspace(-1, 1, high))
    slope = random.uniform(-0.12, 0.12, 2)
    seen = seen * (1 + slope[0] * x + slope[1] * y)[..., None]
    if shiny and random.random() < 0.6:
        cx, cy, width = random.uniform(-0.8, 0.8), random.uniform(-0.8, 0.8), 0.25
        spot = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / width**2)[..., None]
        seen = seen + random.uniform(20, 120) * spot
    return np.asarray(seen, np.float32)


def _finished(picture: Picture, random: Random) -> Picture:
    """A camera's blur, noise and JPEG."""
    blurred = cv2.GaussianBlur(picture, (0, 0), random.uniform(0.3, 0.8)).astype(np.float32)
    noisy = blurred + random.normal(0, random.uniform(1, 4), picture.shape)
    clipped = np.asarray(np.clip(noisy, 0, 255), np.uint8)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(80, 96))]
    data = cv2.imencode(".jpg", clipped[..., ::-1], quality)[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], np.uint8)


def _cover(scene: Picture, size_hw: tuple[int, int]) -> Picture:
    scale = max(size_hw[0] / scene.shape[0], size_hw[1] / scene.shape[1])
    size = (
        max(size_hw[1], int(scene.shape[1] * scale) + 1),
        max(size_hw[0], int(scene.shape[0] * scale) + 1),
    )
    return np.asarray(cv2.resize(scene, size)[: size_hw[0], : size_hw[1]], np.uint8)


def _shown(photo: Picture, box: Box) -> Picture:
    """The part of a photo that an attacker would show: the head and shoulders."""
    side = 2.2 * box.height
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    rows = slice(int(max(0, y - 0.55 * side)), int(y + 0.55 * side))
    return photo[rows, int(max(0, x - 0.4 * side)) : int(x + 0.4 * side)]


def _attacks(engine: Engine, photos: list[Path], scenes: list[Path]) -> Iterator[Attack]:
    """Kind, name and picture of each attack."""
    seen = [engine.photo(scene).pixels() for scene in scenes]
    for index, file in enumerate(photos):
        photo = engine.photo(file)
        found = engine.detect(photo, liveness="off")
        if not len(found):
            continue
        box, pixels = found[0].box, photo.pixels()
        for kind, simulate in KINDS.items():
            random = np.random.default_rng(zlib.crc32(f"{file.name}{kind}".encode()))
            scene = seen[index % len(seen)]
            if simulate is cut_out:
                face = (box.x0, box.y0, box.x1, box.y1)
                yield kind, f"{kind}_{index:03d}.png", simulate(pixels, scene, random, face=face)
            else:
                yield kind, f"{kind}_{index:03d}.png", simulate(_shown(pixels, box), scene, random)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=Path, action="append", required=True)
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    given = parser.parse_args()
    photos = [file for folder in given.photos for file in sorted(folder.rglob("*.jpg"))]
    given.to.mkdir(parents=True, exist_ok=True)
    rows = []
    with Engine() as engine:
        scenes = sorted(given.scenes.rglob("*.jpg"))[:12]
        for kind, name, picture in _attacks(engine, photos, scenes):
            cv2.imwrite(str(given.to / name), picture[..., ::-1])
            rows.append((name, 0, kind))
    with (given.to / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "live", "attack"), *rows])
    print(f"{len(rows)} attacks from {len(photos)} photos")


if __name__ == "__main__":
    main()
