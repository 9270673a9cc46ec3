"""The simulation of attacks: the same numbers, the same picture; the face is where it says."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.errors import InvalidArgument
from mien.train.attacks import KINDS, LIVE_KINDS, Parts, Taken, simulate
from mien.types import Box

ALL = [*KINDS, *LIVE_KINDS]


def portrait(colour=(200, 40, 40), size_hw=(240, 200)):
    """A grey picture with a face of one colour."""
    random = np.random.default_rng(3)
    rough = random.integers(90, 150, (6, 5, 3), np.uint8)
    pixels = cv2.resize(rough, size_hw[::-1], interpolation=cv2.INTER_CUBIC)
    cv2.rectangle(pixels, (70, 70), (129, 149), colour, -1)
    return Taken(pixels, Box(70, 70, 130, 150))


SCENE = portrait((40, 40, 200), (300, 400))


def made(kind, seed, parts=None):
    options = {} if parts is None else {"parts": parts}
    return simulate(kind, portrait(), SCENE, np.random.default_rng(seed), **options)


@pytest.mark.parametrize("kind", ALL)
def test_the_same_numbers_give_the_same_picture(kind):
    one, same, other = made(kind, 7), made(kind, 7), made(kind, 8)
    np.testing.assert_array_equal(one.pixels, same.pixels)
    assert one.face == same.face
    assert one.pixels.shape != other.pixels.shape or (one.pixels != other.pixels).any()


@pytest.mark.parametrize("kind", ALL)
def test_the_face_is_where_the_box_is(kind):
    """What is in the middle of the box is the red of the face, however much it was changed."""
    red = []
    for seed in range(6):
        taken = made(kind, seed, Parts.without("glare", "tone", "gamma", "halftone", "grid"))
        box = taken.face
        high, wide = taken.pixels.shape[:2]
        assert taken.pixels.dtype == np.uint8
        assert 0 <= box.x0 < box.x1 <= wide
        assert 0 <= box.y0 < box.y1 <= high
        y, x = int((box.y0 + box.y1) / 2), int((box.x0 + box.x1) / 2)
        r, g, b = taken.pixels[y - 3 : y + 3, x - 3 : x + 3].reshape(-1, 3).mean(0)
        red.append(r > 1.3 * max(g, b))
    assert sum(red) >= 5  # a finger may lie over it


@pytest.mark.parametrize("kind", ["screen-filling", "print-filling"])
def test_nothing_of_the_scene_is_seen_where_a_surface_fills_the_picture(kind):
    scene = Taken(np.full((300, 400, 3), (0, 255, 0), np.uint8), Box(100, 100, 200, 200))
    parts = Parts.without("camera", "glare", "tone", "gamma", "halftone", "grid", "curvature")
    for seed in range(8):
        taken = simulate(kind, portrait(), scene, np.random.default_rng(seed), parts=parts)
        r, g, b = np.moveaxis(taken.pixels.astype(int), -1, 0)
        assert ((g > 150) & (r < 90) & (b < 90)).mean() < 0.12


def test_a_screen_has_a_pattern_that_can_be_left_out():
    """With the grid, neighbouring pixels of a flat colour differ more."""
    flat = Taken(np.full((240, 200, 3), 128, np.uint8), Box(70, 70, 130, 150))
    bare = Parts.without("camera", "glare", "gamma", "hand", "bezel")
    without = Parts.without("camera", "glare", "gamma", "hand", "bezel", "grid")

    def rough(parts):
        found = []
        for seed in range(6):
            random = np.random.default_rng(seed)
            pixels = simulate("screen-filling", flat, flat, random, parts=parts).pixels
            found.append(np.abs(np.diff(pixels[60:200, 60:200].astype(float), axis=1)).mean())
        return np.mean(found)

    assert rough(bare) > 2 * rough(without)


def test_a_live_photo_without_a_camera_is_left_as_it_is():
    source = portrait()
    taken = simulate("live", source, SCENE, np.random.default_rng(1), parts=Parts.without("camera"))
    np.testing.assert_array_equal(taken.pixels, source.pixels)


def test_a_mask_is_worn_where_somebodys_face_is():
    taken = made("mask", 5)
    wearer = SCENE.face
    for one, other in ((taken.face.x0, wearer.x0), (taken.face.y1, wearer.y1)):
        assert abs(one - other) < 0.4 * wearer.width
    assert taken.pixels.shape == SCENE.pixels.shape


@pytest.mark.parametrize(
    ("kind", "box", "said"),
    [
        ("hologram", Box(70, 70, 130, 150), "hologram"),
        ("phone", Box(70, 70, 300, 150), "not in its photo"),
        ("phone", Box(70, 70, 70, 150), "not in its photo"),
        ("phone", Box(float("nan"), 70, 130, 150), "not in its photo"),
    ],
)
def test_what_cannot_be_simulated(kind, box, said):
    source = Taken(portrait().pixels, box)
    with pytest.raises(InvalidArgument, match=said):
        simulate(kind, source, SCENE, np.random.default_rng(1))


def test_parts_have_names():
    with pytest.raises(InvalidArgument, match="halftone"):
        Parts.without("halftones")


@pytest.mark.parametrize("kind", ALL)
def test_tiny_photos_are_no_harm(kind):
    tiny = Taken(np.full((8, 9, 3), 90, np.uint8), Box(0, 0, 9, 8))
    for seed in range(4):
        assert simulate(kind, tiny, tiny, np.random.default_rng(seed)).pixels.size
