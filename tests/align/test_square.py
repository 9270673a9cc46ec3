import numpy as np
import pytest

from mien.align import cut_square
from mien.errors import InvalidArgument
from mien.types import Box


def ramp(height, width):
    """Red is the column, green the row."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.arange(width)
    image[..., 1] = np.arange(height)[:, None]
    return image


def test_a_square_box_of_the_crops_size_is_a_slice():
    image = ramp(120, 140)
    np.testing.assert_array_equal(
        cut_square(image, Box(30, 20, 94, 84), (64, 64)), image[20:84, 30:94]
    )


@pytest.mark.parametrize("box", [Box(40, 20, 60, 80), Box(20, 40, 80, 60)])
def test_a_long_box_becomes_the_square_about_its_centre(box):
    image = ramp(120, 140)
    np.testing.assert_array_equal(cut_square(image, box, (60, 60)), image[20:80, 20:80])


def test_it_is_scaled():
    crop = cut_square(ramp(120, 140), Box(10, 30, 60, 80), (100, 100)).astype(float)
    assert crop[50, 50, :2] == pytest.approx([35, 55], abs=1)
    assert crop[50, 90, 0] - crop[50, 10, 0] == pytest.approx(40, abs=1)


def test_it_is_black_outside_the_image():
    crop = cut_square(ramp(120, 140) + 9, Box(-20, -20, 40, 40), (60, 60))
    assert not crop[:19].any()
    assert not crop[:, :19].any()
    assert crop[21:, 21:].all(axis=(0, 1))[:2].all()


def test_an_empty_box_is_refused():
    with pytest.raises(InvalidArgument, match="empty"):
        cut_square(ramp(20, 20), Box(5, 5, 5, 5), (10, 10))
