"""Pillow images and NumPy arrays of any accepted kind to RGB ``uint8``."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.errors import UnsupportedImage
from mien.types import RGB

__all__ = ["array_to_rgb", "check_array", "image_to_rgb"]

_WHITE = (255, 255, 255)
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # TIFF 6.0, section 8


def image_to_rgb(image: Image.Image) -> RGB:
    """Convert the frame that a Pillow image stands at.

    Transparency is laid on white; 16-bit grey is scaled from 0..65535; Adobe's inverted CMYK is
    Pillow's business. Colour profiles are ignored.

    Raises:
        UnsupportedImage: a mode of unknown range (32-bit integers, floats) or colour space.
    """
    image.load()  # formats settle mode, transparency and orientation only here
    if image.mode.startswith("I;16"):
        return _sixteen_bit_to_rgb(image)
    if image.mode in ("RGBa", "La"):  # premultiplied alpha
        image = image.convert(image.mode[:-1] + "A")
    if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV"):
        raise UnsupportedImage(
            f"Images of Pillow's mode {image.mode!r} are not accepted, because their range is not "
            "known. Convert the image to 8-bit RGB."
        )
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.new("RGB", layer.size, _WHITE)
        image.paste(layer, mask=layer.getchannel("A"))
    elif image.mode != "RGB":
        image = image.convert("RGB")
    return np.ascontiguousarray(image, dtype=np.uint8)


def _sixteen_bit_to_rgb(image: Image.Image) -> RGB:
    values = np.asarray(image).astype(np.uint32)
    tags = getattr(image, "tag_v2", {})  # of a TIFF
    top = (1 << tags.get(_BITS_PER_SAMPLE, (16,))[0]) - 1
    grey = ((np.minimum(values, top) * 255 + top // 2) // top).astype(np.uint8)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        grey = 255 - grey
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return np.repeat(grey[:, :, None], 3, axis=2)


def check_array(array: NDArray[Any]) -> None:
    """Refuse arrays that are no images.

    Raises:
        UnsupportedImage: another type than ``uint8``, or another shape than ``(H, W)``,
            ``(H, W, 1)``, ``(H, W, 3)`` or ``(H, W, 4)``.
    """
    if array.dtype != np.uint8:
        raise UnsupportedImage(_wrong_type(array), details={"dtype": str(array.dtype)})
    if array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4)):
        return
    hint = ""
    if array.ndim == 3 and array.shape[0] in (1, 3, 4):
        hint = " The channels must come last: use array.transpose(1, 2, 0)."
    raise UnsupportedImage(
        "An image array must have the shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), not "
        f"{array.shape}.{hint}"
    )


def array_to_rgb(array: NDArray[np.uint8], colour: Literal["rgb", "bgr"]) -> RGB:
    """Convert an array that :func:`check_array` has passed.

    An RGB array that is C-contiguous is not copied. Alpha, not premultiplied, is laid on white.
    """
    if array.ndim == 2:
        array = array[:, :, None]
    if array.shape[2] == 1:
        return np.repeat(array, 3, axis=2)
    rgb = array[:, :, :3] if colour == "rgb" else array[:, :, 2::-1]
    if array.shape[2] == 4:
        return _on_white(rgb, array[:, :, 3:])
    return np.ascontiguousarray(rgb)


def _on_white(rgb: RGB, alpha: NDArray[np.uint8]) -> RGB:
    weight = alpha.astype(np.uint32)
    mixed = rgb * weight + 255 * (255 - weight)
    return ((mixed + 127) // 255).astype(np.uint8)


def _wrong_type(array: NDArray[Any]) -> str:
    if array.dtype.kind == "f":
        return (
            "Arrays of floats are ambiguous (0..1 or 0..255). Convert yours to uint8, for values "
            "in 0..1 by (255 * array).round().astype(numpy.uint8)."
        )
    return (
        f"Image arrays must be of type uint8, not {array.dtype}: its range is not known. "
        "Scale yours to 0..255 and convert it to uint8."
    )
