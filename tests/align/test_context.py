"""The square about a face that is kept with it."""

import numpy as np
import pytest

from mien.align import context_crop
from mien.errors import InvalidArgument
from mien.types import Box

PHOTO = np.random.default_rng(3).integers(1, 255, (100, 140, 3), np.uint8)


def test_a_face_inside_is_cut_out_as_it_is():
    crop = context_crop(PHOTO, Box(60, 40, 80, 64), longest=512)
    assert crop.shape == (48, 48, 3)  # twice the longer side
    assert np.array_equal(crop, PHOTO[28:76, 46:94])


@pytest.mark.parametrize("corner", [(0, 0), (130, 0), (0, 90), (130, 90), (-6, 70)])
def test_the_face_stays_in_the_middle_where_the_photo_ends(corner):
    x, y = corner
    crop = context_crop(PHOTO, Box(x, y, x + 20, y + 20), longest=512)
    padded = np.pad(PHOTO, ((50, 50), (50, 50), (0, 0)))
    assert np.array_equal(crop, padded[y + 40 : y + 80, x + 40 : x + 80])


@pytest.mark.parametrize(("longest", "side"), [(80, 80), (79, 79), (40, 40), (1, 1)])
def test_no_side_is_longer_than_allowed(longest, side):
    assert context_crop(PHOTO, Box(50, 30, 90, 70), longest=longest).shape == (side, side, 3)


def test_a_photo_that_is_all_face_is_scaled_with_its_border():
    crop = context_crop(PHOTO, Box(0, 0, 140, 100), longest=112)
    assert crop.shape == (112, 112, 3)
    inside = crop.any(axis=2)
    assert (inside.any(axis=1).sum(), inside.any(axis=0).sum()) == (40, 56)


@pytest.mark.parametrize("box", [Box(300, 0, 320, 20), Box(5, 5, 5, 5)])
def test_a_box_outside_or_empty_is_refused(box):
    with pytest.raises(InvalidArgument):
        context_crop(PHOTO, box, longest=512)
