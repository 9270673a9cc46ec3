"""The probe refuses before any decoder sees the bytes."""

import io
import struct
import sys
import tracemalloc
import zlib

import pytest
from PIL import Image, features

from mien.errors import ImageDecodeError, ImageTooLarge, ImageTooSmall, UnsupportedImage
from mien.image import ImageLimits, open_photo
from mien.image.container import (
    MAX_FULL_SCANS,
    MAX_JPEG_SCANS,
    MAX_PARTS,
    Outline,
    walk_webp,
)
from mien.image.probe import probe

LIMITS = ImageLimits()
BOMB = zlib.compress(bytes(60_000_000), 9)


def peak_kib() -> int:
    """Highest resident memory of this process so far."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak


@pytest.mark.skipif(sys.platform == "win32", reason="resident memory is read by a POSIX call")
def test_png_bomb_is_refused_without_memory(make_png, no_decoder):
    data = make_png((20_000, 20_000), depth=1, colour=0)
    assert len(data) < 60_000
    limits = ImageLimits()
    before = peak_kib()
    tracemalloc.start()
    with pytest.raises(ImageTooLarge) as caught:
        open_photo(data, limits=limits)
    traced = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert traced < 100_000
    assert peak_kib() - before < 4096
    assert caught.value.details == {"limit": 50_000_000, "width": 20_000, "height": 20_000}
    assert caught.value.code == "image_too_large"


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("JPEG", {}),
        ("PNG", {}),
        ("WEBP", {}),
        ("GIF", {}),
        ("BMP", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        *([("AVIF", {})] if features.check("avif") else []),
    ],
)
def test_no_pixel_is_decoded_to_open_or_to_refuse(encode, format, options, request):
    data = encode(format, **options)
    request.getfixturevalue("no_decoder")
    photo = open_photo(data)
    assert (photo.width, photo.height, photo.format) == (128, 96, format.lower())
    with pytest.raises(ImageTooLarge):
        open_photo(data, limits=ImageLimits(max_pixels=128 * 96 - 1))
    with pytest.raises(ImageTooSmall):
        open_photo(data, limits=ImageLimits(min_side=97))
    assert open_photo(data, limits=ImageLimits(max_pixels=128 * 96, min_side=96)).width == 128


def test_bombs_by_their_canvas_never_reach_pillow(encode, monkeypatch):
    gif = bytearray(encode("GIF"))
    struct.pack_into("<HH", gif, 6, 65535, 65535)
    small_canvas = bytearray(encode("GIF"))  # a frame far off the canvas enlarges it
    frame = small_canvas.index(b",", 13 + 3 * 2 ** ((small_canvas[10] & 7) + 1))
    struct.pack_into("<HH", small_canvas, frame + 1, 60000, 60000)
    webp = b"VP8X" + struct.pack("<I", 10) + b"\0" * 4 + b"\xfe\x3f\0" * 2
    webp = b"RIFF" + struct.pack("<I", len(webp) + 4) + b"WEBP" + webp
    monkeypatch.setattr(
        "mien.image.probe.open_with_pillow", lambda *args: pytest.fail("Pillow was asked")
    )
    for data in (bytes(gif), bytes(small_canvas), webp):
        with pytest.raises(ImageTooLarge):
            probe(data, LIMITS)


@pytest.mark.parametrize("chunk", [b"iCCP", b"zTXt", b"iTXt"])
def test_bomb_in_png_metadata(make_png, png_chunk, chunk):
    middle = b"\x01\0\0\0" if chunk == b"iTXt" else b"\0"
    data = make_png((60, 40), extra=png_chunk(chunk, b"name\0" + middle + BOMB))
    tracemalloc.start()
    with pytest.raises(ImageDecodeError):
        open_photo(data)
    traced = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert traced < 10_000_000


def test_png_header_that_lies(make_png, no_decoder):
    with pytest.raises(ImageDecodeError, match="promises more pixels"):
        open_photo(make_png((7000, 7000), rows=1))


@pytest.mark.parametrize("rows", [1, 30, 39])
def test_png_whose_data_end_early(make_png, rows):
    with pytest.raises(ImageDecodeError, match="promises more pixels"):
        open_photo(make_png((60, 40), rows=rows)).pixels()


@pytest.mark.parametrize(("depth", "colour"), [(1, 0), (8, 0), (16, 0), (8, 2), (16, 2), (8, 6)])
def test_black_png_is_whole(make_png, depth, colour):
    photo = open_photo(make_png((61, 41), depth=depth, colour=colour))
    assert photo.pixels().max() == (255 if colour == 6 else 0)


@pytest.mark.parametrize("size", [(16, 16), (17, 19), (60, 41), (33, 16)])
def test_black_interlaced_png_is_whole(make_png, size):
    width, height = size
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
    raw = b""
    for left, top, right, down in (*passes, (0, 1, 1, 2)):
        columns, rows = len(range(left, width, right)), len(range(top, height, down))
        raw += bytes(1 + 3 * columns) * rows
    whole = make_png(size, interlaced=1, data=zlib.compress(raw))
    assert open_photo(whole).pixels().shape == (height, width, 3)
    for end in range(0, len(raw), max(1, len(raw) // 50)):
        short = make_png(size, interlaced=1, data=zlib.compress(raw[:end]))
        with pytest.raises(ImageDecodeError):
            open_photo(short).pixels()


def test_scan_bomb(encode, request):
    data = encode_scans(encode("JPEG", Image.new("L", (64, 64)), progressive=True), 2)
    request.getfixturevalue("no_decoder")
    assert open_photo(data).format == "jpeg"
    bomb = encode_scans(data, MAX_JPEG_SCANS)
    with pytest.raises(ImageDecodeError, match="scans"):
        open_photo(bomb)


def test_scans_and_pixels_together_are_bounded(encode, request):
    data = encode("JPEG", Image.new("L", (80, 50)), progressive=True)
    scans = data.count(b"\xff\xda")
    request.getfixturevalue("no_decoder")
    limits = ImageLimits(max_pixels=4000)
    most = encode_scans(data, 1 + MAX_FULL_SCANS - scans)
    assert open_photo(most, limits=limits).format == "jpeg"
    with pytest.raises(ImageDecodeError, match="too many scans for its size"):
        open_photo(encode_scans(data, 2 + MAX_FULL_SCANS - scans), limits=limits)
    # The same is little work where photos may be larger.
    assert open_photo(encode_scans(data, 2 + MAX_FULL_SCANS - scans)).format == "jpeg"


def encode_scans(data: bytes, count: int) -> bytes:
    start = data.rindex(b"\xff\xda")
    return data[:start] + data[start:-2] * count + b"\xff\xd9"


def test_endless_parts(encode, png_chunk, request):
    jpeg, png, gif, webp = (encode(format) for format in ("JPEG", "PNG", "GIF", "WEBP"))
    chunks = webp[12:] + b"XXXX\0\0\0\0" * MAX_PARTS
    files = [
        jpeg[:2] + b"\xff\xfe\0\2" * MAX_PARTS + jpeg[2:],
        png[:-12] + png_chunk(b"teXt", b"") * MAX_PARTS + png[-12:],
        gif[:-1] + b"!\xfe\0" * MAX_PARTS + b";",
        gif[:-1] + b"\0" * MAX_PARTS + b";",
        b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks,
    ]
    request.getfixturevalue("no_decoder")
    for data in files:
        with pytest.raises(ImageDecodeError, match="parts"):
            open_photo(data)


def test_jpeg_without_picture():
    with pytest.raises(ImageDecodeError, match="no picture"):
        open_photo(b"\xff\xd8\xff\xd9")


def test_end_marker_inside_a_thumbnail_does_not_count(encode):
    data = encode("JPEG")
    inner = b"Exif\0\0" + encode("JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", len(inner) + 2) + inner
    whole = data[:2] + segment + data[2:]
    assert open_photo(whole).width == 128
    with pytest.raises(ImageDecodeError):
        open_photo(whole[:-2])


def animated(encode, format: str, count: int) -> bytes:
    frames = [Image.new("RGB", (32, 32), (20 * i, 255 - 20 * i, 100)) for i in range(count)]
    return encode(format, frames[0], save_all=True, append_images=frames[1:])


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_frames(encode, format, request):
    data = animated(encode, format, 12)
    request.getfixturevalue("no_decoder")
    assert open_photo(data, limits=ImageLimits(max_frames=12)).width == 32
    with pytest.raises(ImageTooLarge, match="11 frames"):
        open_photo(data, limits=ImageLimits(max_frames=11))


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow was built without AVIF")
def test_avif_frames(encode):
    data = animated(encode, "AVIF", 3)
    assert open_photo(data, limits=ImageLimits(max_frames=3)).width == 32
    with pytest.raises(ImageTooLarge, match="2 frames"):
        open_photo(data, limits=ImageLimits(max_frames=2))


def test_tiff_directories_in_a_loop(make_tiff, no_decoder):
    data = bytearray(make_tiff((16, 16), bytes(256), bits=8))
    struct.pack_into("<I", data, len(data) - 4, 8 + 256)
    with pytest.raises(ImageTooLarge, match="frames"):
        open_photo(bytes(data))


@pytest.mark.parametrize(
    "data",
    [
        b"II*\0" + b"\xff" * 8,
        b"MM\0+\0\x08\0\0" + b"\xff" * 8,
        b"II*\0\0\0\0\0",
        b"II+\0\x08\0\0\0" + b"\x10" + b"\0" * 7 + b"\xff" * 8,
    ],
)
def test_tiff_directories_outside_the_file(data):
    with pytest.raises(ImageDecodeError):
        open_photo(data)


@pytest.mark.parametrize("lossless", [False, True])
def test_webp_sizes(encode, lossless):
    data = encode("WEBP", Image.new("RGB", (77, 31)), lossless=lossless)
    assert walk_webp(data, LIMITS) == Outline((77, 31))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"hello, this is text", "not an image"),
        (b"\0" * 100, "not an image"),
        (b"BMessage", "bmp image is truncated or corrupt"),
        (b"RIFF\x10\0\0\0WAVE", "not an image"),
        (b"\0\0\0\x18ft", "not an image"),
    ],
)
def test_not_an_image(data, message):
    with pytest.raises(ImageDecodeError, match=message):
        open_photo(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\xff\x0a\xfa\x7f", "JPEG XL"),
        (b"8BPS\0\1", "Photoshop"),
        (b"%PDF-1.7", "PDF"),
        (b"%!PS-Adobe", "PostScript"),
        (b"\0\0\1\0\1\0", "icon"),
        (b"\n <svg xmlns=''>", "SVG"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp41", "container"),
    ],
)
def test_known_formats_that_are_refused(data, message):
    with pytest.raises(UnsupportedImage, match=message):
        open_photo(data)


def test_heic_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnsupportedImage, match=r"mien\[heif\]"):
        open_photo(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 100)


@pytest.mark.parametrize("orientation", [1, 6])
def test_heic(pattern, orientation):
    pillow_heif = pytest.importorskip("pillow_heif", reason="the extra 'heif' is not installed")
    heif = pillow_heif.from_pillow(Image.fromarray(pattern))
    exif = Image.Exif()
    exif[0x0112] = orientation
    heif.info["exif"] = exif.tobytes()
    file = io.BytesIO()
    heif.save(file, quality=90)
    photo = open_photo(file.getvalue())
    size = (128, 96) if orientation == 1 else (96, 128)
    assert (photo.format, photo.width, photo.height) == ("heic", *size)
    assert photo.pixels().shape == (size[1], size[0], 3)


@pytest.mark.parametrize("name", ["webp", "avif"])
def test_pillow_without_a_codec(monkeypatch, name):
    monkeypatch.setattr(features, "check", lambda feature: False)
    webp = b"VP8X" + struct.pack("<I", 10) + b"\0" * 4 + b"\x20\0\0" * 2
    heads = {
        "webp": b"RIFF" + struct.pack("<I", len(webp) + 4) + b"WEBP" + webp,
        "avif": b"\0\0\0\x18ftypavif\0\0\0\0mif1avif",
    }
    with pytest.raises(UnsupportedImage, match=name.upper()):
        open_photo(heads[name])


def test_pillows_bomb_check_is_typed(make_tiff, monkeypatch):
    data = make_tiff((64, 64), bytes(4096), bits=8)
    monkeypatch.setattr(
        "PIL.TiffImagePlugin.TiffImageFile._open",
        lambda self: (_ for _ in ()).throw(Image.DecompressionBombError()),
    )
    with pytest.raises(ImageTooLarge, match="Pillow allows"):
        open_photo(data)


def test_pillows_settings_are_left_alone(encode, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # far below: neither warns nor raises
    for format in ("JPEG", "PNG", "BMP"):
        assert open_photo(encode(format)).pixels().shape == (96, 128, 3)
    assert Image.MAX_IMAGE_PIXELS == 1000
