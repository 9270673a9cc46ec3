"""Real photos, animated, before the real nets: attacks that exercise the whole of a session."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.challenge import Plan, judge
from mien.engine import LivenessCheck
from mien.engine.watching import observe
from mien.testing.animation import animate, camera_noise, gestures

pytestmark = [pytest.mark.shared, pytest.mark.slow]

STEPS = ("turn_left", "nod")


@pytest.fixture(scope="module")
def photo(live_engine, shared_data):
    """A photo of 400 pixels and the mesh of its face."""
    (path,) = sorted((shared_data / "deepface").rglob("img6.jpg"))[:1]
    pixels = live_engine.photo(path).pixels()
    shrink = 400 / max(pixels.shape[:2])
    pixels = cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    return pixels, live_engine.landmarks(pixels, max_faces=1)[0]["landmarks"].points


@pytest.fixture(scope="module")
def told(live_engine, photo):
    def judged(noise, *, flat=False):
        rng = np.random.default_rng(0)
        check = LivenessCheck("observe")
        wanted = gestures(STEPS, frames_per_step=6, degrees=36)
        made = [camera_noise(one, rng, sigma=noise) for one in animate(*photo, wanted, flat=flat)]
        frames = [
            observe(live_engine, one, time_s=i / 10, received_s=i / 10, check=check)
            for i, one in enumerate(made)
        ]
        return judge(live_engine, Plan(steps=STEPS, liveness=check), frames)

    return judged


def test_a_bent_photo_with_a_cameras_noise_does_the_steps(told):
    """It is an attack, and only passive liveness is left to see it (docs/challenge.md)."""
    result = told(2.0)
    assert result.passed, result.reasons
    assert [one.done for one in result.steps] == [True, True]
    assert {check.name for check in result.checks if check.passed is None} == set()


def test_a_clean_bent_photo_fails(told):
    assert {"frozen", "replayed", "single_image"} & {*told(0).reasons}


def test_a_turned_sheet_does_not_turn_its_head(told):
    assert told(2.0, flat=True).reasons[0] in ("step_missed", "flat")
