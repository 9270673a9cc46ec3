import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from mien.errors import ImageTooLarge, ImageTooSmall, InvalidArgument, UnsupportedImage
from mien.image import ImageLimits, open_photo
from mien.image.convert import array_to_rgb, image_to_rgb

ANY = ImageLimits(min_side=1)
GREY16 = np.linspace(0, 65535, 32 * 24).reshape(24, 32).astype(np.uint16)


def test_16_bit_grey_is_scaled_not_clipped(encode):
    expected = np.round(GREY16 / 257).astype(np.uint8)
    for format in ("PNG", "TIFF"):
        pixels = open_photo(encode(format, Image.fromarray(GREY16))).pixels()
        np.testing.assert_array_equal(pixels, np.repeat(expected[:, :, None], 3, axis=2))


def test_16_bit_png_with_a_transparent_grey(encode):
    data = encode("PNG", Image.fromarray(GREY16), transparency=int(GREY16[0, 0]))
    pixels = open_photo(data).pixels()
    assert pixels[0, 0].tolist() == [255] * 3
    assert pixels[0, 1].tolist() == [0] * 3


def test_16_bit_rgb_png(make_png):
    import zlib

    row = b"\0" + b"\x12\x34\xff\xff\x80\x00" * 20
    data = make_png((20, 20), depth=16, data=zlib.compress(row * 20))
    assert open_photo(data).pixels()[7, 3].tolist() == [0x12, 0xFF, 0x80]


def test_12_bit_tiff_is_scaled(make_tiff):
    packed = bytes.fromhex("000fff") * 8 * 16  # samples 0 and 4095 in turn
    pixels = open_photo(make_tiff((16, 16), packed, bits=12)).pixels()
    assert pixels[5, :4, 0].tolist() == [0, 255, 0, 255]


def test_16_bit_tiff_with_white_as_zero(make_tiff):
    data = np.array([0, 65535] * 128, "<u2").tobytes()
    pixels = open_photo(make_tiff((16, 16), data, bits=16, photometric=0)).pixels()
    assert pixels[5, :4, 1].tolist() == [255, 0, 255, 0]


def test_palette_with_alpha_lies_on_white(encode):
    image = Image.new("P", (32, 32), 1)
    image.putpalette([10, 20, 30, 200, 100, 0])
    image.paste(0, (0, 0, 16, 32))
    pixels = open_photo(encode("PNG", image, transparency=b"\xff\x80")).pixels()
    assert pixels[0, 0].tolist() == [10, 20, 30]
    assert np.abs(pixels[0, 31].astype(int) - [227, 177, 127]).max() <= 1
    gif = open_photo(encode("GIF", image, transparency=1)).pixels()
    assert gif[0, 31].tolist() == [255, 255, 255]


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_alpha_lies_on_white(encode, format):
    image = Image.new("RGBA", (32, 32), (200, 0, 0, 0))
    image.paste((200, 0, 0, 255), (0, 0, 16, 32))
    options = {"lossless": True} if format == "WEBP" else {}
    pixels = open_photo(encode(format, image, **options)).pixels()
    assert pixels[0, 0].tolist() == [200, 0, 0]
    assert pixels[0, 31].tolist() == [255, 255, 255]


def test_cmyk_jpeg_as_adobe_writes_it(encode):
    image = Image.new("CMYK", (32, 32), (0, 255, 255, 0))  # red; Pillow writes it inverted
    data = encode("JPEG", image, quality=95)
    assert b"Adobe" in data
    assert np.abs(open_photo(data).pixels().astype(int) - [255, 0, 0]).max() <= 6


def test_rgb_jpeg_without_ycc(encode):
    image = Image.new("RGB", (32, 32), (250, 128, 3))
    data = encode("JPEG", image, keep_rgb=True, quality=95)
    assert np.abs(open_photo(data).pixels().astype(int) - [250, 128, 3]).max() <= 4


def test_jpeg_agrees_with_pillow(encode, pattern):
    import io

    data = encode("JPEG", quality=90)
    golden = np.asarray(Image.open(io.BytesIO(data)))
    assert np.abs(open_photo(data).pixels().astype(int) - golden).max() <= 2
    grey = open_photo(encode("JPEG", Image.fromarray(pattern).convert("L"))).pixels()
    assert np.ptp(grey, axis=2).max() == 0


@pytest.mark.parametrize("format", ["PNG", "GIF", "TIFF", "WEBP"])
def test_first_frame_only(encode, format):
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "lime", "blue")]
    data = encode(format, frames[0], save_all=True, append_images=frames[1:])
    pixel = open_photo(data).pixels()[16, 16].astype(int)
    assert np.abs(pixel - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX"])
def test_pillow_modes(pattern, mode):
    image = Image.fromarray(pattern)
    for step in {"La": ("LA",), "RGBa": ("RGBA",), "PA": ("LA",)}.get(mode, ()):
        image = image.convert(step)
    image = image.convert(mode)
    rgb = image_to_rgb(image)
    assert rgb.shape == pattern.shape
    assert rgb.flags.c_contiguous
    if mode.startswith("RGB"):
        np.testing.assert_array_equal(rgb, pattern)


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "HSV"])
def test_pillow_colour_spaces(pattern, mode):
    image = Image.fromarray(pattern).convert(mode)
    np.testing.assert_array_equal(image_to_rgb(image), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["I", "F", "LAB"])
def test_pillow_modes_of_unknown_range(pattern, mode):
    image = Image.fromarray(pattern).convert("RGB" if mode == "LAB" else "L").convert(mode)
    with pytest.raises(UnsupportedImage, match=mode):
        open_photo(image)


