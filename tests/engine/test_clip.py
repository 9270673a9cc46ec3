"""Engine.check_liveness_clip: many frames, one verdict."""

from __future__ import annotations

import numpy as np
import pytest

from mien import config
from mien.engine import Engine
from mien.errors import InvalidArgument
from mien.liveness import PassiveLiveness
from mien.testing import DrawnMesh, MockLivenessNet, challenge_frames, mock_engine


def by_corner(photo, box):
    """The net reads its answer from the photo's last pixel."""
    return float(photo[-1, -1, 0]) / 255


def clip(score, steps=("blink",), **how):
    made = challenge_frames(steps, frames_per_step=8, **how)
    for picture in made:
        picture[-1, -1] = round(score * 255)
    return made


@pytest.fixture(scope="module")
def engine() -> Engine:
    check = PassiveLiveness([MockLivenessNet(by_corner)])
    with mock_engine(config.Settings(threads=1), liveness=check, mesh=DrawnMesh()) as made:
        yield made


def test_a_live_clip(engine):
    frames = clip(0.9)
    told = engine.check_liveness_clip(frames, times_s=np.arange(len(frames)) / 10)
    assert (told.verdict, told.blinks, told.reasons) == ("live", 1, ())
    assert told.score == pytest.approx(0.9, abs=0.01)
    names = {check.name: check for check in told.checks}
    assert names["depth"].passed is None  # nobody turned
    assert names["rate"].value == pytest.approx(10)
    assert told.to_dict()["checks"][0]["name"] == "liveness"


def test_without_times_nothing_is_said_about_them(engine):
    told = engine.check_liveness_clip(clip(0.9))
    assert told.live
    assert {c.name for c in told.checks if c.passed is None} >= {"order", "rate", "gap", "clock"}


def test_one_good_frame_does_not_save_a_clip(engine):
    frames = [*clip(0.1)[:-1], clip(0.9)[-1]]
    told = engine.check_liveness_clip(frames)
    assert (told.verdict, told.reasons) == ("spoof", ("not_live",))


def test_a_frozen_clip_is_an_attack_however_live_it_looks(engine):
    told = engine.check_liveness_clip([clip(0.9)[0]] * 5)
    assert told.verdict == "spoof"
    assert "frozen" in told.reasons


def test_conditions(engine):
    frames = clip(0.5)
    assert engine.check_liveness_clip(frames).live
    strict = engine.check_liveness_clip(frames, condition="strict")
    assert (strict.verdict, strict.threshold) == ("spoof", 0.7)


def test_nothing_around_the_face(engine):
    tight = [np.ascontiguousarray(p[70:170, 110:210]) for p in clip(0.9, steps=())]
    for i, picture in enumerate(tight):
        picture[:2, :2] = i
    told = engine.check_liveness_clip(tight)
    assert told.verdict == "undetermined"
    assert not told.live


def test_nobody(engine):
    rng = np.random.default_rng(0)
    empty = [rng.integers(100, 140, (100, 100, 3), np.uint8) for _ in range(3)]
    told = engine.check_liveness_clip(empty)
    assert (told.verdict, told.reasons, told.score) == ("spoof", ("no_face",), None)


@pytest.mark.parametrize("count", [0, 1, 601])
def test_how_many_frames(engine, count):
    with pytest.raises(InvalidArgument, match="2 to 600"):
        engine.check_liveness_clip([np.zeros((60, 80, 3), np.uint8)] * count)


def test_as_many_times_as_frames(engine):
    with pytest.raises(InvalidArgument, match="times"):
        engine.check_liveness_clip(clip(0.9), times_s=[0.0])
