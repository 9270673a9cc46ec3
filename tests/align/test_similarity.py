import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.align import similarity_transform, template, warp
from mien.errors import InvalidArgument

finite = st.floats(-500, 500, allow_nan=False, width=32)


def apply(matrix, points):
    return points @ matrix[:, :2].T + matrix[:, 2]


@given(
    angle=st.floats(-np.pi, np.pi),
    scale=st.floats(0.05, 20),
    shift=st.tuples(finite, finite),
)
def test_recovers_any_similarity(angle, scale, shift):
    source = template("arcface112").astype(np.float64)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    truth = np.array([[c, -s, shift[0]], [s, c, shift[1]]])
    found = similarity_transform(source, apply(truth, source))
    np.testing.assert_allclose(found, truth, atol=1e-6 * max(1, scale, *map(abs, shift)))


@given(st.lists(st.tuples(finite, finite), min_size=5, max_size=5))
def test_is_the_least_squares_optimum_among_similarities(points):
    source = np.array(points)
    if np.ptp(source, axis=0).max() < 1e-3:
        return
    target = template("arcface112").astype(np.float64)
    best = similarity_transform(source, target)
    error = np.sum((apply(best, source) - target) ** 2)
    rng = np.random.default_rng(0)
    for _ in range(20):
        da, db, dx, dy = rng.normal(0, 1e-3, 4)
        other = best + np.array([[da, -db, dx], [db, da, dy]])
        assert np.sum((apply(other, source) - target) ** 2) >= error - 1e-6 * (1 + error)


@given(st.lists(st.tuples(finite, finite), min_size=2, max_size=8))
def test_never_reflects(points):
    source = np.array(points)
    if np.ptp(source, axis=0).max() < 1e-3:
        return
    target = source[:, ::-1]  # a mirror image along the diagonal
    linear = similarity_transform(source, target)[:, :2]
    assert np.linalg.det(linear) >= -1e-9


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (np.ones((5, 2)), np.zeros((5, 2))),
        (np.zeros((5, 3)), np.zeros((5, 3))),
        (np.zeros((1, 2)), np.zeros((1, 2))),
        (np.random.rand(5, 2), np.random.rand(4, 2)),
        (np.full((5, 2), np.nan), np.zeros((5, 2))),
    ],
)
def test_refuses_degenerate_points(source, target):
    with pytest.raises(InvalidArgument):
        similarity_transform(source, target)


def test_warp_puts_the_landmarks_on_the_template():
    target = template("arcface112")
    landmarks = target * 2.5 + np.array([40, 30], np.float32)
    image = np.zeros((400, 400, 3), np.uint8)
    for x, y in landmarks:
        image[round(y) - 4 : round(y) + 5, round(x) - 4 : round(x) + 5] = 255
    crop = warp(image, landmarks, target, (112, 112))
    assert crop.shape == (112, 112, 3)
    for x, y in target:
        assert crop[round(y), round(x)].min() == 255


def test_unknown_template_names_the_known_ones():
    with pytest.raises(InvalidArgument, match="arcface112"):
        template("nose")
