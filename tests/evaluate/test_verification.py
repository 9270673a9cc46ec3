"""Measures of verification, with scikit-learn as the oracle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score, roc_curve

from mien.errors import InvalidArgument
from mien.evaluate import verification

some = arrays(np.float64, st.integers(2, 40), elements=st.integers(-8, 8).map(float))


def labelled(genuine, impostor):
    return np.r_[np.ones(len(genuine)), np.zeros(len(impostor))], np.r_[genuine, impostor]


@given(some, some)
def test_the_roc_is_that_of_scikit_learn(genuine, impostor):
    curve = verification.roc(genuine, impostor)
    fmr, tar, threshold = roc_curve(*labelled(genuine, impostor), drop_intermediate=False)
    np.testing.assert_allclose(curve.fmr, fmr)
    np.testing.assert_allclose(curve.tar, tar)
    np.testing.assert_allclose(curve.threshold[1:], threshold[1:])


@given(some, some)
def test_the_auc_is_that_of_scikit_learn(genuine, impostor):
    expected = roc_auc_score(*labelled(genuine, impostor))
    assert verification.auc(genuine, impostor) == pytest.approx(expected)


@given(some, some)
def test_the_equal_error_rate_lies_on_the_roc(genuine, impostor):
    rate = verification.equal_error_rate(genuine, impostor)
    curve = verification.roc(genuine, impostor)
    points = np.column_stack([curve.fmr, curve.tar])
    start, step = points[:-1], np.diff(points, axis=0)
    offset = np.array([rate, 1 - rate]) - start  # FMR = FNMR = rate
    along = np.clip((offset * step).sum(axis=1) / (step**2).sum(axis=1), 0, 1)
    distance = np.linalg.norm(offset - along[:, None] * step, axis=1)
    assert 0 <= rate <= 1
    assert distance.min() < 1e-9


def test_the_equal_error_rate_of_known_scores():
    genuine, impostor = np.array([0.9, 0.8, 0.7, 0.3]), np.array([0.1, 0.2, 0.4, 0.6])
    assert verification.equal_error_rate(genuine, impostor) == pytest.approx(0.25)
    assert verification.equal_error_rate(genuine, impostor - 1) == 0


@given(some, st.floats(0.001, 0.999))
def test_the_floor_rule_never_lets_more_impostors_pass(impostor, fmr):
    threshold = verification.threshold_at_fmr(impostor, fmr)
    assert (impostor >= threshold).sum() <= np.floor(fmr * len(impostor) + 1e-9)
    # and it is not stricter than it has to be: the next lower score lets too many pass
    below = impostor[impostor < threshold]
    if len(below):
        assert (impostor >= below.max()).sum() > np.floor(fmr * len(impostor) + 1e-9)


def test_the_floor_rule_on_known_scores():
    impostor = np.arange(1000.0)
    genuine = np.array([989.0, 989.6, 990.0, 2000.0])
    assert verification.tar_at_fmr(genuine, impostor, 1e-2) == 0.75  # 10 impostors may pass
    assert verification.tar_at_fmr(genuine, impostor, 1e-4) == 0.25  # none may
    assert verification.threshold_at_fmr(impostor, 1.0) == -np.inf


def test_pairs_that_could_not_be_compared_are_never_accepted():
    lost = np.array([-np.inf, -np.inf, 0.1])
    assert verification.tar_at_fmr(np.array([0.9, -np.inf]), lost, 0.5) == 0.5
    assert verification.auc(np.array([0.9, -np.inf]), lost) == pytest.approx((3 + 1) / 6)


@given(some, st.data())
def test_no_threshold_decides_better_than_the_best(scores, data):
    same = np.array(data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores))))
    threshold = verification.best_threshold(scores, same)
    reached = np.mean((scores >= threshold) == same)
    for other in [*scores, scores.max() + 1]:
        assert reached >= np.mean((scores >= other) == same)


def test_the_best_threshold_passes_over_lost_pairs():
    scores, same = np.array([-np.inf, 0.2, 0.8]), np.array([True, False, True])
    assert verification.best_threshold(scores, same) == pytest.approx(0.5)
    assert np.isfinite(verification.best_threshold(scores[:2], np.array([False, True])))


def test_each_fold_is_decided_by_the_others():
    # fold 1 alone would choose 0.5 and be perfect; fold 2's threshold is 5
    scores = np.array([0.0, 1.0, 4.0, 6.0])
    same = np.array([False, True, False, True])
    result = verification.fold_accuracy(scores, same, ["1", "1", "2", "2"])
    assert result.folds == (0.5, 0.5)  # 1.0 < 5 in fold 1; 4.0 >= 0.5 in fold 2
    assert result.mean == 0.5
    assert result.std == 0
    assert result.threshold == pytest.approx((5 + 0.5) / 2)


def test_one_fold_is_not_enough():
    with pytest.raises(InvalidArgument, match="two are needed"):
        verification.fold_accuracy(np.zeros(2), np.array([True, False]), ["1", "1"])


def test_both_kinds_of_pair_are_needed():
    with pytest.raises(InvalidArgument, match="Both"):
        verification.auc(np.zeros(0), np.ones(3))
    with pytest.raises(InvalidArgument, match="No impostor"):
        verification.threshold_at_fmr(np.zeros(0), 0.1)
