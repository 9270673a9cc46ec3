"""Every attack that is promised to fail, and the reason that it fails for."""

from __future__ import annotations

import dataclasses
import random

import cv2
import numpy as np
import pytest

from mien.challenge import Plan, judge
from mien.engine import LivenessCheck
from mien.liveness.sequence.order import CLOCK_SLACK_S, LONGEST_GAP_S
from mien.testing import challenge_frames

STEPS = ("turn_left", "blink", "nod")
PLAN = Plan(steps=STEPS, liveness=LivenessCheck("off"))


def at(frames, times):
    return [
        dataclasses.replace(frame, time_s=float(time))
        for frame, time in zip(frames, times, strict=True)
    ]


def evenly(frames, every_s=0.1):
    return at(frames, np.arange(len(frames)) * every_s)


@pytest.fixture
def reasons(engine):
    def told(frames, plan=PLAN, **more):
        result = judge(engine, plan, frames, **more)
        assert result.passed == (not result.reasons)
        return set(result.reasons)

    return told


def test_who_does_what_is_asked_passes(reasons, frames):
    assert reasons(frames) == set()


def test_every_check_has_its_figure(engine, frames):
    result = judge(engine, PLAN, frames)
    assert {check.name for check in result.checks} == {
        "frames", "order", "rate", "gap", "clock", "replay", "frozen", "smoothness", "faces",
        "scale", "place", "scene", "identity", "depth", "background",
    }  # fmt: skip
    assert all(check.passed and check.value is not None for check in result.checks)
    document = result.to_dict()
    assert document["passed"] is True
    assert [step["step"] for step in document["steps"]] == list(STEPS)


def test_replayed_loop(reasons, frames):
    assert "replayed" in reasons(evenly([*frames, *frames[:10]]))


def test_replayed_from_another_session(reasons, frames):
    assert reasons(frames, known={frames[5].digest.tobytes()}) == {"replayed"}


def test_reordered(reasons, frames):
    shuffled = [*frames]
    random.Random(3).shuffle(shuffled)
    assert "reordered" in reasons(evenly(shuffled))


def test_played_backwards_does_other_steps(reasons, frames):
    assert reasons(evenly(frames[::-1])) & {"wrong_movement", "step_missed"}


def test_frozen(reasons, frames):
    stutter = [frame for frame in frames for _ in range(2)]
    assert "frozen" in reasons(evenly(stutter, 0.05))


def test_a_camera_may_stutter_now_and_then(reasons, frames):
    stutter = [frame for i, frame in enumerate(frames) for _ in range(2 if i % 8 == 0 else 1)]
    assert reasons(evenly(stutter)) == set()


def test_out_of_order(reasons, frames):
    times = np.arange(len(frames)) * 0.1
    times[[4, 5]] = times[[5, 4]]
    assert "out_of_order" in reasons(at(frames, times))
    times = np.arange(len(frames)) * 0.1
    times[5] = times[4]
    assert "out_of_order" in reasons(at(frames, times))


@pytest.mark.parametrize(("hertz", "fails"), [(1.9, True), (2.1, False), (119, False), (121, True)])
def test_rate(reasons, frames, hertz, fails):
    slow = dataclasses.replace(PLAN, step_limit_s=60.0)
    assert ("implausible_rate" in reasons(evenly(frames, 1 / hertz), slow)) is fails


@pytest.mark.parametrize(("more", "fails"), [(-0.01, False), (0.01, True)])
def test_gap(reasons, frames, more, fails):
    times = np.arange(len(frames)) * 0.1
    times[14:] += LONGEST_GAP_S - 0.1 + more
    assert ("implausible_rate" in reasons(at(frames, times))) is fails


@pytest.mark.parametrize(("more", "fails"), [(-0.01, False), (0.01, True)])
def test_clock(reasons, frames, more, fails):
    """A clip that takes longer than the session has been there was made before."""
    span = frames[-1].time_s
    late = [dataclasses.replace(f, received_s=span - CLOCK_SLACK_S - more) for f in frames]
    assert ("implausible_clock" in reasons(late)) is fails


