"""The field's normalisation modes: what is done to a crop's pixels before a net sees them.

Source: ``normalize_input`` of DeepFace 0.0.103, whose names and constants these are. Mien's own
models say in their cards what they want; these modes are for callers who want the field's.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mien.errors import InvalidArgument
from mien.spelling import no_such

__all__ = ["MODES", "Normalisation", "check_mode", "normalise"]

Normalisation = Literal["base", "raw", "Facenet", "Facenet2018", "VGGFace", "VGGFace2", "ArcFace"]

MODES: tuple[Normalisation, ...] = get_args(Normalisation)
"""The modes' names, as DeepFace spells them."""

# Means of the training sets of VGGFace and VGGFace2: blue, green, red.
_MEAN_BGR = {"VGGFace": (93.5940, 104.7624, 129.1863), "VGGFace2": (91.4953, 103.8827, 131.0912)}


def check_mode(mode: str) -> None:
    """Refuse what is no mode.

    Raises:
        InvalidArgument: no mode of that name; the message names those there are.
    """
    if mode not in MODES:
        raise InvalidArgument(no_such("normalisation", mode, MODES))


def normalise(
    crops: NDArray[np.float32], mode: str, *, colour: Literal["rgb", "bgr"] = "rgb"
) -> NDArray[np.float32]:
    """Crops as a net wants them; ``crops`` itself is not changed.

    ====================  ==================================================================
    ``base``              0..1, as given
    ``raw``               0..255
    ``Facenet``           0..255, less the crop's own mean, by its own standard deviation
    ``Facenet2018``       -1..1: ``x / 127.5 - 1``
    ``VGGFace, VGGFace2`` 0..255 less the training set's mean of each channel
    ``ArcFace``           about -1..1: ``(x - 127.5) / 128``
    ====================  ==================================================================

    Args:
        crops: ``(n, H, W, 3)`` float32, 0..1.
        mode: one of :data:`MODES`.
        colour: order of the channels in ``crops``; only the two VGG modes depend on it.

    Raises:
        InvalidArgument: no such mode, or crops of another shape or type.

    Example:
        >>> float(normalise(np.ones((1, 2, 2, 3), np.float32), "raw").max())
        255.0
    """
    check_mode(mode)
    if crops.ndim != 4 or crops.shape[3] != 3 or crops.dtype != np.float32:
        raise InvalidArgument(
            f"Crops are float32 (n, H, W, 3), 0..1, not {crops.dtype} {crops.shape}."
        )
    if mode == "base" or not crops.size:
        return crops.copy()
    pixels = crops * np.float32(255)
    if mode == "Facenet":
        for one in pixels:
            least = 1 / one.size**0.5  # a crop of one colour has no deviation of its own
            one[:] = (one - one.mean()) / max(one.std(), least)
    elif mode == "Facenet2018":
        pixels /= np.float32(127.5)
        pixels -= 1
    elif mode in _MEAN_BGR:
        mean = np.array(_MEAN_BGR[mode], np.float32)
        pixels -= mean if colour == "bgr" else mean[::-1]
    elif mode == "ArcFace":
        pixels -= np.float32(127.5)
        pixels /= 128
    return pixels
