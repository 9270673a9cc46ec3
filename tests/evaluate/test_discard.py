"""The error-versus-discard curve, against cases that can be worked out by hand."""

import numpy as np
import pytest

from mien.errors import InvalidArgument
from mien.evaluate.discard import error_versus_discard

FAILED = np.array([True, True, False, False, False, False, False, False, False, False])


def test_a_perfect_order_discards_the_failures_first():
    curve = error_versus_discard(np.arange(10.0), FAILED)
    assert curve.at(0) == pytest.approx(0.2)
    assert curve.at(0.1) == pytest.approx(1 / 9, abs=1e-3)
    assert curve.at(0.2) == pytest.approx(0, abs=1e-3)
    assert (curve.gain, curve.partial_gain) == (pytest.approx(1), pytest.approx(1))


def test_the_reverse_order_makes_it_worse():
    curve = error_versus_discard(-np.arange(10.0), FAILED)
    assert curve.at(0.5) == pytest.approx(0.4, abs=1e-3)
    assert curve.gain < 0
    assert curve.auc > 0.2


def test_equal_qualities_discard_at_random():
    curve = error_versus_discard(np.full(10, 7.0), FAILED)
    np.testing.assert_allclose(curve.fnmr, 0.2)
    assert curve.gain == pytest.approx(0)


def test_a_tie_is_discarded_in_proportion():
    """The lowest quality is shared by one failure and one success."""
    curve = error_versus_discard(np.array([1.0, 2, 1, 2, 2, 2, 2, 2, 2, 2]), FAILED)
    assert curve.at(0.1) == pytest.approx(1.5 / 9, abs=1e-3)
    assert curve.at(0.2) == pytest.approx(1 / 8, abs=1e-3)


def test_what_has_no_quality_goes_first():
    quality = np.array([np.nan, 5, 6, 7, 8, 9, 9, 9, 9, 9])
    assert error_versus_discard(quality, FAILED).at(0.1) == pytest.approx(1 / 9, abs=1e-3)


def test_without_failures_there_is_nothing_to_gain():
    curve = error_versus_discard(np.arange(10.0), np.zeros(10, np.bool_))
    assert (curve.auc, curve.gain) == (0, 0)


def test_it_needs_a_pair():
    with pytest.raises(InvalidArgument, match="genuine"):
        error_versus_discard(np.zeros(0), np.zeros(0, np.bool_))
