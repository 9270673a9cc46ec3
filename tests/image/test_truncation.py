"""A file that is cut short is refused, wherever it is cut."""

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, features

from mien.errors import ImageDecodeError, ImageError
from mien.image import open_photo

KINDS = {
    "jpeg": ("JPEG", {}),
    "jpeg-progressive": ("JPEG", {"progressive": True}),
    "jpeg-cmyk": ("JPEG", {"mode": "CMYK"}),
    "png": ("PNG", {}),
    "png-grey": ("PNG", {"mode": "L"}),
    "png-animated": ("PNG", {"animated": True}),
    "gif": ("GIF", {}),
    "gif-animated": ("GIF", {"animated": True}),
    "webp": ("WEBP", {}),
    "webp-lossless": ("WEBP", {"lossless": True}),
    "webp-animated": ("WEBP", {"animated": True}),
    "bmp": ("BMP", {}),
    "tiff": ("TIFF", {}),
    "tiff-lzw": ("TIFF", {"compression": "tiff_lzw"}),
    **({"avif": ("AVIF", {})} if features.check("avif") else {}),
}


@pytest.fixture(scope="module")
def files(encode, pattern) -> dict[str, bytes]:
    made = {}
    for name, (format, given_options) in KINDS.items():
        options = dict(given_options)
        picture = Image.fromarray(pattern).convert(options.pop("mode", "RGB"))
        if options.pop("animated", False):
            options |= {"save_all": True, "append_images": [ImageOps.invert(picture)]}
        made[name] = encode(format, picture, **options)
    return made


@pytest.mark.parametrize("name", KINDS)
def test_cut_anywhere(files, name):
    data = files[name]
    assert open_photo(data).pixels().shape == (96, 128, 3)
    step = max(1, len(data) // 400)
    cuts = {*range(0, len(data), step), *range(40), *range(len(data) - 40, len(data))}
    for cut in cuts:
        with pytest.raises(ImageDecodeError):
            open_photo(data[:cut]).pixels()


@pytest.mark.parametrize("name", [name for name in KINDS if name.startswith("jpeg")])
@pytest.mark.parametrize("tail", [b"\0" * 100, b"\xff\xd8\xff\xe0 preview", b"ftypmp42 video"])
def test_bytes_after_a_jpeg_do_not_matter(files, name, tail):
    data = files[name]
    np.testing.assert_array_equal(open_photo(data + tail).pixels(), open_photo(data).pixels())


@pytest.mark.parametrize("name", ["jpeg", "png", "gif", "webp", "bmp", "tiff"])
def test_filled_up_with_zeros_is_no_crash(files, name):
    data = files[name]
    for cut in range(1, len(data), max(1, len(data) // 20)):
        padded = data[:cut] + b"\0" * (len(data) - cut)
        with contextlib.suppress(ImageError):
            assert open_photo(padded).pixels().shape[2] == 3


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), patch=st.binary(min_size=1, max_size=8))
def test_damage_is_concealed_or_typed(files, name, place, patch):
    data = files[name]
    start = int(place * len(data))
    damaged = data[:start] + patch + data[start + len(patch) :]
    with contextlib.suppress(ImageError):
        photo = open_photo(damaged)
        assert photo.pixels().shape == (photo.height, photo.width, 3)


HEADS = [
    b"",
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x20\0\0\0\x20\x08\x02\0\0\0",
    b"GIF89a\x20\0\x20\0\x80\0\0",
    b"RIFF\x40\0\0\0WEBPVP8 ",
    b"BM",
    b"II*\0\x08\0\0\0",
    b"MM\0+\0\x08\0\0",
    b"\0\0\0\x18ftypavif\0\0\0\0mif1avif",
]


@settings(max_examples=300)
@given(head=st.sampled_from(HEADS), body=st.binary(max_size=300))
def test_random_bytes_raise_only_image_errors(head, body):
    with pytest.raises(ImageError):
        open_photo(head + body).pixels()
