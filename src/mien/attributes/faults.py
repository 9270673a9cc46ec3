"""Blur, exposure and noise: single faults of a face's picture, measured without a net.

The levels have Azure's names and ends (Azure AI Face, ``blur``, ``exposure`` and ``noise`` of
``POST /detect``); the values are Mien's own. What each is worth is in docs/reference/attributes.md.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.analysis import Grade
from mien.attributes.chips import box_chip
from mien.attributes.protocol import FaceView
from mien.models import ModelStore
from mien.types import RGB

__all__ = ["Blur", "Exposure", "Noise", "grey_face", "light", "noise_deviation", "sharpness"]

SIDE = 160
NOISE_SIDE = 256  # at most so much of a face is looked at for its noise, unscaled
SMOOTHING = 2.0  # before edges are counted, so that noise is not taken for them
# Second differences along rows, columns and both diagonals; the diagonal step is longer.
DIRECTIONS = (
    (np.array([[0, 0, 0], [1, -2, 1], [0, 0, 0]], np.float32), 1.0),
    (np.array([[0, 1, 0], [0, -2, 0], [0, 1, 0]], np.float32), 1.0),
    (np.array([[1, 0, 0], [0, -2, 0], [0, 0, 1]], np.float32), 4.0),
    (np.array([[0, 0, 1], [0, -2, 0], [1, 0, 0]], np.float32), 4.0),
)
# The measure at which the value is 0, and at which it is 1; between them it rises in a line.
BLUR = (-10.65, -13.25)
NOISE = (0.0, 20.0)
GREY = 0.45  # share of white at which a face is exposed as most are: the middle of the values

Grey = NDArray[np.uint8]


def grey_face(view: FaceView) -> Grey:
    """The middle of the face's box in grey, ``(120, 120)``: little hair and background."""

    def cut() -> Grey:
        grey = cv2.cvtColor(box_chip(view, SIDE), cv2.COLOR_RGB2GRAY)
        return np.asarray(grey, np.uint8)[SIDE // 8 : -SIDE // 8, SIDE // 8 : -SIDE // 8]

    return view.once("grey face", cut)


def sharpness(grey: Grey) -> float:
    """Natural logarithm of the energy of edges in the direction that has least, by brightness.

    A picture that moved keeps its edges along the movement: the least sharp direction tells.
    """
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), SMOOTHING)
    energy = min(
        float(cv2.filter2D(smooth, cv2.CV_32F, kernel).var()) / longer
        for kernel, longer in DIRECTIONS
    )
    return float(np.log(max(energy, 1e-6) / (float(grey.mean()) + 8) ** 2))


def light(grey: Grey) -> float:
    """Brightness of the face, 0 (black) to 1 (white): the middle between its 10 % and 90 %.

    The highlights of dark skin and the shadows of light skin are in it, so that it depends a
    little less on the skin than the mean does.
    """
    low, high = np.percentile(grey, [10, 90])
    return float(low + high) / 510


def noise_deviation(image: RGB) -> float:
    """Standard deviation of the noise, grey values.

    Source: Donoho and Johnstone, "Ideal Spatial Adaptation by Wavelet Shrinkage", Biometrika
    81(3), 1994: the median of the finest diagonal Haar coefficients / 0.6745.
    """
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.float32)
    height, width = (size // 2 * 2 for size in grey.shape)
    if not height or not width:
        return 0.0
    a, b = grey[:height:2, :width:2], grey[:height:2, 1:width:2]
    c, d = grey[1:height:2, :width:2], grey[1:height:2, 1:width:2]
    return float(np.median(np.abs(a - b - c + d)) / 2 / 0.6745)


class _WithoutWeights:
    """An attribute that needs none."""

    @classmethod
    def load(cls, models: ModelStore) -> _WithoutWeights:
        """Needs no weights."""
        return cls()


class Blur(_WithoutWeights):
    """How blurred a face is, whether out of focus, moved, or too small for its box's detail."""

    name = "blur"

    def measure(self, view: FaceView) -> Grade:
        """``low`` below 0.25, ``high`` from 0.75."""
        value = _share(sharpness(grey_face(view)), *BLUR)
        return Grade(_level(value, (0.25, 0.75), ("low", "medium", "high")), value)


class Exposure(_WithoutWeights):
    """Whether a face is too dark or too bright."""

    name = "exposure"

    def measure(self, view: FaceView) -> Grade:
        """``underExposure`` below 0.25, ``overExposure`` from 0.75."""
        found = light(grey_face(view))
        value = found / GREY / 2 if found < GREY else 1 - (1 - found) / (1 - GREY) / 2
        names = ("underExposure", "goodExposure", "overExposure")
        return Grade(_level(value, (0.25, 0.75), names), value)


class Noise(_WithoutWeights):
    """How noisy a face's pixels are, as they are in the photo."""

    name = "noise"

    def measure(self, view: FaceView) -> Grade:
        """``low`` below 0.3, ``high`` from 0.7."""
        value = _share(noise_deviation(_pixels(view)), *NOISE)
        return Grade(_level(value, (0.3, 0.7), ("low", "medium", "high")), value)


def _pixels(view: FaceView) -> RGB:
    """The middle of the face's box, neither scaled nor turned."""
    box, (height, width) = view.face.box, view.image.shape[:2]
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    half_w, half_h = (min(size * 0.375, NOISE_SIDE / 2) for size in (box.width, box.height))
    x0, x1 = int(np.clip(x - half_w, 0, width - 1)), int(np.clip(np.ceil(x + half_w), 1, width))
    y0, y1 = int(np.clip(y - half_h, 0, height - 1)), int(np.clip(np.ceil(y + half_h), 1, height))
    return view.image[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]


def _share(measure: float, zero: float, one: float) -> float:
    return float(np.clip((measure - zero) / (one - zero), 0, 1))


def _level(value: float, ends: tuple[float, float], names: tuple[str, str, str]) -> str:
    return names[sum(value >= end for end in ends)]
