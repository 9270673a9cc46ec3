"""Calibration: confidence and thresholds from facts."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import InvalidArgument
from mien.match import Calibration
from mien.models.card import CalibrationFacts, FmrPoint, Tail

FACTS = CalibrationFacts(
    weights=(20.0, -4.0, -3.0, -7.0),
    plain=(20.0, -7.0),
    norm_reference=11.0,
    norm_clip=(-0.25, 0.2),
    default_fmr=1e-3,
    points=(
        FmrPoint(1e-1, -4.0, 0.15, 0.01),
        FmrPoint(1e-2, -2.0, 0.25, 0.02),
        FmrPoint(1e-3, 0.0, 0.35, 0.03),
        FmrPoint(1e-4, 1.5, 0.42, 0.05),
    ),
    tail=Tail(0.0, 1e-3, 0.0, 0.65),
    plain_tail=Tail(0.35, 1e-3, 0.1, 0.03),
    impostor_pairs=300_000,
    genuine_pairs=1000,
    fmr_floor=1e-5,
    data="drawn",
)
CALIBRATION = Calibration(FACTS)
rates = st.floats(1e-12, 0.999)


@given(st.floats(-1, 0.99), st.floats(0.001, 0.01), st.floats(0, 40), st.floats(0, 40))
def test_confidence_grows_with_similarity_at_fixed_quality(s, step, norm_a, norm_b):
    low, high = CALIBRATION.confidence([s, s + step], norm_a, norm_b)
    assert 0 <= low < high <= 1


@given(st.floats(-1, 1), st.floats(0.1, 40), st.floats(0.1, 40))
def test_the_smaller_norm_decides(s, norm_a, norm_b):
    both = CALIBRATION.confidence(s, norm_a, norm_b)
    assert both == CALIBRATION.confidence(s, norm_b, norm_a)
    assert both == CALIBRATION.confidence(s, min(norm_a, norm_b), 99.0)


def test_confidence_is_half_where_the_logit_is_zero():
    assert CALIBRATION.threshold(1e-3).confidence == 0.5
    assert float(CALIBRATION.confidence(0.35, 11.0, 11.0)) == pytest.approx(0.5, abs=1e-12)
    assert float(CALIBRATION.confidence(0.35, np.nan, 11.0)) == pytest.approx(0.5, abs=1e-12)


def test_a_missing_norm_takes_similarity_alone():
    without = CALIBRATION.confidence([0.2, 0.5], [np.nan, 9.0], [9.0, np.nan])
    np.testing.assert_allclose(without, 1 / (1 + np.exp(-(20 * np.array([0.2, 0.5]) - 7))))


def test_quality_is_clipped_and_a_zero_norm_is_the_lowest():
    assert CALIBRATION.confidence(0.4, 0.0, 5.0) == CALIBRATION.confidence(0.4, 0.1, 5.0)
    assert CALIBRATION.confidence(0.4, 30.0, 30.0) == CALIBRATION.confidence(0.4, 99.0, 99.0)


def test_confidence_broadcasts_and_nan_passes_nothing():
    table = CALIBRATION.confidence(
        np.full((3, 2), 0.4), np.full((3, 1), 12.0), np.array([[10.0, np.nan]])
    )
    assert table.shape == (3, 2)
    assert not CALIBRATION.confidence(np.nan, 12.0, 12.0) >= 0


@given(rates, rates)
def test_a_stricter_rate_never_has_a_lower_threshold(one, other):
    strict, lax = (CALIBRATION.threshold(rate) for rate in sorted((one, other)))
    assert strict.confidence >= lax.confidence
    assert strict.similarity >= lax.similarity


@pytest.mark.parametrize("point", FACTS.points)
def test_measured_points_are_met(point):
    threshold = CALIBRATION.threshold(point.fmr)
    assert threshold.confidence == pytest.approx(1 / (1 + np.exp(-point.logit)))
    assert threshold.similarity == pytest.approx(point.similarity)
    assert not threshold.extrapolated


def test_between_points_it_is_linear_in_log_fmr():
    assert CALIBRATION.threshold(10**-2.5).similarity == pytest.approx(0.30)


def test_the_tail_joins_the_last_point_and_says_when_it_extrapolates():
    just_above, just_below = CALIBRATION.threshold(1.0001e-4), CALIBRATION.threshold(0.9999e-4)
    assert just_below.similarity == pytest.approx(just_above.similarity, abs=1e-5)
    assert not CALIBRATION.threshold(1.01e-5).extrapolated
    assert CALIBRATION.threshold(0.99e-5).extrapolated
    # an exponential tail of scale 0.65: ten times stricter is 0.65 ln 10 higher
    confidence = CALIBRATION.threshold(1e-6).confidence
    assert np.log(confidence / (1 - confidence)) == pytest.approx(1.5 + 0.65 * np.log(100))


def test_above_the_largest_point_it_stays_stricter_than_asked():
    assert CALIBRATION.threshold(0.5).similarity < 0.15
    assert CALIBRATION.threshold(0.5).similarity == pytest.approx(0.15 - 0.1 * np.log10(5))


@given(st.floats(1e-4, 0.5), st.integers(1, 10**7), st.integers(1, 10**7))
def test_a_larger_gallery_has_a_higher_threshold(fpir, one, other):
    small, large = sorted((one, other))
    low = CALIBRATION.identification_threshold(fpir, small)
    high = CALIBRATION.identification_threshold(fpir, large)
    assert high.confidence >= low.confidence
    assert low.fmr == pytest.approx(1 - (1 - fpir) ** (1 / small), rel=1e-6, abs=1e-15)


def test_a_gallery_of_one_is_verification():
    assert CALIBRATION.identification_threshold(1e-3, 1) == CALIBRATION.threshold(
        CALIBRATION.identification_threshold(1e-3, 1).fmr
    )
    assert CALIBRATION.identification_threshold(1e-3, 0).fmr == pytest.approx(1e-3)
    assert CALIBRATION.identification_threshold(1e-2, 1_000_000).extrapolated


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 2.0, float("nan"), float("inf")])
def test_rates_outside_zero_and_one(rate):
    with pytest.raises(InvalidArgument, match="fmr"):
        CALIBRATION.threshold(rate)
    with pytest.raises(InvalidArgument, match="fpir"):
        CALIBRATION.identification_threshold(rate, 10)


def test_a_negative_gallery():
    with pytest.raises(InvalidArgument, match="negative"):
        CALIBRATION.identification_threshold(0.01, -1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": (1.0, 6.0, 0.0, 0.0)}, "grow with the similarity"),
        ({"weights": (1.0, -6.0, 0.0, 0.0)}, "grow with the similarity"),
        ({"weights": (np.nan, 0.0, 0.0, 0.0)}, "finite"),
        ({"plain": (0.0, 1.0)}, "plain slope"),
        ({"norm_clip": (0.2, -0.2)}, "norm_clip"),
        ({"norm_reference": 0.0}, "norm_reference"),
        ({"points": FACTS.points[:1]}, "two operating points"),
        ({"points": FACTS.points[::-1]}, "lax to strict"),
        ({"fmr_floor": 1e-3}, "below its floor"),
        ({"tail": Tail(0.0, 1e-3, 0.0, 0.0)}, "tail"),
    ],
)
def test_facts_that_cannot_be(change, message):
    with pytest.raises(InvalidArgument, match=message):
        Calibration(dataclasses.replace(FACTS, **change))


def test_the_ceiling_is_the_highest_confidence_of_any_quality():
    calibration = Calibration(FACTS)
    similarity = np.linspace(-1, 1, 41)
    norms = np.array([*np.linspace(1, 30, 60), np.nan])
    everything = calibration.confidence(similarity[:, None], norms[None], 100.0)
    np.testing.assert_allclose(calibration.ceiling(similarity), everything.max(axis=1))