def test_no_times(reasons, frames, engine):
    blind = [dataclasses.replace(frame, time_s=float("nan")) for frame in frames]
    assert not judge(engine, PLAN, blind).passed


def test_spliced_another_face(reasons, see, pictures):
    other = challenge_frames(STEPS, identity=2, seed=5)
    assert "another_face" in reasons(see([*pictures[:14], *other[14:]]))


def test_spliced_another_clip(reasons, see, pictures):
    other = challenge_frames(STEPS, scene=7, seed=5)
    assert reasons(see([*pictures[:14], *other[14:]])) == {"spliced"}


def test_face_in_another_place(reasons, see, pictures):
    moved = [np.roll(picture, 90, axis=1) for picture in pictures]
    for picture, original in zip(moved, pictures, strict=True):
        picture[:16] = original[:16]
    assert "spliced" in reasons(see([*pictures[:14], *moved[14:]]))


def test_cropped(reasons, see, pictures):
    cut = [closer(picture) for picture in pictures]
    assert "cropped" in reasons(see([*pictures[:14], *cut[14:]]))


def closer(picture):
    height, width = picture.shape[:2]
    part = picture[height // 6 : -height // 6, width // 6 : -width // 6]
    made = cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)
    made[:16] = picture[:16]
    return made


def test_frames_of_another_size(reasons, see, pictures):
    large = [cv2.copyMakeBorder(p, 0, 40, 0, 0, cv2.BORDER_REPLICATE) for p in pictures[14:]]
    assert "cropped" in reasons(see([*pictures[:14], *large]))


def test_single_image_animated(reasons, see):
    assert "single_image" in reasons(see(challenge_frames(STEPS, noise=0)))


def test_a_video_files_background_says_nothing(engine, see, frames):
    still = see(challenge_frames(STEPS, noise=0))
    (check,) = (
        check for check in judge(engine, PLAN, still, compressed=True).checks
        if check.name == "background"
    )  # fmt: skip
    assert check.passed is None


def test_flat(reasons, see):
    assert reasons(see(challenge_frames(STEPS, flat=True))) == {"flat"}


def test_nobody(reasons, see, pictures):
    empty = [np.full_like(picture, 225) for picture in pictures[:10]]
    assert "no_face" in reasons(see([*pictures, *empty]))
    assert {"no_face", "step_missed"} <= reasons(see(empty))


def test_no_frames_and_few(reasons, frames):
    assert reasons([]) == {"too_few_frames"}
    assert "too_few_frames" in reasons(frames[:7])
    assert "too_few_frames" not in reasons(frames[:8])


@pytest.mark.parametrize(
    ("score", "said", "policy", "wanted"),
    [
        (0.9, 1, "enforce", set()),
        (0.39, 1, "enforce", {"not_live"}),
        (0.39, 1, "observe", set()),
        (0.9, 0, "enforce", {"not_live"}),
        (0.9, 0, "observe", set()),
    ],
)
def test_passive(reasons, frames, score, said, policy, wanted):
    told = [dataclasses.replace(f, live=np.array([score, said], np.float32)) for f in frames]
    plan = dataclasses.replace(PLAN, liveness=LivenessCheck(policy, "balanced"))
    assert reasons(told, plan) == wanted


def test_a_few_bad_frames_do_not_decide(reasons, frames):
    scores = [0.1 if i % 3 == 0 else 0.9 for i in range(len(frames))]
    told = [
        dataclasses.replace(f, live=np.array([s, 1], np.float32))
        for f, s in zip(frames, scores, strict=True)
    ]
    plan = dataclasses.replace(PLAN, liveness=LivenessCheck("enforce", "balanced"))
    assert reasons(told, plan) == set()
