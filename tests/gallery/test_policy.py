"""Settings of a group: what they are made of, and what is refused."""

import json

import pytest

from mien.errors import InvalidArgument
from mien.gallery import GroupSettings

EVERYTHING = GroupSettings(
    max_persons=0, max_faces=2**53, images="crops", consent="required", retain_age_s=1,
    retain_idle_s=86400, duplicates="refuse", min_quality=0.5,
    liveness="enforce", liveness_condition="strict",
)  # fmt: skip


@pytest.mark.parametrize("settings", [GroupSettings(), EVERYTHING, GroupSettings(min_quality=0)])
def test_what_is_stored_comes_back(settings):
    assert GroupSettings.from_stored(settings.stored()) == settings
    assert GroupSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_only_what_is_no_default_is_stored():
    assert GroupSettings().stored() == "{}"
    assert GroupSettings(max_faces=3).stored() == '{"max_faces":3}'


@pytest.mark.parametrize(
    "values",
    [
        {"max_persons": -1}, {"max_faces": 2**53 + 1}, {"max_faces": 1.0}, {"max_faces": True},
        {"max_faces": "1"}, {"retain_age_s": 0}, {"retain_idle_s": 0}, {"images": "all"},
        {"images": None}, {"consent": True}, {"consent": ["off"]}, {"duplicates": "Allow"},
        {"liveness": "on"}, {"liveness": True}, {"liveness_condition": "strictest"},
        {"min_quality": -0.1}, {"min_quality": 1.1}, {"min_quality": float("nan")},
        {"min_quality": "0.5"}, {"min_quality": False}, {"nosuch": 1}, {"nosuch" * 100: 1}, [], "x",
    ],
)  # fmt: skip
def test_settings_that_cannot_be(values):
    with pytest.raises(InvalidArgument) as caught:
        GroupSettings.from_dict(values)
    assert len(caught.value.message) < 300
