"""From probed bytes to upright RGB pixels."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from mien.errors import ImageDecodeError
from mien.image.container import png_holds_all_rows
from mien.image.convert import image_to_rgb
from mien.image.exif import upright
from mien.image.probe import Header, open_with_pillow, pillow_errors
from mien.types import RGB

__all__ = ["decode", "reduction_for"]

_REDUCED = {
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


def reduction_for(header: Header, long_side: int) -> int:
    """The largest of 8, 4, 2 and 1 that leaves the long side at ``long_side`` or more.

    Only JPEG decodes at a reduced scale; the answer for the other formats is 1.
    """
    full = max(header.stored_wh)
    if header.plain_jpeg:
        for reduction in (8, 4, 2):
            if _reduced(full, reduction) >= long_side:
                return reduction
    return 1


def decode(data: bytes, header: Header, *, reduction: int = 1) -> RGB:
    """Decode an image that has passed the probe.

    JPEG goes through OpenCV (libjpeg-turbo, scaled in the DCT), the rest and CMYK through Pillow.

    Args:
        data: the encoded image.
        header: what :func:`mien.image.probe.probe` said of ``data``.
        reduction: 1, 2, 4 or 8, from :func:`reduction_for`; sides are rounded up.

    Returns:
        Upright RGB ``uint8`` ``(height, width, 3)``, C-contiguous.

    Raises:
        ImageDecodeError: the pixel data is truncated or corrupt.
        UnsupportedImage: a mode that has no defined conversion to RGB.
    """
    if header.plain_jpeg:
        image = _decode_jpeg(data, reduction)
    else:
        with pillow_errors(header.format):
            opened = open_with_pillow(data, header.format)
            image = image_to_rgb(opened)
            if header.format == "png" and _may_lack_rows(opened):
                _refuse_missing_rows(data)
    width, height = (_reduced(side, reduction) for side in header.stored_wh)
    if image.shape != (height, width, 3):
        raise ImageDecodeError(
            f"The {header.format} image's pixels do not have the size that its header says. "
            "Save it again."
        )
    return upright(image, header.orientation)


def _decode_jpeg(data: bytes, reduction: int) -> RGB:
    flags = cv2.IMREAD_COLOR_RGB if reduction == 1 else _REDUCED[reduction]
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise ImageDecodeError("The jpeg image is corrupt. Save it again.") from error
    if image is None:
        raise ImageDecodeError("The jpeg image is truncated or corrupt. Save it again.")
    if reduction > 1:  # OpenCV has no flag for reduced RGB
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)  # in place
    return np.asarray(image, dtype=np.uint8)


def _may_lack_rows(image: Image.Image) -> bool:
    """One of the last two rows (interlacing fills them apart) is zero: black, or not decoded."""
    width, height = image.size
    return any(
        image.crop((0, y, width, y + 1)).getbbox(alpha_only=False) is None
        for y in range(max(0, height - 2), height)
    )


def _refuse_missing_rows(data: bytes) -> None:
    if not png_holds_all_rows(data):
        raise ImageDecodeError(
            "The PNG's header promises more pixels than its data hold. Save it again."
        )


def _reduced(side: int, reduction: int) -> int:
    return -(-side // reduction)
