"""One upright photo, decoded when its pixels are asked for."""

from __future__ import annotations

import hashlib
import threading
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.errors import ImageError, InvalidArgument
from mien.image.convert import array_to_rgb, check_array, image_to_rgb
from mien.image.decode import decode, reduction_for
from mien.image.exif import read_pillow_orientation, upright
from mien.image.limits import ImageLimits
from mien.image.probe import Header, pillow_errors, probe
from mien.image.source import EncodedInput, read_source
from mien.types import RGB

__all__ = ["ImageInput", "Photo", "open_photo"]

Colour = Literal["rgb", "bgr"]


class Photo:
    """An upright photo under limits. Made by :func:`open_photo`; safe to share between threads.

    Pixels are decoded once, when they are first asked for, and kept; a scaled version is kept
    only until the full one is there. Arrays are read-only, because they are shared.

    Attributes:
        width: of the upright photo, pixels.
        height: of the upright photo, pixels.
        format: ``"jpeg"``, ``"png"``, ``"webp"``, ``"gif"``, ``"bmp"``, ``"tiff"``, ``"avif"``,
            ``"heic"``, or ``"array"`` for NumPy arrays and Pillow images.
        name: base name of the file; None where the photo does not come from a path.

    Example:
        >>> photo = open_photo(np.zeros((480, 640, 3), np.uint8))
        >>> photo.width, photo.height, photo.format
        (640, 480, 'array')
    """

    __slots__ = (
        "_encoded",
        "_header",
        "_lock",
        "_pixels",
        "_scaled",
        "_sha256",
        "format",
        "height",
        "name",
        "width",
    )

    def __init__(
        self,
        *,
        encoded: tuple[bytes, Header] | None = None,
        pixels: RGB | None = None,
        name: str | None = None,
    ) -> None:
        if (encoded is None) == (pixels is None):
            raise InvalidArgument("A photo is made of encoded bytes or of pixels: use open_photo.")
        self._lock = threading.Lock()
        self._sha256: str | None = None
        self._scaled: tuple[int, RGB] | None = None  # (reduction, pixels)
        self._pixels: RGB | None = None
        self.name = name
        self._encoded: bytes = b""
        self._header: Header | None = None
        self.format: str = "array"
        self.width: int
        self.height: int
        if encoded is not None:
            self._encoded, self._header = encoded
            self.format = self._header.format
            self.width, self.height = self._header.upright_wh
        if pixels is not None:
            self._pixels = _frozen(pixels)
            self.height, self.width = pixels.shape[:2]

    def __repr__(self) -> str:
        label = "" if self.name is None else f" {self.name!r}"
        return f"<Photo{label} {self.width}x{self.height} {self.format}>"

    @property
    def source(self) -> bytes | RGB:
        """What the same photo can be opened from in another process: its file, or its pixels."""
        return self.pixels() if self._header is None else self._encoded

    @property
    def sha256(self) -> str:
        """Hex digest of the encoded bytes; for arrays, of their size and upright RGB pixels."""
        with self._lock:
            if self._sha256 is None:
                if self._header is not None:
                    digest = hashlib.sha256(self._encoded)
                else:
                    digest = hashlib.sha256(f"{self.width}x{self.height}:".encode())
                    digest.update(self._full().data)
                self._sha256 = digest.hexdigest()
            return self._sha256

    @property
    def encoded(self) -> bytes | None:
        """The bytes that it was opened from, as they were sent; None for arrays."""
        return self._encoded or None

    def pixels(self) -> RGB:
        """All pixels: RGB ``uint8`` ``(height, width, 3)``, C-contiguous, read-only.

        Raises:
            ImageDecodeError: the pixel data is truncated or corrupt.
            UnsupportedImage: a mode that has no defined conversion to RGB.
        """
        with self._lock:
            return self._full()

    def scaled(self, long_side: int) -> RGB:
        """The photo at no less than ``long_side`` pixels on its long side, decoded cheaply.

        A JPEG is decoded at 1/2, 1/4 or 1/8 where that is enough (sides rounded up); everything
        else, and what is decoded already, comes at full size. To map coordinates, divide by
        ``array.shape[1] / photo.width``.

        Raises:
            InvalidArgument: ``long_side`` is below 1.
            ImageDecodeError: the pixel data is truncated or corrupt.
            UnsupportedImage: a mode that has no defined conversion to RGB.
        """
        if long_side < 1:
            raise InvalidArgument(f"long_side must be at least 1, not {long_side}.")
        with self._lock:
            if self._pixels is not None or self._header is None:
                return self._full()
            reduction = reduction_for(self._header, long_side)
            if reduction == 1:
                return self._full()
            if self._scaled is None or self._scaled[0] > reduction:
                self._scaled = None
                self._scaled = reduction, self._decoded(self._header, reduction)
            return self._scaled[1]

    def _full(self) -> RGB:
        if self._pixels is None:
            assert self._header is not None
            self._pixels = self._decoded(self._header, 1)
            self._scaled = None
        return self._pixels

    def _decoded(self, header: Header, reduction: int) -> RGB:
        try:
            return _frozen(decode(self._encoded, header, reduction=reduction))
        except ImageError as error:
            raise _named(error, self.name) from error.__cause__


