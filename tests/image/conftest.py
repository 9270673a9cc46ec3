"""Small images for the tests of the image room, made on the spot."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def pattern() -> np.ndarray:
    """A 96 x 128 RGB picture of 8-pixel tiles, without any symmetry."""
    tiles = np.random.default_rng(7).integers(0, 256, (12, 16, 3))
    return np.kron(tiles, np.ones((8, 8, 1))).astype(np.uint8)


@pytest.fixture(scope="session")
def encode(pattern):
    """``encode("PNG", image=None, **options) -> bytes``, by default of the pattern."""

    def run(format: str, image: Image.Image | np.ndarray | None = None, **options) -> bytes:
        picture = pattern if image is None else image
        if isinstance(picture, np.ndarray):
            picture = Image.fromarray(picture)
        file = io.BytesIO()
        picture.save(file, format, **options)
        return file.getvalue()

    return run


@pytest.fixture(scope="session")
def png_chunk():
    """``png_chunk(kind, body) -> bytes``."""

    def run(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    return run


@pytest.fixture(scope="session")
def make_png(png_chunk):
    """A PNG by hand: its header says ``size``, its data hold ``rows`` of black."""

    def run(
        size: tuple[int, int],
        *,
        rows: int | None = None,
        depth: int = 8,
        colour: int = 2,
        interlaced: int = 0,
        extra: bytes = b"",
        data: bytes | None = None,
    ) -> bytes:
        width, height = size
        channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
        row = bytes(1 + (width * channels * depth + 7) // 8)
        if data is None:
            packer = zlib.compressobj(9)
            count = height if rows is None else rows
            data = b"".join(packer.compress(row) for _ in range(count)) + packer.flush()
        header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
        return (
            b"\x89PNG\r\n\x1a\n"
            + png_chunk(b"IHDR", header)
            + extra
            + png_chunk(b"IDAT", data)
            + png_chunk(b"IEND", b"")
        )

    return run


@pytest.fixture(scope="session")
def make_tiff():
    """A grey TIFF by hand, for sample layouts that Pillow reads but does not write."""

    def run(
        size: tuple[int, int], data: bytes, *, bits: int, photometric: int = 1, pages: int = 1
    ) -> bytes:
        start = 8 + len(data)
        tags = {
            256: size[0],
            257: size[1],
            258: bits,
            259: 1,
            262: photometric,
            273: 8,
            277: 1,
            278: size[1],
            279: len(data),
        }
        entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
        length = 2 + len(entries) + 4
        out = struct.pack("<2sHI", b"II", 42, start) + data
        for page in range(pages):
            following = start + length * (page + 1) if page + 1 < pages else 0
            out += struct.pack("<H", len(tags)) + entries + struct.pack("<I", following)
        return out

    return run


@pytest.fixture
def no_decoder(monkeypatch):
    """Fail the test when any decoder is asked for pixels."""
    import cv2
    from PIL import ImageFile

    def refuse(*args, **kwargs):
        raise AssertionError("a decoder was called")

    monkeypatch.setattr(cv2, "imdecode", refuse)
    monkeypatch.setattr(ImageFile.ImageFile, "load", refuse)
    monkeypatch.setattr(Image.Image, "load", refuse)
    monkeypatch.setattr(Image.core, "new", refuse)
