"""Steps: drawn by chance, recognised one by one, in order, in time."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mien.challenge import STEPS, TEXTS, choose, follow
from mien.errors import InvalidArgument
from mien.testing import challenge_frames


def progress(see, asked, shown, **how):
    return follow(asked, see(challenge_frames(shown, **how)), step_limit_s=10.0)


@pytest.mark.parametrize("step", STEPS)
def test_each_step_alone(see, step):
    told = progress(see, (step,), (step,))
    assert told.complete
    assert told.failure is None
    (outcome,) = told.outcomes
    assert outcome.value >= outcome.limit
    assert outcome.ended_s > outcome.started_s


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_is_not_shown_is_waited_for(see, step):
    told = follow((step,), see(challenge_frames([])), step_limit_s=10.0)
    assert (told.done, told.failure, told.outcomes[0].done) == (0, None, None)


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("turn_left", "turn_right"),
        ("turn_right", "turn_left"),
        ("blink", "turn_left"),
        ("smile", "nod"),
        ("turn_left", "nod"),
        ("nod", "turn_right"),
    ],
)
def test_another_movement_is_wrong(see, asked, shown):
    assert progress(see, (asked,), (shown,)).failure == "wrong_movement"


@pytest.mark.parametrize("shown", ["blink", "smile", "move_closer"])
def test_blinks_and_smiles_are_never_wrong(see, shown):
    assert progress(see, ("turn_left",), (shown, "turn_left")).complete


def test_a_clip_with_every_movement_does_not_fit(see):
    every = ("turn_left", "turn_right", "nod", "blink", "smile", "move_closer")
    assert progress(see, ("turn_right", "nod"), every).failure == "wrong_movement"
    assert progress(see, ("turn_left", "nod"), every).failure == "wrong_movement"


def test_steps_in_another_order(see):
    assert not progress(see, ("blink", "turn_left"), ("turn_left", "blink")).complete


def test_too_late(see):
    frames = see(challenge_frames([], seed=1) * 5 + challenge_frames(["turn_left"]))
    assert follow(("turn_left",), frames, step_limit_s=10.0).complete
    late = follow(("turn_left",), frames, step_limit_s=1.0)
    assert late.failure == "step_missed"
    assert late.outcomes[0].done is False


def test_a_head_must_begin_straight(see):
    frames = see(challenge_frames(["turn_left"], frames_per_step=20)[10:])
    assert follow(("blink",), frames, step_limit_s=10.0).failure == "not_frontal"


def test_mirrored_frames_are_turned_back(see):
    """The drawn bars stand on the left, so a mirrored picture is read as nothing unless turned."""
    mirrored = [np.ascontiguousarray(p[:, ::-1]) for p in challenge_frames(["turn_left"])]
    assert follow(("turn_left",), see(mirrored, mirrored=True), step_limit_s=10.0).complete
    assert not follow(("turn_left",), see(mirrored), step_limit_s=10.0).complete


def test_a_lasting_smile_is_none(see):
    smiling = see(challenge_frames(["smile"], frames_per_step=21)[12:15])
    times = [dataclasses.replace(f, time_s=0.1 * i) for i, f in enumerate(smiling * 4)]
    assert follow(("smile",), times, step_limit_s=10.0).done == 0


def test_chance():
    drawn = {choose(3) for _ in range(300)}
    assert len(drawn) > 40
    assert all(len({*steps}) == 3 for steps in drawn)
    assert all({"turn_left", "turn_right"} & {*steps} for steps in drawn)
    assert {steps[0] for steps in drawn} == {*STEPS}
    assert choose(1, among=["nod"]) == ("nod",)
    assert {*choose(len(STEPS))} == {*STEPS}


@pytest.mark.parametrize(("count", "among"), [(0, STEPS), (7, STEPS), (2, ["nod"]), (1, ["jump"])])
def test_challenges_that_cannot_be(count, among):
    with pytest.raises(InvalidArgument):
        choose(count, among=among)


def test_texts():
    assert {*TEXTS} == {*STEPS}
    assert all({"en", "ko"} == {*texts} and all(texts.values()) for texts in TEXTS.values())
