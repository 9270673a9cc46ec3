"""Faces drawn on photos: box, landmarks, label. What ``.draw()`` and notebooks show."""

from __future__ import annotations

import functools
import io
import unicodedata
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from mien.errors import InvalidArgument
from mien.types import RGB, Face

__all__ = ["beside", "draw_faces", "to_png"]

_COLOUR = (0, 170, 90)
_POINT = (255, 210, 0)
_TEXT = (255, 255, 255)
_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansKR-Regular.otf",
    "NanumGothic.ttf",
    "AppleSDGothicNeo.ttc",
    "malgun.ttf",
    "msyh.ttc",
    "DejaVuSans.ttf",
)
"""Fonts of common systems that are tried for labels beyond Latin-1, in this order."""

_MAX_HEIGHT = 1080

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def draw_faces(image: RGB, faces: list[tuple[Face, str]]) -> Image.Image:
    """Draw faces and their labels on a copy of a photo.

    Lines and text grow with the image. A name that no font of the system holds is drawn with
    placeholders; it never fails.

    Args:
        image: RGB ``uint8`` ``(H, W, 3)``.
        faces: each with its label, in pixels of ``image``; later ones are drawn over earlier.

    Example:
        >>> import numpy as np
        >>> draw_faces(np.zeros((40, 60, 3), np.uint8), []).size
        (60, 40)
    """
    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    long_side = max(picture.size)
    line = max(1, round(long_side / 400))
    for face, _ in faces:
        box = face.box
        pen.rectangle((box.x0, box.y0, box.x1, box.y1), outline=_COLOUR, width=line)
        radius = max(1.0, min(box.width, box.height) / 40)
        for x, y in () if face.landmarks is None else face.landmarks.tolist():
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_POINT)
    for face, label in faces:
        _draw_label(pen, picture.size, face, label, size=max(12, round(long_side / 45)))
    return picture


def beside(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures side by side, at the height of the highest one but at most 1080 pixels.

    Raises:
        InvalidArgument: no picture is given.

    Example:
        >>> beside([Image.new("RGB", (30, 20)), Image.new("RGB", (10, 20))]).size
        (40, 20)
    """
    if not pictures:
        raise InvalidArgument("There is no picture to show: give at least one.")
    height = min(_MAX_HEIGHT, max(picture.height for picture in pictures))
    scaled = [
        picture
        if picture.height == height
        else picture.resize((max(1, round(picture.width * height / picture.height)), height))
        for picture in pictures
    ]
    sheet = Image.new("RGB", (sum(picture.width for picture in scaled), height))
    left = 0
    for picture in scaled:
        sheet.paste(picture, (left, 0))
        left += picture.width
    return sheet


def to_png(picture: Image.Image) -> bytes:
    """The picture as an encoded PNG file."""
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _draw_label(
    pen: ImageDraw.ImageDraw, canvas_wh: tuple[int, int], face: Face, label: str, *, size: int
) -> None:
    text = _printable(label)
    if not text:
        return
    font = _font(size, wide=not _in_latin_1(text))
    if isinstance(font, ImageFont.ImageFont):  # Pillow without FreeType: a bitmap font
        text = text.encode("latin-1", "replace").decode("latin-1")
    pad = max(2, size // 5)
    text = _shortened(text, font, canvas_wh[0] - 2 * pad)
    x0, y0, x1, y1 = font.getbbox(text)
    width, height = x1 - x0 + 2 * pad, y1 - y0 + 2 * pad
    left = max(0.0, min(face.box.x0, canvas_wh[0] - width))
    top = face.box.y1 if face.box.y1 + height <= canvas_wh[1] else face.box.y0 - height
    top = max(0.0, min(top, canvas_wh[1] - height))
    pen.rectangle((left, top, left + width, top + height), fill=_COLOUR)
    pen.text((left + pad - x0, top + pad - y0), text, fill=_TEXT, font=font)


def _printable(label: str) -> str:
    """One line without control characters and lone surrogates."""
    text = label.encode("utf-8", "replace").decode()
    return "".join(" " if unicodedata.category(c).startswith("C") else c for c in text).strip()


def _in_latin_1(text: str) -> bool:
    return all(ord(character) < 256 for character in text)


def _shortened(text: str, font: Font, width: float) -> str:
    text = text[:200]
    if font.getlength(text) <= width:
        return text
    while len(text) > 1 and font.getlength(text + "..") > width:
        text = text[:-1]
    return text + ".."


@functools.lru_cache(maxsize=32)
def _font(size: int, *, wide: bool) -> Font:
    if wide:
        for name in _FONTS:
            try:
                return ImageFont.truetype(name, size)
            except (OSError, ImportError):  # not on this system, or Pillow without FreeType
                continue
    return ImageFont.load_default(size)
