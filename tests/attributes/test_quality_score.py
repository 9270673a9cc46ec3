"""The unified quality score: its ends, that it never falls as a part rises, and its input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.attributes.quality_score import RECOGNITION, quality_score, recognition
from mien.errors import InvalidArgument

PERCENT = st.integers(0, 100)
NAMES = (RECOGNITION, "eyes_visible", "mouth_visible", "sharpness")


@pytest.mark.parametrize(
    ("norm", "component"), [(0, 0), (5, 0), (9.5, 50), (14, 100), (30, 100), (-1, 0)]
)
def test_the_norm_becomes_a_component(norm, component):
    assert recognition(norm) == component


@pytest.mark.parametrize("norm", [np.nan, np.inf])
def test_a_norm_that_is_none_is_refused(norm):
    with pytest.raises(InvalidArgument, match="finite"):
        recognition(norm)


def test_a_clear_face_is_good_and_a_hidden_one_is_not():
    clear = {"eyes_visible": 100, "mouth_visible": 100}
    assert quality_score(0.93, clear) > 90
    assert quality_score(0.93, clear | {RECOGNITION: 85}) > 90
    assert quality_score(0.72, {"eyes_visible": 0, "mouth_visible": 0}) == 0
    assert quality_score(0.93, clear | {RECOGNITION: 10}) < 50


def test_what_is_not_known_counts_as_good():
    assert quality_score(0.9, {}) == quality_score(0.9, {"eyes_visible": 100, "mouth_visible": 100})


def test_faults_take_off_up_to_30_percent():
    best = {RECOGNITION: 100}
    assert quality_score(0.94, best, measures={"light": 1.0, "size": 1.0}) == 100
    assert quality_score(0.94, best, measures={"light": 0.5, "size": 1.0}) == 85
    assert quality_score(0.94, best, measures={"light": 0.0, "size": 0.0}) == 70


@given(
    st.dictionaries(st.sampled_from(NAMES), PERCENT),
    st.floats(0, 1),
    st.sampled_from(NAMES),
    PERCENT,
)
def test_it_never_falls_as_a_part_rises(components, detection, name, value):
    if name not in components:
        return
    low, high = sorted((components[name], value))
    scores = [quality_score(detection, components | {name: one}) for one in (low, high)]
    assert 0 <= scores[0] <= scores[1] <= 100
    assert quality_score(detection, components) <= quality_score(1.0, components)
