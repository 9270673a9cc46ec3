"""What image files say about themselves, read by walking their structure; nothing is decoded.

Pillow answers most questions about a header. These walkers answer the rest, cheaply and with
bounded work, before Pillow or OpenCV see the bytes: is the file whole, how large is the canvas
(WebP's and GIF's are allocated when Pillow opens them), how many frames follow, where is the EXIF
block (Pillow warns about corrupt ones, and decodes a whole PNG to find a late one).

Sources: ITU-T T.81 annex B (JPEG), the PNG specification third edition, GIF89a, the WebP
container specification, TIFF 6.0 and BigTIFF.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from mien.errors import ImageDecodeError
from mien.image.limits import ImageLimits

__all__ = [
    "Outline",
    "png_holds_all_rows",
    "walk_gif",
    "walk_jpeg",
    "walk_png",
    "walk_tiff",
    "walk_webp",
]

MAX_JPEG_SCANS = 100
"""More scans make a progressive JPEG a bomb: each costs a pass over all pixels."""

MAX_FULL_SCANS = 20
"""Scans of a JPEG that has as many pixels as there may be; a smaller one may have more. Encoders
make ten, and 75 bytes ask for another pass over 50 million pixels."""

MAX_PARTS = 50_000
"""Segments, chunks or blocks of one file. A million empty ones keep decoders busy for seconds."""

_JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd7])", re.DOTALL)
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_MAX_DEFLATE_RATIO = 1032  # https://zlib.net/zlib_tech.html

_INFLATE_STEP = 1 << 16
_ADAM7 = (  # first column and row, steps: PNG specification, section 8.1
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


@dataclass(frozen=True, slots=True)
class Outline:
    """What a walk found.

    Attributes:
        size_wh: of the stored image, or None where only Pillow knows.
        exif: the EXIF block, or empty.
        header: for JPEG, all that a decoder needs, up to and with the first scan header, without
            the application segments (other than Adobe's); empty otherwise.
    """

    size_wh: tuple[int, int] | None = None
    exif: bytes = b""
    header: bytes = b""


def walk_jpeg(data: bytes, limits: ImageLimits) -> Outline:
    """Find the end marker and the EXIF block; bytes after the end marker are let be.

    Raises:
        ImageDecodeError: the file ends before its end marker, or has too many scans.
    """
    header, exif = [data[:2]], b""
    position, scans, pixels = 2, 0, 0
    for _ in range(MAX_PARTS):
        marker = _JPEG_MARKER.search(data, position)
        if marker is None:
            raise _truncated("JPEG")
        code, start = marker[1][0], marker.end()
        if code == 0xD9:  # end of image
            if scans == 0:
                raise ImageDecodeError("The JPEG holds no picture. Save it again.")
            return Outline(exif=exif, header=b"".join(header))
        if code == 0xD8:  # start of image, again: without payload
            position = start
            continue
        length = int.from_bytes(data[start : start + 2], "big")
        position = start + length
        if length < 2 or position > len(data):
            raise _truncated("JPEG")
        if code in _JPEG_FRAMES:
            height, width = struct.unpack(">HH", data[start + 3 : start + 7].ljust(4, b"\0"))
            pixels = max(pixels, width * height)
        if code == 0xE1 and not exif and data.startswith(b"Exif\x00\x00", start + 2):
            exif = data[start + 2 : position]
        if scans == 0 and (code == 0xEE or not (0xE0 <= code <= 0xEF or code == 0xFE)):
            header.append(data[start - 2 : position])
        if code == 0xDA:  # start of scan; entropy-coded data follows, up to the next marker
            scans += 1
            if scans > MAX_JPEG_SCANS:
                raise ImageDecodeError(
                    f"The JPEG has more than {MAX_JPEG_SCANS} scans. Save it again as an "
                    "ordinary JPEG."
                )
            if scans * pixels > MAX_FULL_SCANS * limits.max_pixels:
                raise ImageDecodeError(
                    "The JPEG has too many scans for its size. Save it again as an ordinary JPEG."
                )
    raise _too_many_parts("JPEG")


def walk_png(data: bytes, limits: ImageLimits) -> Outline:
    """Read size, frames and EXIF, and see that the file is whole and can hold that size.

    Raises:
        ImageDecodeError: no header, no end, or less data than the size needs.
        ImageTooLarge: more pixels or frames than the limits.
        ImageTooSmall: a side below the limit.
    """
    if data[12:16] != b"IHDR" or len(data) < 33:
        raise _truncated("PNG")
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    limits.check_size(width, height)
    packed, exif = 0, b""
    for kind, start, length in _png_chunks(data):
        if kind == b"IDAT":
            packed += length
        elif kind == b"eXIf" and not exif:
            exif = data[start : start + length]
        elif kind == b"acTL" and length >= 4:
            limits.check_frames(int.from_bytes(data[start : start + 4], "big"))
    needed = height * ((width * _PNG_CHANNELS.get(colour, 1) * depth + 7) // 8)
    if needed > packed * _MAX_DEFLATE_RATIO:
        raise ImageDecodeError(
            "The PNG's header promises more pixels than its data can hold. Save it again."
        )
    return Outline((width, height), exif)


def png_holds_all_rows(data: bytes) -> bool:
    """Inflate the data of a PNG that :func:`walk_png` has passed, keeping nothing of it.

    Pillow leaves rows black that a properly ended stream does not hold; this tells.
    """
    width, height, depth, colour, interlaced = struct.unpack_from(">IIBBxxB", data, 16)
    bits: int = _PNG_CHANNELS.get(colour, 1) * depth
    missing = 0
    for left, top, right, down in _ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - left) // right), -(-(height - top) // down)
        if columns > 0:
            missing += rows * (1 + (columns * bits + 7) // 8)
    inflater = zlib.decompressobj()
    for kind, start, length in _png_chunks(data):
        piece = data[start : start + length] if kind == b"IDAT" else b""
        while missing > 0 and (piece or kind == b"IDAT"):
            raw = inflater.decompress(piece, _INFLATE_STEP)
            missing -= len(raw)
            piece = inflater.unconsumed_tail
            if not raw and not piece:
                break
    return bool(missing <= 0)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and length of each chunk after IHDR; the end must be there."""
    position = 33
    for _ in range(MAX_PARTS):
        if position + 12 > len(data):
            raise _truncated("PNG")
        length = int.from_bytes(data[position : position + 4], "big")
        kind, start = data[position + 4 : position + 8], position + 8
        position = start + length + 4
        if position > len(data):
            raise _truncated("PNG")
        if kind == b"IEND":
            return
        yield kind, start, length
    raise _too_many_parts("PNG")


def walk_gif(data: bytes, limits: ImageLimits) -> Outline:
    """Count frames, and find the canvas that the first frame needs.

    Raises:
        ImageDecodeError: the file ends before its trailer, or has no frame.
        ImageTooLarge: more pixels or frames than the limits.
        ImageTooSmall: a side below the limit.
    """
    if len(data) < 13:
        raise _truncated("GIF")
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position, frames = 13 + _gif_palette(flags), 0
    for _ in range(MAX_PARTS):
        block = data[position : position + 1]
        position += 1
        if not block:
            raise _truncated("GIF")
        if block == b";":  # trailer
            if frames == 0:
                raise ImageDecodeError("The GIF holds no frame. Save it again.")
            return Outline((width, height))
        if block == b"!":  # extension: label, sub-blocks
            position = _skip_sub_blocks(data, position + 1)
        elif block == b",":  # image: place, palette, code size, sub-blocks
            if position + 10 > len(data):
                raise _truncated("GIF")
            left, top, w, h, flags = struct.unpack_from("<HHHHB", data, position)
            if frames == 0:
                width, height = max(width, left + w), max(height, top + h)
                limits.check_size(width, height)
            frames += 1
            limits.check_frames(frames)
            position = _skip_sub_blocks(data, position + 10 + _gif_palette(flags))
    raise _too_many_parts("GIF")


def _gif_palette(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_sub_blocks(data: bytes, position: int) -> int:
    try:
        while size := data[position]:
            position += size + 1
    except IndexError:
        raise _truncated("GIF") from None
    return position + 1


def walk_webp(data: bytes, limits: ImageLimits) -> Outline:
    """Read the canvas, count frames, find EXIF.

    Raises:
        ImageDecodeError: the file is shorter than it says, or has no picture.
        ImageTooLarge: more pixels or frames than the limits.
        ImageTooSmall: a side below the limit.
    """
    end = 8 + int.from_bytes(data[4:8], "little")
    if len(data) < max(end, 30):
        raise _truncated("WebP")
    size, exif, frames, position = None, b"", 0, 12
    for _ in range(MAX_PARTS):
        if position + 8 > end:
            break
        kind = data[position : position + 4]
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        body, position = position + 8, position + 8 + length + length % 2
        if body + length > end:
            raise _truncated("WebP")
        if kind in (b"VP8X", b"VP8 ", b"VP8L") and size is None:
            size = _webp_size(kind, data[body : body + 10])
            limits.check_size(*size)
        elif kind == b"ANMF":
            frames += 1
            limits.check_frames(frames)
        elif kind == b"EXIF" and not exif:
            exif = data[body : body + length]
    else:
        raise _too_many_parts("WebP")
    if size is None:
        raise ImageDecodeError("The WebP holds no picture. Save it again.")
    return Outline(size, exif)


def _webp_size(kind: bytes, head: bytes) -> tuple[int, int]:
    if len(head) < 10:
        head = head.ljust(10, b"\x00")
    if kind == b"VP8X":
        w, h = int.from_bytes(head[4:7], "little"), int.from_bytes(head[7:10], "little")
        return w + 1, h + 1
    if kind == b"VP8L":
        bits = int.from_bytes(head[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    w, h = struct.unpack_from("<HH", head, 6)
    return w & 0x3FFF, h & 0x3FFF


def walk_tiff(data: bytes, limits: ImageLimits) -> Outline:
    """Count pages.

    Raises:
        ImageDecodeError: a directory of pages lies outside the file.
        ImageTooLarge: more pages than the limits (a loop of directories counts as that).
    """
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\x00", b"\x00+")
    number, counter, entry = ("Q", "Q", 20) if big else ("I", "H", 12)
    try:
        (offset,) = struct.unpack_from(order + number, data, 8 if big else 4)
        pages = 0
        while offset:
            pages += 1
            limits.check_frames(pages)
            (count,) = struct.unpack_from(order + counter, data, offset)
            offset += struct.calcsize(order + counter) + entry * count
            (offset,) = struct.unpack_from(order + number, data, offset)
    except (struct.error, OverflowError, IndexError):  # an offset beyond the file, or any file
        raise _truncated("TIFF") from None
    if pages == 0:
        raise ImageDecodeError("The TIFF holds no page. Save it again.")
    return Outline()


def _truncated(name: str) -> ImageDecodeError:
    return ImageDecodeError(f"The {name} file is cut short or damaged. Send the whole file.")


def _too_many_parts(name: str) -> ImageDecodeError:
    return ImageDecodeError(f"The {name} file has more than {MAX_PARTS} parts. Save it again.")
