"""The two fits: parameters that made the data are found again."""

import numpy as np
import pytest
from scipy.stats import genpareto

from mien.errors import InvalidArgument
from mien.evaluate.fitting import fit_logistic, fit_tail


def test_the_logistic_fit_finds_the_weights():
    generator = np.random.default_rng(0)
    x = np.column_stack([generator.normal(size=(40_000, 2)), np.ones(40_000)])
    truth = np.array([2.0, -1.0, 0.5])
    same = generator.random(len(x)) < 1 / (1 + np.exp(-x @ truth))
    found = fit_logistic(x, same, np.ones(len(x)), np.zeros(3))
    np.testing.assert_allclose(found, truth, atol=0.06)
    shrunk = fit_logistic(x, same, np.ones(len(x)), np.array([0.0, 1.0, 0.0]))
    assert abs(shrunk[1]) < abs(found[1]) / 3


def test_weights_count_like_repetitions():
    generator = np.random.default_rng(1)
    x = np.column_stack([generator.normal(size=50), np.ones(50)])
    same = x[:, 0] + generator.normal(size=50) > 0
    times = generator.integers(1, 4, 50)
    weighted = fit_logistic(x, same, times.astype(float), np.full(2, 1e-3))
    repeated = fit_logistic(
        np.repeat(x, times, axis=0), np.repeat(same, times), np.ones(times.sum()), np.full(2, 1e-3)
    )
    np.testing.assert_allclose(weighted, repeated, atol=1e-3)


@pytest.mark.parametrize("shape", [0.0, 0.2])
def test_the_tail_fit_finds_the_tail(shape):
    generator = np.random.default_rng(2)
    scores = genpareto.rvs(shape, scale=0.5, size=200_000, random_state=generator)
    tail = fit_tail(scores, 0.01)
    start = genpareto.ppf(0.99, shape, scale=0.5)
    assert tail.rate == pytest.approx(0.01)
    assert tail.start == pytest.approx(start, rel=0.03)
    assert tail.shape == pytest.approx(shape, abs=0.06)
    assert tail.scale == pytest.approx(0.5 + shape * start, rel=0.1)


def test_a_tail_never_ends():
    scores = np.random.default_rng(3).random(100_000)  # uniform: shape -1
    tail = fit_tail(scores, 0.01)
    assert tail.shape == 0
    assert tail.scale == pytest.approx(0.005, rel=0.1)


def test_a_tail_needs_scores():
    with pytest.raises(InvalidArgument, match="30"):
        fit_tail(np.arange(1000.0), 1e-3)
