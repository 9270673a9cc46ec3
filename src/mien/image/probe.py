"""The header probe that every encoded image passes before any decoder sees its pixels."""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PIL import Image, ImageFile, features

from mien.errors import ImageDecodeError, ImageError, ImageTooLarge, UnsupportedImage
from mien.image import container
from mien.image.container import Outline
from mien.image.exif import read_orientation
from mien.image.limits import ImageLimits

__all__ = ["Header", "open_with_pillow", "probe"]

_PLUGINS = {
    "jpeg": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "png": ("PIL.PngImagePlugin", "PngImageFile"),
    "webp": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "gif": ("PIL.GifImagePlugin", "GifImageFile"),
    "bmp": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "tiff": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "avif": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "heic": ("pillow_heif", "HeifImageFile"),
}
"""The allow-list. Pillow's classes are opened directly: ``Image.open`` tries every format it
knows, and warns or raises by a process-wide limit that Mien neither trusts nor changes."""

_WALKERS: dict[str, Callable[[bytes, ImageLimits], Outline]] = {
    "jpeg": container.walk_jpeg,
    "png": container.walk_png,
    "webp": container.walk_webp,
    "gif": container.walk_gif,
    "tiff": container.walk_tiff,
}
_MAGIC = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", "bmp"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),
    (b"MM\x00+", "tiff"),
)
_REFUSED = (
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"8BPS", "Photoshop"),
    (b"%PDF", "PDF"),
    (b"%!PS", "PostScript"),
    (b"\x00\x00\x01\x00", "icon"),
    (b"<svg", "SVG"),
)
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
ACCEPTED = "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC"


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of an image before it is decoded.

    Attributes:
        format: ``"jpeg"``, ``"png"``, ``"webp"``, ``"gif"``, ``"bmp"``, ``"tiff"``, ``"avif"``
            or ``"heic"``.
        stored_wh: width and height as a decoder gives them, before ``orientation``.
        orientation: EXIF, 1..8, still to be applied.
        plain_jpeg: a JPEG of one or three components of 8 bits, which OpenCV decodes.
    """

    format: str
    stored_wh: tuple[int, int]
    orientation: int
    plain_jpeg: bool

    @property
    def upright_wh(self) -> tuple[int, int]:
        """Width and height of the upright photo."""
        width, height = self.stored_wh
        return (height, width) if self.orientation >= 5 else (width, height)


def probe(data: bytes, limits: ImageLimits) -> Header:
    """Read the header of an encoded image and hold it against the limits; decode nothing.

    Raises:
        ImageDecodeError: empty, truncated, corrupt, or no image at all.
        UnsupportedImage: a format that is not accepted, or not installed.
        ImageTooLarge: more bytes, pixels or frames than the limits.
        ImageTooSmall: a side below the limit.
    """
    limits.check_bytes(len(data))
    name = _sniff(data)
    walk = _WALKERS.get(name)
    outline = Outline() if walk is None else walk(data, limits)
    image = open_with_pillow(outline.header or data, name)
    limits.check_size(*image.size)
    if name in ("avif", "heic"):
        limits.check_frames(getattr(image, "n_frames", 1))
    exif = outline.exif or image.info.get("exif") or b""
    turned_by_pillow = name in ("tiff", "heic")  # on loading, and the size says so already
    return Header(
        format=name,
        stored_wh=image.size,
        orientation=1 if turned_by_pillow else read_orientation(exif),
        plain_jpeg=name == "jpeg" and image.mode in ("L", "RGB"),
    )


def open_with_pillow(data: bytes, name: str) -> ImageFile.ImageFile:
    """Open an image of a known format, lazily: its pixels are decoded by ``load``.

    Raises:
        ImageDecodeError: a header that cannot be.
        UnsupportedImage: this Pillow cannot read the format, or the extra is not installed.
    """
    module, class_name = _PLUGINS[name]
    if name in ("webp", "avif") and not features.check(name):
        raise UnsupportedImage(
            f"This Pillow was built without {name.upper()}. Send the photo as JPEG or PNG."
        )
    try:
        plugin = getattr(importlib.import_module(module), class_name)
    except ImportError:
        raise UnsupportedImage(
            "HEIC needs the extra 'heif': pip install 'mien[heif]'. Or send the photo as JPEG."
        ) from None
    with pillow_errors(name):
        image: ImageFile.ImageFile = plugin(io.BytesIO(data))
    return image


@contextlib.contextmanager
def pillow_errors(name: str) -> Iterator[None]:
    """Turn whatever Pillow raises on hostile bytes into an error of Mien's.

    Its plugins raise nearly every built-in exception there is, so all are caught but the two
    that are not about the bytes.
    """
    try:
        yield
    except (ImageError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLarge(
            f"The {name} image needs more memory than Pillow allows. Scale it down."
        ) from error
    except Exception as error:
        raise ImageDecodeError(
            f"The {name} image is truncated or corrupt. Save it again, or send another photo."
        ) from error


def _sniff(data: bytes) -> str:
    if not data:
        raise ImageDecodeError("The image is empty. Send the file's bytes.")
    head = data[:64]
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp" and len(head) >= 12:
        end = min(int.from_bytes(head[:4], "big"), len(head))
        brands = {head[i : i + 4] for i in (8, *range(16, end, 4))}
        if brands & {b"avif", b"avis"}:
            return "avif"
        if brands & _HEIF_BRANDS:
            return "heic"
        raise UnsupportedImage(f"The file is a video or another container, not {ACCEPTED}.")
    for magic, label in _REFUSED:
        if head.lstrip().startswith(magic):
            raise UnsupportedImage(f"{label} is not accepted. Send the photo as {ACCEPTED}.")
    raise ImageDecodeError(f"The data is not an image. Send {ACCEPTED}.")
