"""What of a face's regions can be measured to see whether something hides them.

A face is brought to an upright chip by its mesh. There, the colours at the mesh's points of a
region are compared with those of the rest of the face (skin is of one colour, a cloth or a lens of
another), and the region's edges are counted by place and direction (an eye and a mouth have theirs
where a hand or a lens has none). Histograms of edges: Dalal and Triggs, "Histograms of Oriented
Gradients for Human Detection", CVPR 2005.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.align import similarity_transform
from mien.landmarks.mediapipe478 import FaceMesh
from mien.types import RGB

__all__ = ["PARTS", "Chip", "Part", "chip_of", "colour_measures", "edge_measures"]

SIDE = 96
TEMPLATE = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.33, 0.78], [0.67, 0.78]], np.float32)
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
CELLS = (8, 4)  # columns and rows in which edges are counted

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Chip:
    """An upright face.

    Attributes:
        pixels: RGB ``(96, 96, 3)``.
        luma: ``(478,)``: brightness at each point of the mesh.
        chroma: ``(478, 2)``: shares of red and green at each point.
    """

    pixels: RGB
    luma: Floats
    chroma: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A region of the face.

    Attributes:
        points: of the mesh, inside the region.
        rest: points of bare skin outside it.
        rows, columns: the region in the chip, pixels.
    """

    points: NDArray[np.intp]
    rest: NDArray[np.intp]
    rows: slice
    columns: slice


def _indices(text: str) -> NDArray[np.intp]:
    return np.array(text.split(), np.intp)


PARTS = {
    "forehead": Part(
        _indices("10 109 67 103 338 297 332 151 108 69 104 337 299 333 9 107 336 66 296"),
        _indices("50 280 101 330 36 266 205 425 4 5 195 197 126 355 203 423"),
        slice(0, 40),
        slice(16, 80),
    ),
    "eyes": Part(
        _indices(
            "33 246 161 160 159 158 157 173 133 155 154 153 145 144 163 7 362 398 384 385 386 387 "
            "388 466 263 249 390 373 374 380 381 382 468 473 230 450 229 449 223 443 224 444"
        ),
        _indices("50 280 36 266 205 425 4 5 195 126 355 203 423 9 151 108 337"),
        slice(26, 54),
        slice(8, 88),
    ),
    "mouth": Part(
        _indices(
            "61 185 40 39 37 0 267 269 270 409 291 375 321 405 314 17 84 181 91 146 18 200 199 13 "
            "14 164 167 393 57 287 43 273 106 335 182 406"
        ),
        _indices("50 280 101 330 118 347 4 5 195 197 6 126 355 9 151 108 337"),
        slice(60, 96),
        slice(20, 76),
    ),
}


def chip_of(image: RGB, mesh: FaceMesh) -> Chip:
    """The first face of ``mesh``, upright."""
    matrix = similarity_transform(mesh.points5[0], TEMPLATE * SIDE)
    pixels = cv2.warpAffine(image, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    smooth = np.asarray(cv2.GaussianBlur(pixels, (3, 3), 0), np.float32)
    places = mesh.points[0, :, :2] @ matrix[:, :2].T + matrix[:, 2]
    x, y = np.clip(np.round(places), 0, SIDE - 1).astype(int).T
    colours = smooth[y, x]
    chroma = colours[:, :2] / (colours.sum(axis=1, keepdims=True) + 12)
    return Chip(np.asarray(pixels, np.uint8), colours @ LUMA, chroma)


def colour_measures(chip: Chip, part: Part) -> Floats:
    """``(15,)``: how the region's colours differ from the rest's, in brightness and in hue."""
    light = float(np.median(chip.luma[part.rest])) + 8
    hue = np.median(chip.chroma[part.rest], axis=0)
    brightness = (chip.luma[part.points] - light) / light
    shift = chip.chroma[part.points] - hue
    distance = np.abs(shift).sum(axis=1)
    spread = np.median(np.abs(chip.chroma[part.rest] - hue), axis=0) + 0.01
    dark, middle, bright = _quantiles(brightness, 0.1, 0.5, 0.9)
    usual, far = _quantiles(distance, 0.5, 0.8)
    turn = np.median(shift, axis=0)
    values = [
        middle,
        abs(middle),
        np.abs(brightness).mean(),
        brightness.std(),
        usual,
        distance.mean(),
        np.abs(turn).sum(),
        *turn,
        shift.std(axis=0).sum(),
        far,
        dark,
        bright,
        np.median(np.abs(chip.luma[part.rest] - light + 8)) / light,
        spread.sum(),
    ]
    return np.array(values, np.float32)


def edge_measures(chip: Chip, part: Part) -> Floats:
    """``(128,)``: strength of the edges in 8 x 4 cells of the region, in four directions."""
    light = float(np.median(chip.luma[part.rest])) + 8
    grey = np.asarray(cv2.cvtColor(chip.pixels, cv2.COLOR_RGB2GRAY), np.float32) / light
    across = cv2.Sobel(grey, cv2.CV_32F, 1, 0, ksize=3)[part.rows, part.columns]
    down = cv2.Sobel(grey, cv2.CV_32F, 0, 1, ksize=3)[part.rows, part.columns]
    counted = [
        cv2.resize(np.maximum(edge, 0), CELLS, interpolation=cv2.INTER_AREA).ravel()
        for edge in (across, -across, down, -down)
    ]
    return np.sqrt(np.concatenate(counted)).astype(np.float32)


def _quantiles(values: Floats, *shares: float) -> list[float]:
    """As ``np.quantile``, which takes ten times as long for a few numbers."""
    ordered = np.sort(values)
    places = [share * (len(ordered) - 1) for share in shares]
    low = [int(place) for place in places]
    high = [min(one + 1, len(ordered) - 1) for one in low]
    return [
        float(ordered[a] + (ordered[b] - ordered[a]) * (place - a))
        for place, a, b in zip(places, low, high, strict=True)
    ]
