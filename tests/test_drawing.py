import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFont

from mien import drawing
from mien.drawing import beside, draw_faces, to_png
from mien.errors import InvalidArgument
from mien.types import Box, Face

GREY = np.full((240, 320, 3), 128, np.uint8)
POINTS = np.array([[120, 100], [160, 100], [140, 120], [125, 140], [155, 140]], np.float32)
FACE = Face(Box(100, 60, 180, 170), 0.9, POINTS)


def changed(picture: Image.Image) -> np.ndarray:
    """Where the drawing differs from the grey photo."""
    return (np.asarray(picture) != 128).any(axis=2)


def test_box_and_landmarks_are_where_they_belong():
    mask = changed(draw_faces(GREY, [(FACE, "")]))
    assert mask[60, 100:181].all()
    assert mask[170, 100:181].all()
    assert mask[60:171, 100].all()
    assert mask[60:171, 180].all()
    for x, y in POINTS.astype(int):
        assert mask[y, x]
    assert not mask[80, 140]
    assert not mask[:50].any()
    assert not mask[180:].any()


def test_the_photo_is_not_touched():
    frozen = GREY.copy()
    frozen.flags.writeable = False
    draw_faces(frozen, [(FACE, "name")])
    assert (frozen == 128).all()


def test_label_stands_under_the_box_or_above_where_there_is_no_room():
    below = changed(draw_faces(GREY, [(FACE, "name")]))
    assert below[172:190, 100:130].any()
    low = Face(Box(100, 120, 180, 239), 0.9)
    above = changed(draw_faces(GREY, [(low, "name")]))
    assert above[100:118, 100:130].any()


def test_label_grows_with_the_image():
    def label_height(size: int) -> int:
        image = np.full((size, size, 3), 128, np.uint8)
        face = Face(Box(size * 0.2, size * 0.2, size * 0.6, size * 0.6), 1.0)
        mask = changed(draw_faces(image, [(face, "name")]))
        return int(mask[int(size * 0.6) + size // 200 :, int(size * 0.21)].sum())

    assert label_height(4000) > 4 * label_height(400) > 0


@pytest.mark.parametrize(
    "label", ["김연아 0.98", "Zoë", "王小明", "🙂", "a\nb\x00c", "\udcff", "x" * 500]
)
@pytest.mark.parametrize("size", [(240, 320), (16, 16)])
def test_any_label_gives_a_picture(label, size):
    image = np.full((*size, 3), 128, np.uint8)
    picture = draw_faces(image, [(Face(Box(2, 2, 12, 12), 0.5), label)])
    assert picture.size == (size[1], size[0])
    assert changed(picture).any()


@pytest.mark.parametrize("label", ["김연아 0.98", "Zoë"])
def test_without_any_font_of_the_system_or_freetype(label, monkeypatch):
    bitmap = ImageFont.load_default_imagefont()

    def missing(*args, **kwargs):
        raise OSError("cannot open resource")

    monkeypatch.setattr(ImageFont, "truetype", missing)
    monkeypatch.setattr(ImageFont, "load_default", lambda size=None: bitmap)
    drawing._font.cache_clear()
    try:
        mask = changed(draw_faces(GREY, [(FACE, label)]))
    finally:
        drawing._font.cache_clear()
    assert mask[172:190, 100:130].any()


@given(
    st.text(max_size=30),
    st.tuples(*[st.floats(-50, 400) for _ in range(4)]),
)
def test_never_fails(label, corners):
    x0, y0, x1, y1 = corners
    box = Box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    assert draw_faces(GREY, [(Face(box, 0.5), label)]).size == (320, 240)


def test_beside():
    left, right = Image.new("RGB", (30, 20), "red"), Image.new("RGB", (20, 10), "blue")
    sheet = beside([left, right])
    assert sheet.size == (30 + 40, 20)
    assert sheet.getpixel((29, 19)) == (255, 0, 0)
    assert sheet.getpixel((30, 0)) == (0, 0, 255)
    assert beside([Image.new("RGB", (2000, 4000))]).size == (540, 1080)
    with pytest.raises(InvalidArgument):
        beside([])


def test_to_png_round_trip():
    picture = draw_faces(GREY, [(FACE, "0.90")])
    again = Image.open(io.BytesIO(to_png(picture)))
    assert again.format == "PNG"
    np.testing.assert_array_equal(np.asarray(again), np.asarray(picture))
