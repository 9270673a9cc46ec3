"""EXIF orientation: read it from untrusted bytes, and apply it to pixels."""

from __future__ import annotations

import contextlib
import struct

import cv2
import numpy as np
from PIL import Image

from mien.types import RGB

__all__ = ["read_orientation", "read_pillow_orientation", "upright"]

_ORIENTATION = 0x0112
_SHORT = 3


def read_orientation(exif: bytes) -> int:
    r"""The orientation (1..8) of an EXIF block; 1 where there is none or the block is corrupt.

    Only IFD0 is read, so a block that is broken elsewhere still gives its orientation, and no
    block can make a photo fail. Tags: CIPA DC-008 (Exif 2.32), section 4.6.4.

    Args:
        exif: TIFF structure, with or without the leading ``Exif\0\0``.

    Example:
        >>> read_orientation(b"not exif")
        1
    """
    exif = exif.removeprefix(b"Exif\x00\x00")
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (offset,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, offset)
        for entry in range(offset + 2, offset + 2 + 12 * count, 12):
            tag, kind, values, value = struct.unpack_from(f"{order}HHIH", exif, entry)
            if tag == _ORIENTATION:
                valid = kind == _SHORT and values == 1 and 1 <= value <= 8
                return int(value) if valid else 1
    except struct.error:  # the block ends early
        pass
    return 1


def read_pillow_orientation(image: Image.Image) -> int:
    """The orientation (1..8) that a loaded Pillow image carries; 1 where it cannot be read."""
    with contextlib.suppress(Exception):  # Pillow's reader raises anything on a corrupt block
        value = int(image.getexif().get(_ORIENTATION, 1))
        return value if 1 <= value <= 8 else 1
    return 1


def upright(image: RGB, orientation: int) -> RGB:
    """Turn stored pixels as EXIF ``orientation`` (1..8) says; 1 gives ``image`` itself."""
    match orientation:
        case 2:
            turned = cv2.flip(image, 1)
        case 3:
            turned = cv2.rotate(image, cv2.ROTATE_180)
        case 4:
            turned = cv2.flip(image, 0)
        case 5:
            turned = cv2.transpose(image)
        case 6:
            turned = cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE)
        case 7:
            turned = cv2.flip(cv2.transpose(image), -1)
        case 8:
            turned = cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE)
        case _:
            return image
    return np.ascontiguousarray(turned, dtype=np.uint8)
