"""Metrics: DeepFace's definitions, and what every metric must keep."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mien.errors import InvalidArgument, UnknownMetric
from mien.match import METRICS, distance, metrics, paired_distance, paired_similarity, similarity

finite = st.floats(-100, 100, width=32).filter(lambda v: v == 0 or abs(v) > 1e-3)
matrices = st.integers(1, 6).flatmap(
    lambda d: st.tuples(
        arrays(np.float32, st.tuples(st.integers(1, 5), st.just(d)), elements=finite),
        arrays(np.float32, st.tuples(st.integers(1, 5), st.just(d)), elements=finite),
    )
)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("cosine", 1 - 0.6),
        ("euclidean", np.hypot(3 - 2, 4 - 0)),
        ("euclidean_l2", np.hypot(0.6 - 1, 0.8)),
        ("angular", np.arccos(0.6) / np.pi),
    ],
)
def test_definitions(metric, expected):
    a, b = np.array([[3.0, 4.0]]), np.array([[2.0, 0.0]])
    assert distance(a, b, metric)[0, 0] == pytest.approx(expected, abs=1e-6)
    assert similarity(a, b, metric)[0, 0] == pytest.approx(1 - expected, abs=1e-6)


@pytest.mark.parametrize("metric", METRICS)
@given(pair=matrices)
def test_matrix_agrees_with_pairs(metric, pair):
    a, b = pair
    whole = distance(a, b, metric)
    assert whole.dtype == np.float32
    for j in range(len(b)):
        paired = paired_distance(a, np.repeat(b[j : j + 1], len(a), axis=0), metric)
        np.testing.assert_allclose(whole[:, j], paired, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("metric", METRICS)
@given(pair=matrices)
def test_a_distance_is_symmetric_and_never_negative(metric, pair):
    a, b = pair
    forth, back = distance(a, b, metric), distance(b, a, metric)
    assert (forth >= 0).all()
    np.testing.assert_allclose(forth, back.T, atol=2e-5, rtol=1e-5)
    np.testing.assert_allclose(similarity(a, b, metric), 1 - forth, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("metric", METRICS)
@given(pair=matrices)
def test_a_template_is_most_like_itself(metric, pair):
    a = pair[0][np.abs(pair[0]).max(axis=1) > 0]
    np.testing.assert_allclose(paired_similarity(a, a, metric), 1, atol=2e-4)


@pytest.mark.parametrize("metric", ["cosine", "euclidean_l2", "angular"])
@given(pair=matrices, factor=st.floats(0.01, 1000))
def test_directions_alone_count(metric, pair, factor):
    a, b = pair
    scaled = (a * np.float32(factor)).astype(np.float32)
    np.testing.assert_allclose(
        distance(scaled, b, metric), distance(a, b, metric), atol=2e-3, rtol=1e-3
    )


def test_the_metrics_rank_unit_vectors_alike():
    generator = np.random.default_rng(1)
    a = generator.normal(size=(1, 16))
    b = generator.normal(size=(50, 16))
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    a /= np.linalg.norm(a)
    orders = [np.argsort(distance(a, b, metric)[0]).tolist() for metric in METRICS]
    assert all(order == orders[0] for order in orders)


@pytest.mark.parametrize("metric", METRICS)
def test_blocks_do_not_show(metric, monkeypatch):
    generator = np.random.default_rng(2)
    a, b = generator.normal(size=(23, 5)), generator.normal(size=(31, 5))
    whole, row = distance(a, b, metric), paired_distance(a, b[:23], metric)
    monkeypatch.setattr(metrics, "BLOCK", 7)
    np.testing.assert_allclose(distance(a, b, metric), whole, atol=1e-6)
    np.testing.assert_allclose(paired_distance(a, b[:23], metric), row, atol=1e-6)


def test_a_zero_vector_has_no_direction():
    zero, one = np.zeros((1, 3), np.float32), np.ones((1, 3), np.float32)
    assert similarity(zero, one)[0, 0] == 0
    assert similarity(zero, zero)[0, 0] == 0


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_tiny_and_huge_vectors_keep_their_direction(scale):
    a = np.array([[3.0, 4.0]]) * scale
    assert similarity(a.astype(np.float32), np.array([[1.0, 0.0]]))[0, 0] == pytest.approx(0.6)


def test_nan_never_passes_a_threshold():
    score = similarity(np.array([[np.nan, 1.0]]), np.array([[1.0, 1.0]]))
    assert np.isnan(score).all()
    assert not (score >= -1).any()


@pytest.mark.parametrize("metric", METRICS)
def test_empty_sides(metric):
    assert similarity(np.zeros((0, 4)), np.ones((3, 4)), metric).shape == (0, 3)
    assert similarity(np.ones((3, 4)), np.zeros((0, 4)), metric).shape == (3, 0)
    assert paired_similarity(np.zeros((0, 4)), np.zeros((0, 4)), metric).shape == (0,)


def test_what_cannot_be_compared():
    with pytest.raises(UnknownMetric, match="manhattan"):
        similarity(np.ones((1, 2)), np.ones((1, 2)), "manhattan")
    with pytest.raises(InvalidArgument, match="must be"):
        similarity(np.ones((1, 2)), np.ones((1, 3)))
    with pytest.raises(InvalidArgument, match="must be"):
        similarity(np.ones(2), np.ones((1, 2)))
    with pytest.raises(InvalidArgument, match="as many rows"):
        paired_similarity(np.ones((1, 2)), np.ones((2, 2)))
