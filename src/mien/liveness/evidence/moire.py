"""Moiré: the pixels of a screen, or the dots of a print, beating with those of the camera.

A periodic pattern is a peak in the spectrum where skin and cloth have none. The spectra of many
windows around the face are averaged as logarithms (what is there in all windows stays, what is in
one does not), and the highest peak above its surroundings is taken. Along the axes JPEG's own
blocks have their peaks, so nothing is looked for there. Source of the idea: Garcia and de Queiroz,
"Face-Spoofing 2D-Detection Based on Moiré-Pattern Analysis", IEEE TIFS 10(4), 2015.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.types import RGB, Box

__all__ = ["moire_peak"]

WINDOW = 64
MOST = 8  # windows a side
LEAST = 16  # windows in all: the mean of fewer has peaks by chance
REACH = 0.75  # of the face's longer side, to each side of its centre
NEAREST = 128  # pixels: as far at least
LOWEST = 0.1  # cycles a pixel: below are things, not patterns
AXIS = 1.5 / WINDOW  # cycles a pixel, to each side of an axis, that belong to JPEG's blocks
NEIGHBOURS = 11

Floats = NDArray[np.float32]


def moire_peak(image: RGB, box: Box) -> float:
    """Height of the spectrum's highest peak above its surroundings, natural logarithm of power.

    0 where the photo is too small for 16 windows of 64 pixels around the face.

    Args:
        image: RGB ``(height, width, 3)`` uint8, at full size: scaling down removes what is sought.
        box: of the face, pixels of ``image``.
    """
    grey = _around(image, box)
    if min(grey.shape) < WINDOW:
        return 0.0
    rough = grey - cv2.GaussianBlur(grey, (0, 0), 4)
    rows, columns = (_starts(side) for side in grey.shape)
    if len(rows) * len(columns) < LEAST:
        return 0.0
    windows = np.stack([rough[y : y + WINDOW, x : x + WINDOW] for y in rows for x in columns])
    windows = windows / (windows.std(axis=(1, 2), keepdims=True) + 2) * _HANN
    power = np.abs(np.fft.rfft2(windows)) ** 2
    logs = np.log(power + 1e-3).mean(axis=0)
    spectrum = np.fft.fftshift(logs, axes=0).astype(np.float32)
    above = spectrum - cv2.blur(spectrum, (NEIGHBOURS, NEIGHBOURS))
    return float(max(0.0, above[_SOUGHT].max()))


def _around(image: RGB, box: Box) -> Floats:
    """The face and a little of its surroundings, grey."""
    reach = max(box.width * REACH, box.height * REACH, NEAREST)
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    part = image[
        max(0, int(y - reach)) : max(0, int(y + reach)),
        max(0, int(x - reach)) : max(0, int(x + reach)),
    ]
    return np.asarray(part.mean(axis=2, dtype=np.float32))


def _starts(side: int) -> NDArray[np.intp]:
    count = min(MOST, 1 + (side - WINDOW) // (WINDOW // 2))
    return np.linspace(0, side - WINDOW, count).astype(np.intp)


def _sought() -> NDArray[np.bool_]:
    """Places of the half spectrum, its rows shifted, where a peak is a pattern of the picture."""
    y = np.fft.fftshift(np.fft.fftfreq(WINDOW))[:, None]
    x = np.fft.rfftfreq(WINDOW)[None]
    found = (np.hypot(x, y) > LOWEST) & (np.abs(x) > AXIS) & (np.abs(y) > AXIS)
    return np.asarray(found)


_HANN = np.outer(np.hanning(WINDOW), np.hanning(WINDOW)).astype(np.float32)
_SOUGHT = _sought()