def test_a_pillow_image_is_taken_at_its_frame(encode):
    import io

    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "lime")]
    data = encode("GIF", frames[0], save_all=True, append_images=frames[1:])
    with Image.open(io.BytesIO(data)) as image:
        image.seek(1)
        assert open_photo(image).pixels()[0, 0].tolist() == [0, 255, 0]


def test_rgb_array_is_not_copied(pattern):
    photo = open_photo(pattern)
    assert np.shares_memory(photo.pixels(), pattern)
    assert pattern.flags.writeable
    assert not photo.pixels().flags.writeable


@pytest.mark.parametrize(
    "make",
    [
        lambda a: a[:, ::-1][:, ::-1],
        lambda a: np.asfortranarray(a),
        lambda a: np.ascontiguousarray(a[::-1])[::-1],
        lambda a: a.repeat(2, axis=1)[:, ::2],
        lambda a: np.frombuffer(a.tobytes(), np.uint8).reshape(a.shape),
        lambda a: np.ma.masked_array(a),
    ],
)
def test_array_layouts(pattern, make):
    pixels = open_photo(make(pattern)).pixels()
    np.testing.assert_array_equal(pixels, pattern)
    assert pixels.flags.c_contiguous
    assert type(pixels) is np.ndarray


def test_bgr(pattern):
    bgr = pattern[:, :, ::-1]
    np.testing.assert_array_equal(open_photo(bgr, colour="bgr").pixels(), pattern)
    bgra = np.dstack([bgr, np.full(bgr.shape[:2], 255, np.uint8)])
    np.testing.assert_array_equal(open_photo(bgra, colour="bgr").pixels(), pattern)
    with pytest.raises(InvalidArgument, match="colour"):
        open_photo(pattern, colour="hsv")


def test_grey_arrays(pattern):
    grey = pattern[:, :, 0]
    for array in (grey, grey[:, :, None]):
        np.testing.assert_array_equal(open_photo(array).pixels(), np.dstack([grey] * 3))


def test_alpha_array_lies_on_white():
    rgba = np.zeros((16, 16, 4), np.uint8)
    rgba[0, 0] = 200, 0, 100, 255
    rgba[0, 1] = 200, 0, 100, 128
    pixels = open_photo(rgba).pixels()
    assert pixels[0, :3].tolist() == [[200, 0, 100], [227, 127, 177], [255, 255, 255]]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((20, 20, 3), np.float32), "floats are ambiguous"),
        (np.full((20, 20, 3), np.nan), "floats are ambiguous"),
        (np.zeros((20, 20), np.float16), "floats are ambiguous"),
        (np.zeros((20, 20, 3), bool), "not bool"),
        (np.zeros((20, 20, 3), np.uint16), "not uint16"),
        (np.zeros((20, 20, 3), np.int64), "not int64"),
        (np.zeros((20, 20, 3), object), "not object"),
        (np.zeros((20, 20), "S1"), r"not \|S1"),
        (np.zeros((3, 20, 20), np.uint8), "channels must come last"),
        (np.zeros((20, 20, 2), np.uint8), "shape"),
        (np.zeros((20, 20, 5), np.uint8), "shape"),
        (np.zeros((2, 20, 20, 3), np.uint8), "shape"),
        (np.zeros(20, np.uint8), "shape"),
        (np.array(3, np.uint8), "shape"),
    ],
)
def test_refused_arrays(array, message):
    with pytest.raises(UnsupportedImage, match=message):
        open_photo(array)


@pytest.mark.parametrize("shape", [(0, 0, 3), (0, 20, 3), (20, 0), (1, 1, 3), (15, 400, 3)])
def test_small_arrays(shape):
    with pytest.raises(ImageTooSmall):
        open_photo(np.zeros(shape, np.uint8))


def test_large_arrays_and_images():
    huge = np.broadcast_to(np.uint8(0), (20_000, 20_000, 3))  # one byte of memory
    with pytest.raises(ImageTooLarge):
        open_photo(huge)
    with pytest.raises(ImageTooLarge):
        open_photo(Image.new("L", (32, 32)), limits=ImageLimits(max_pixels=1000))
    with pytest.raises(ImageTooSmall):
        open_photo(Image.new("L", (15, 32)))


@given(
    arrays.arrays(
        arrays.integer_dtypes() | arrays.floating_dtypes() | st.just(np.dtype(bool)),
        arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
    )
)
def test_any_array_is_a_photo_or_a_typed_error(array):
    accepted = (
        array.dtype == np.uint8
        and (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4)))
        and min(array.shape[:2]) > 0
    )
    if accepted:
        assert open_photo(array, limits=ANY).pixels().shape == (*array.shape[:2], 3)
    else:
        with pytest.raises((UnsupportedImage, ImageTooSmall)):
            open_photo(array, limits=ANY)


@given(
    st.sampled_from(["PNG", "BMP", "TIFF", "WEBP"]),
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3))),
)
def test_lossless_round_trip(encode, format, array):
    options = {"lossless": True} if format == "WEBP" else {}
    data = encode(format, Image.fromarray(array), **options)
    np.testing.assert_array_equal(open_photo(data, limits=ANY).pixels(), array)


@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(4))),
    st.sampled_from(["rgb", "bgr"]),
)
def test_alpha_agrees_with_pillow(array, colour):
    rgba = array if colour == "rgb" else array[:, :, [2, 1, 0, 3]]
    golden = image_to_rgb(Image.fromarray(np.ascontiguousarray(rgba)))
    assert np.abs(array_to_rgb(array, colour).astype(int) - golden).max() <= 1
