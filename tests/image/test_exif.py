import io
import struct

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, ImageOps, features

from mien.image import open_photo
from mien.image.exif import read_orientation, upright

FORMATS = ["JPEG", "PNG", "WEBP", "TIFF", *(["AVIF"] if features.check("avif") else [])]


def exif_with(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def pillow_says(data: bytes) -> np.ndarray:
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_as_pillow_turns_it(encode, format, orientation):
    data = encode(format, exif=exif_with(orientation))
    photo = open_photo(data)
    golden = pillow_says(data)
    assert (photo.height, photo.width) == golden.shape[:2]
    np.testing.assert_array_equal(photo.pixels(), golden)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("long_side", [64, 32, 16])
def test_scaled_jpeg_is_upright(encode, orientation, long_side):
    data = encode("JPEG", exif=exif_with(orientation), quality=95, subsampling=0)
    small = open_photo(data).scaled(long_side)
    golden = Image.fromarray(pillow_says(data)).reduce(128 // long_side)
    assert small.shape == np.asarray(golden).shape
    assert np.abs(small.astype(int) - np.asarray(golden)).mean() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pillow_image_is_turned(pattern, encode, orientation):
    data = encode("PNG", exif=exif_with(orientation))
    with Image.open(io.BytesIO(data)) as image:
        photo = open_photo(image)
    np.testing.assert_array_equal(photo.pixels(), pillow_says(data))


def test_png_exif_after_its_data(encode, png_chunk):
    data = encode("PNG")
    late = data[:-12] + png_chunk(b"eXIf", exif_with(6).tobytes().removeprefix(b"Exif\0\0"))
    assert open_photo(late + data[-12:]).width == 96


@pytest.mark.parametrize("order", ["<", ">"])
def test_read_both_byte_orders(order):
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    entries = struct.pack(order + "HHIHH", 0x010F, 3, 1, 9, 0)
    entries += struct.pack(order + "HHIHH", 0x0112, 3, 1, 8, 0)
    block = head + struct.pack(order + "H", 2) + entries
    assert read_orientation(block) == 8
    assert read_orientation(b"Exif\0\0" + block) == 8
    assert read_orientation(block[:-4]) == 1


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_impossible_orientation_counts_as_one(encode, value):
    data = encode("JPEG", exif=exif_with(value))
    assert (open_photo(data).width, open_photo(data).height) == (128, 96)


@given(st.binary(max_size=200))
@example(b"II*\0\xff\xff\xff\xff")
@example(b"MM\0*\0\0\0\x08\xff\xff")
def test_corrupt_block_never_raises(block):
    assert 1 <= read_orientation(block) <= 8
    assert 1 <= read_orientation(b"Exif\0\0MM\0*\0\0\0\x08" + block) <= 8


@given(block=st.binary(max_size=60))
@example(block=b"Exif\0\0" + b"\xff" * 20)
@example(block=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x0f\x01\x02\0\xff\xff\xff\x7f\0\0\0\x7f")
def test_corrupt_exif_does_not_fail_the_photo(encode, block):
    data = encode("JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    photo = open_photo(data[:2] + segment + data[2:])
    np.testing.assert_array_equal(photo.pixels(), open_photo(data).pixels())


def test_pillow_image_with_corrupt_exif(pattern):
    image = Image.fromarray(pattern)
    image.info["exif"] = b"Exif\0\0nonsense"
    np.testing.assert_array_equal(open_photo(image).pixels(), pattern)


@given(st.integers(1, 8), st.integers(1, 9), st.integers(1, 9))
def test_upright_is_contiguous_and_keeps_every_pixel(orientation, height, width):
    image = np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)
    turned = upright(image, orientation)
    assert turned.flags.c_contiguous
    assert sorted(turned.reshape(-1).tolist()) == sorted(image.reshape(-1).tolist())
    expected = (width, height) if orientation >= 5 else (height, width)
    assert turned.shape[:2] == expected
