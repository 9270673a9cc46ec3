"""Every row of docs/reference/images.md is run."""

from __future__ import annotations

import base64
import dataclasses
import io
import os
import re
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps, features

from mien.config import Settings
from mien.errors import ImageError
from mien.image import ImageLimits, open_photo

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "images.md"


def rows(heading: str) -> dict[str, str]:
    """First cell -> last cell of the table under a heading."""
    section = PAGE.read_text("utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")][2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    return {row[0]: row[-1] for row in cells}


ANSWERS = rows("Sources") | rows("Formats") | rows("Arrays and Pillow images")


class OneWay(io.BytesIO):
    """A stream that cannot seek."""

    def seekable(self):
        return False

    def seek(self, *args):
        raise io.UnsupportedOperation("seek")


def outcome(make) -> str:
    """The error's code, or ``the photo`` with what can be seen of it."""
    try:
        photo = make()
        pixels = photo.pixels()
    except ImageError as error:
        return error.code
    assert pixels.shape == (photo.height, photo.width, 3)
    return "the photo"


@dataclasses.dataclass
class Shop:
    """Makes the input of each row."""

    encode: object
    make_png: object
    make_tiff: object
    png_chunk: object
    folder: Path

    def __post_init__(self) -> None:
        self.png = self.encode("PNG")
        self.jpeg = self.encode("JPEG")
        self.text = base64.b64encode(self.png).decode()
        self.file = self.folder / "photo.png"
        self.file.write_bytes(self.png)
        self.picture = Image.open(io.BytesIO(self.png)).convert("RGB")
        self.array = np.asarray(self.picture)

    def sources(self) -> dict[str, list]:
        few = {"limits": ImageLimits(max_bytes=len(self.png) - 1)}
        closed = io.BytesIO(self.png)
        closed.close()
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        stood = io.BytesIO(b"x" + self.png)
        stood.seek(1)
        return {
            "path, as text or `os.PathLike`": [self.file, str(self.file)],
            "path that does not exist": [self.folder / "no.jpg", "no.jpg"],
            "path with a NUL character": ["a\0.jpg"],
            "folder": [self.folder],
            "named pipe": [pipe],
            "file above the byte limit": [(self.file, few)],
            "`http://` or `https://` URL": ["http://a.example/b.jpg", "https://a.example/b.jpg"],
            "`data:` URI, base64": ["data:image/png;base64," + self.text],
            "`data:` URI, percent-encoded": ["data:," + "".join(f"%{b:02X}" for b in self.png)],
            "`data:` URI without a comma": ["data:image/png"],
            "base64 text of at least 100 characters": [self.text],
            "base64 with white space": [self.text[:50] + "\r\n " + self.text[50:]],
            "base64 with the URL-safe alphabet": [base64.urlsafe_b64encode(self.png).decode()],
            "base64 without its padding": [
                base64.b64encode(self.png + b"\0" * k).decode().strip("=") for k in range(3)
            ],
            "base64 with wrong padding": ["A" * 101 + "="],
            "base64 above the byte limit": [(self.text, few)],
            "`bytes`, `bytearray`, `memoryview`": [
                kind(self.png) for kind in (bytes, bytearray, memoryview)
            ],
            "empty bytes": [b""],
            "bytes above the byte limit": [(self.png, few)],
            "binary file object, from where it stands": [stood],
            "binary file object that cannot seek": [OneWay(self.png)],
            "stream above the byte limit": [(io.BytesIO(self.png), few)],
            "text file object": [io.StringIO("x")],
            "closed file object": [closed],
            "another type, such as a list": [[1, 2], None],
        }

    def formats(self) -> dict[str, list]:
        encode, picture, png = self.encode, self.picture, self.png
        series = {"save_all": True, "append_images": [ImageOps.invert(picture)]}
        clear = picture.convert("RGBA")
        clear.putalpha(0)
        grey16 = Image.fromarray(np.zeros((32, 32), np.uint16))
        bomb = zlib.compress(bytes(60_000_000), 9)
        progressive = encode("JPEG", progressive=True)
        scan = progressive.rindex(b"\xff\xda")
        few = {"limits": ImageLimits(max_frames=1)}
        cut = {name: encode(name)[:-20] for name in ("PNG", "WEBP", "GIF")}
        segment = b"\xff\xe1\0\x10Exif\0\0II*\0\xff\xff\xff\xff"
        box = b"\0\0\0\x18ftyp%b\0\0\0\0%b%b"
        made = {
            "JPEG, RGB": [self.jpeg],
            "JPEG, greyscale": [encode("JPEG", picture.convert("L"))],
            "JPEG, CMYK, inverted as Adobe does": [encode("JPEG", picture.convert("CMYK"))],
            "JPEG, progressive": [progressive],
            "JPEG with bytes after its end marker": [self.jpeg + b"tail"],
            "JPEG without its end marker": [self.jpeg[:-2]],
            "JPEG cut short": [self.jpeg[:-200]],
            "JPEG with more than 100 scans": [
                progressive[:scan] + progressive[scan:-2] * 101 + b"\xff\xd9"
            ],
            "JPEG with corrupt EXIF": [self.jpeg[:2] + segment + self.jpeg[2:]],
            "PNG, RGB": [png],
            "PNG, greyscale": [encode("PNG", picture.convert("L"))],
            "PNG, grey with alpha": [encode("PNG", picture.convert("LA"))],
            "PNG, 1 bit": [encode("PNG", picture.convert("1"))],
            "PNG, 16-bit grey": [encode("PNG", grey16)],
            "PNG, 16-bit RGB": [self.make_png((20, 20), depth=16)],
            "PNG, palette": [encode("PNG", picture.convert("P"))],
            "PNG, palette with alpha": [
                encode("PNG", picture.convert("P"), transparency=bytes(256))
            ],
            "PNG, RGBA": [encode("PNG", clear)],
            "PNG, animated": [encode("PNG", **series)],
            "PNG cut short": [cut["PNG"]],
            "PNG of 20000 × 20000 pixels": [self.make_png((20_000, 20_000), rows=20)],
            "PNG whose header promises more than its data can hold": [
                self.make_png((7000, 7000), rows=1)
            ],
            "PNG whose data end early": [self.make_png((40, 40), rows=30)],
            "PNG with a bomb in an iCCP, zTXt or iTXt chunk": [
                self.make_png((40, 40), extra=self.png_chunk(kind, b"n\0" + gap + bomb))
                for kind, gap in ((b"iCCP", b"\0"), (b"zTXt", b"\0"), (b"iTXt", b"\1\0\0\0"))
            ],
            "WebP": [encode("WEBP"), encode("WEBP", lossless=True)],
            "WebP with alpha": [encode("WEBP", clear)],
            "WebP, animated": [encode("WEBP", **series)],
            "WebP cut short": [cut["WEBP"]],
            "GIF": [encode("GIF")],
            "GIF, animated": [encode("GIF", **series)],
            "GIF with more frames than the limit": [(encode("GIF", **series), few)],
            "GIF cut short": [cut["GIF"]],
            "BMP": [encode("BMP")],
            "TIFF": [encode("TIFF", **series)],
            "TIFF, 12-bit or 16-bit grey": [
                encode("TIFF", grey16),
                self.make_tiff((16, 16), bytes(384), bits=12),
            ],
            "TIFF with more pages than the limit": [(encode("TIFF", **series), few)],
            "TIFF of 32-bit integers or floats": [
                encode("TIFF", picture.convert("L").convert(mode)) for mode in "IF"
            ],
            "TIFF, Lab": [encode("TIFF", picture.convert("LAB"))],
            "HEIC, without the extra `heif`": [box % (b"heic", b"mif1", b"heic")],
            "MP4 or another container": [box % (b"isom", b"isom", b"mp41")],
            "JPEG 2000, JPEG XL, PSD, PDF, PostScript, icon, SVG": [
                b"\0\0\0\x0cjP  \r\n",
                b"\xff\x0a\0",
                b"8BPS",
                b"%PDF-1",
                b"%!PS",
                b"\0\0\1\0",
                b"<svg>",
            ],
            "anything else": [b"hello", bytes(range(64)), b"\0" * 64],
            "1 × 1 pixel": [encode("PNG", Image.new("RGB", (1, 1)))],
        }
        if features.check("avif"):
            made["AVIF, where Pillow was built with it"] = [encode("AVIF")]
        return made

    def memory(self) -> dict[str, list]:
        array, picture = self.array, self.picture
        other = {"colour": "bgr"}
        cut = Image.open(io.BytesIO(self.png[:-200]))
        return {
            "array `uint8` of shape (H, W, 3), RGB": [array],
            'array of shape (H, W, 3), BGR with `colour="bgr"`': [(array[:, :, ::-1], other)],
            "array of shape (H, W) or (H, W, 1)": [array[:, :, 0], array[:, :, :1]],
            "array of shape (H, W, 4)": [np.asarray(picture.convert("RGBA"))],
            "array with negative strides, not contiguous, or read-only": [
                array[::-1],
                array[:, ::2],
            ],
            "array of shape (3, H, W), or any other": [
                array.transpose(2, 0, 1),
                array[None],
                array[0, 0],
            ],
            "array without pixels": [array[:0]],
            "array above the pixel limit": [np.broadcast_to(np.uint8(0), (20_000, 20_000, 3))],
            "array of floats, NaN or not": [array / 255, np.full((20, 20, 3), np.nan)],
            "array of bool, uint16, integers or objects": [
                array.astype(t) for t in (bool, "u2", int, object)
            ],
            "Pillow image": [picture, picture.convert("P")],
            "Pillow image of a file that is cut short": [cut],
            "Pillow image of mode I or F": [picture.convert("L").convert(mode) for mode in "IF"],
        }


@pytest.fixture
def shop(encode, make_png, make_tiff, png_chunk, tmp_path) -> Shop:
    return Shop(encode, make_png, make_tiff, png_chunk, tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX")
@pytest.mark.parametrize("part", ["sources", "formats", "memory"])
def test_every_row(shop, part, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    for label, inputs in getattr(shop, part)().items():
        assert label in ANSWERS, f"no row {label!r}"
        expected = re.split(r"[,]", ANSWERS[label])[0].strip("`")
        for given in inputs:
            source, options = given if isinstance(given, tuple) else (given, {})
            assert outcome(lambda s=source, o=options: open_photo(s, **o)) == expected, label


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX")
def test_every_row_has_a_case(shop):
    cases = {**shop.sources(), **shop.formats(), **shop.memory()}
    assert set(ANSWERS) - set(cases) <= {"AVIF, where Pillow was built with it"}
    assert all(cases.values())


def test_settings_and_defaults_of_the_page():
    limits = rows("Limits")
    fields = {
        "MIEN_MAX_IMAGE_BYTES": ("max_image_bytes", "image_too_large"),
        "MIEN_MAX_IMAGE_PIXELS": ("max_image_pixels", "image_too_large"),
        "MIEN_MIN_IMAGE_SIDE": ("min_image_side", "image_too_small"),
        "MIEN_MAX_IMAGE_FRAMES": ("max_image_frames", "image_too_large"),
    }
    assert {name.strip("`") for name in limits} == set(fields)
    text = PAGE.read_text("utf-8")
    for name, (field, code) in fields.items():
        assert f"| `{name}` | {Settings.model_fields[field].default} |" in text
        assert limits[f"`{name}`"] == f"`{code}`"
        photo_limit = field.replace("image_", "")
        assert getattr(ImageLimits(), photo_limit) == Settings.model_fields[field].default


def test_grey_and_white_are_what_the_page_says(shop):
    made = shop.formats()
    for label, answer in ANSWERS.items():
        for given in made.get(label, []) if answer.endswith((", grey", "on white")) else []:
            pixels = open_photo(given).pixels()
            if answer.endswith(", grey") or label == "PNG, grey with alpha":
                assert np.ptp(pixels, axis=2).max() == 0
            else:
                assert pixels.min() == 255, label
