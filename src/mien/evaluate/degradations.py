"""Photos spoilt on purpose, by a known amount: what a measure of quality ought to notice."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import InvalidArgument
from mien.types import RGB, Box

__all__ = ["GRADES", "KINDS", "spoil"]


REFERENCE = 100  # pixels: amounts are for a face as wide as this
GRADES = 5


def _blur(image: RGB, width: float, amount: float) -> RGB:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), amount * width / REFERENCE), np.uint8)


def _noise(image: RGB, amount: float, generator: np.random.Generator) -> RGB:
    return _rounded(image + generator.normal(scale=amount, size=image.shape))


def _exposed(image: RGB, factor: float) -> RGB:
    return _rounded(image.astype(np.float64) * factor)


def _small(image: RGB, width: float, amount: float) -> RGB:
    height, whole = image.shape[:2]
    factor = min(1.0, amount / width)
    size = (max(1, round(whole * factor)), max(1, round(height * factor)))
    shrunk = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, (whole, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _jpeg(image: RGB, quality: float) -> RGB:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None  # it was encoded a line above
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


def _rounded(values: NDArray[np.floating]) -> RGB:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


KINDS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "blur": (1.5, 2.5, 3.5, 5.0, 7.0),  # sigma of a Gaussian, pixels
        "noise": (12.0, 25.0, 40.0, 60.0, 90.0),  # deviation, grey values
        "dark": (0.4, 0.2, 0.1, 0.06, 0.035),  # factor of all grey values
        "bright": (1.6, 2.2, 3.0, 4.5, 7.0),  # factor, cut at 255
        "small": (36.0, 26.0, 19.0, 14.0, 10.0),  # width of the face, pixels, then enlarged again
        "jpeg": (25.0, 14.0, 8.0, 5.0, 2.0),  # quality
    }
)
"""What can be done, with its amounts from grade 1 to 5; lengths are for a face 100 pixels wide."""


def spoil(image: RGB, box: Box, kind: str, grade: int, *, seed: int = 0) -> RGB:
    """A copy of ``image``, spoilt.

    Args:
        image: the photo.
        box: of the face that the amounts are for.
        kind: of :data:`KINDS`.
        grade: 1 (a little) to 5 (beyond recognition for most).
        seed: of the noise.

    Raises:
        InvalidArgument: a kind or a grade that there is not.
    """
    if kind not in KINDS or not 1 <= grade <= GRADES:
        raise InvalidArgument(
            f"A photo can be spoilt by {', '.join(KINDS)}, from grade 1 to {GRADES}."
        )
    amount = KINDS[kind][grade - 1]
    width = max(1.0, box.width)
    if kind == "blur":
        return _blur(image, width, amount)
    if kind == "noise":
        return _noise(image, amount, np.random.default_rng(seed))
    if kind == "small":
        return _small(image, width, amount)
    if kind == "jpeg":
        return _jpeg(image, amount)
    return _exposed(image, amount)
