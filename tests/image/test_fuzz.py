"""Real photos, damaged at random: decoded, or refused with a typed error, never anything else.

A few hundred damaged files a format by default, tens of thousands with MIEN_SOAK=1 (``make soak``).
"""

from __future__ import annotations

import os
import random
import struct

import pytest
from PIL import Image, features

from mien.errors import ImageError
from mien.image import ImageLimits, open_photo

ROUNDS = 20_000 if os.environ.get("MIEN_SOAK") else 150
LIMITS = ImageLimits(max_bytes=2_000_000, max_pixels=1_000_000)
FORMS = {
    "jpeg": ("JPEG", {}),
    "jpeg-progressive": ("JPEG", {"progressive": True}),
    "png": ("PNG", {}),
    "gif": ("GIF", {}),
    "webp": ("WEBP", {}),
    "bmp": ("BMP", {}),
    "tiff": ("TIFF", {"compression": "tiff_lzw"}),
    **({"avif": ("AVIF", {})} if features.check("avif") else {}),
}
TELLING = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF]


@pytest.fixture(scope="module")
def photos(people, encode) -> dict[str, bytes]:
    """A real photo, small, with EXIF, in every form."""
    with Image.open(people["Barack Obama"][0]) as photo:
        small = photo.convert("RGB").resize((91, 114))
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    made = {}
    for name, (form, options) in FORMS.items():
        more = {"exif": exif.tobytes()} if form in ("JPEG", "PNG", "WEBP") else {}
        made[name] = encode(form, small, **options, **more)
    return made


def damaged(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """``data`` after one to four accidents, half of them near its beginning."""
    body = bytearray(data)
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        reach = min(len(body), chance.choice([64, 512, len(body), len(body)])) or 1
        at = chance.randrange(reach)
        length = chance.choice([1, 1, 4, 64])
        match chance.choice([0, 0, 0, 1, 1, 2, 3, 4, 4, 5, 6]):
            case 0:
                body[at : at + 1] = bytes([(body[at] if body else 0) ^ 1 << chance.randrange(8)])
            case 1:
                body[at : at + length] = chance.randbytes(length)
            case 2:
                del body[at : at + length]
            case 3:
                body[at:at] = body[at : at + length]
            case 4:
                order = chance.choice("<>")
                body[at : at + 4] = struct.pack(f"{order}I", chance.choice(TELLING))
            case 5:
                start = chance.randrange(len(other))
                body[at : at + length] = other[start : start + length]
            case 6:
                del body[chance.randrange(reach, len(body) + 1) :]
    return bytes(body)


@pytest.mark.parametrize("name", FORMS)
def test_damaged_photos_are_decoded_or_refused(photos, name):
    assert open_photo(photos[name], limits=LIMITS).pixels().shape[2] == 3
    others = [*photos.values()]
    refused = 0
    for turn in range(ROUNDS):
        chance = random.Random(f"{name} {turn}")
        data = damaged(photos[name], chance.choice(others), chance)
        try:
            photo = open_photo(data, limits=LIMITS)
            pixels = photo.pixels()
        except ImageError:
            refused += 1
        except Exception as error:
            raise AssertionError(f"{name}, turn {turn}: {type(error).__name__}: {error}") from error
        else:
            assert pixels.shape == (photo.height, photo.width, 3), turn
            assert photo.height * photo.width <= LIMITS.max_pixels, turn
    assert ROUNDS / 20 < refused < ROUNDS  # some got through to the decoders
