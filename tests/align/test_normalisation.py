"""The field's modes against DeepFace 0.0.103 (``normalize_input``), stored as numbers."""

import json
from pathlib import Path

import numpy as np
import pytest

from mien.align import MODES, normalise
from mien.errors import InvalidArgument

GOLDEN = json.loads((Path(__file__).parent / "golden_deepface.json").read_text())


@pytest.fixture
def crops():
    """The same pixels as in the golden file: BGR there, as DeepFace feeds its nets."""
    return np.random.default_rng(7).random((2, 5, 4, 3), dtype=np.float32)


@pytest.mark.parametrize("mode", MODES)
def test_it_is_what_deepface_computes(crops, mode):
    expected = np.reshape(GOLDEN["modes"][mode], crops.shape)
    before = crops.copy()
    found = normalise(crops, mode, colour="bgr")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(crops, before)
    turned = normalise(crops[..., ::-1], mode, colour="rgb")[..., ::-1]
    np.testing.assert_allclose(turned, expected, rtol=0, atol=1e-4)


def test_all_modes_of_the_golden_file_are_there():
    assert set(MODES) == set(GOLDEN["modes"])


def test_a_crop_of_one_colour_has_no_deviation_and_stays_finite():
    flat = np.full((1, 3, 3, 3), 0.25, np.float32)
    assert GOLDEN["flat_facenet"] == pytest.approx(0, abs=1e-3)
    np.testing.assert_allclose(normalise(flat, "Facenet"), 0, atol=1e-3)


def test_each_crop_has_its_own_mean():
    pair = np.stack([np.zeros((4, 4, 3)), np.ones((4, 4, 3))]).astype(np.float32)
    pair[:, 0] = 0.5
    alone = [normalise(one[None], "Facenet")[0] for one in pair]
    np.testing.assert_array_equal(normalise(pair, "Facenet"), np.stack(alone))


@pytest.mark.parametrize("mode", MODES)
def test_no_crop_is_no_crop(mode):
    assert normalise(np.zeros((0, 8, 8, 3), np.float32), mode).shape == (0, 8, 8, 3)


@pytest.mark.parametrize("mode", ["arcface", "", "VGG-Face"])
def test_another_mode_is_an_error_that_names_the_modes(crops, mode):
    with pytest.raises(InvalidArgument, match="Facenet2018"):
        normalise(crops, mode)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((4, 4, 3), np.float32), np.zeros((1, 4, 4, 3)), np.zeros((1, 4, 4, 1), np.float32)],
)
def test_other_arrays_are_refused(wrong):
    with pytest.raises(InvalidArgument, match="float32"):
        normalise(wrong, "raw")