ImageInput = EncodedInput | Image.Image | NDArray[Any] | Photo
"""A path, a ``data:`` URI or base64 text, encoded bytes, a binary file object, a Pillow image, a
NumPy array of ``uint8``, or a :class:`Photo`."""


def open_photo(
    source: ImageInput,
    *,
    limits: ImageLimits = ImageLimits(),  # noqa: B008 - frozen
    colour: Colour = "rgb",
) -> Photo:
    """Open anything that holds an image; its header is probed, its pixels are not decoded.

    Args:
        source: a path, a ``data:`` URI, base64 text, encoded bytes, a binary file object (read
            from where it stands), a Pillow image (the frame it stands at), a NumPy array of
            ``uint8``, or a Photo, which comes back as it is. Arrays that are RGB and contiguous
            are not copied: leave them unchanged while the photo is in use.
        limits: what the image may cost; they hold for arrays and Pillow images too.
        colour: channel order of NumPy arrays; OpenCV's is ``"bgr"``.

    Raises:
        ImageNotFound: no such file.
        ImageDecodeError: empty, truncated or corrupt bytes, or no image at all.
        UnsupportedImage: a format, type, mode or array layout that is not accepted.
        ImageTooLarge: more bytes, pixels or frames than the limits.
        ImageTooSmall: a side below the limit.
        InvalidArgument: an unknown ``colour``.

    Example:
        >>> open_photo(b"")
        Traceback (most recent call last):
        mien.errors.ImageDecodeError: The image is empty. Send the file's bytes.
    """
    if colour not in ("rgb", "bgr"):
        raise InvalidArgument(f"colour must be 'rgb' or 'bgr', not {colour!r}.")
    if isinstance(source, Photo):
        limits.check_size(source.width, source.height)
        return source
    if isinstance(source, np.ndarray):
        return Photo(pixels=_checked_array(source, limits, colour))
    if isinstance(source, Image.Image):
        limits.check_size(*source.size)
        with pillow_errors("Pillow"):
            return Photo(pixels=_checked_pillow(source))
    data, name = read_source(source, limits)
    try:
        return Photo(encoded=(data, probe(data, limits)), name=name)
    except ImageError as error:
        raise _named(error, name) from error.__cause__


def _checked_array(array: NDArray[Any], limits: ImageLimits, colour: Colour) -> RGB:
    array = np.asarray(array)  # a plain array, without a mask or a matrix's rules
    check_array(array)
    limits.check_size(array.shape[1], array.shape[0])
    return array_to_rgb(array, colour)


def _checked_pillow(image: Image.Image) -> RGB:
    rgb = image_to_rgb(image)
    return upright(rgb, read_pillow_orientation(image))


def _frozen(image: RGB) -> RGB:
    view = image.view()
    view.flags.writeable = False
    return view


def _named(error: ImageError, name: str | None) -> ImageError:
    """The same error with the file's base name before its message."""
    if name is None:
        return error
    return type(error)(f"{name}: {error.message}", details=error.details)
