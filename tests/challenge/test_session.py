"""A session in one process: its states, its limits, its end."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mien.challenge import Plan, Session, State, plan_from_dict
from mien.engine import LivenessCheck
from mien.errors import ImageError, InvalidArgument, SessionOver
from mien.gallery import Gallery
from mien.liveness.sequence import pack, unpack
from mien.testing import drawn_face

STEPS = ("turn_left", "blink", "nod")
OFF = LivenessCheck("off")


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def timed(pictures):
    return [(0.1 * i, picture) for i, picture in enumerate(pictures)]


def begin(engine, *, clock=None, gallery=None, **plan):
    wanted = Plan(**{"steps": STEPS, "liveness": OFF, **plan})
    return Session(engine, wanted, gallery=gallery, clock=clock or Clock())


def test_from_beginning_to_end(engine, pictures):
    clock = Clock()
    session = begin(engine, clock=clock)
    assert session.state == State.WAITING
    clock.now = 2.0
    assert session.add(timed(pictures)[:14]) == State.RUNNING
    assert session.progress.done == 1
    clock.now = 4.0
    assert session.add(timed(pictures)[14:]) == State.PASSED
    assert str(session.result) == "passed"
    for use in (lambda: session.add(timed(pictures)), session.finish):
        with pytest.raises(SessionOver):
            use()


def test_passive_liveness_is_enforced_by_default(engine, pictures):
    session = Session(engine, Plan(steps=STEPS))
    session._began -= 60
    session.add(timed(pictures))
    assert session.state == State.PASSED
    assert session.result.checks[-1].name == "liveness"
    assert session.result.checks[-1].value == pytest.approx(0.9)


def test_a_session_expires(engine, pictures):
    clock = Clock()
    session = begin(engine, clock=clock, ttl_s=60)
    clock.now = 60.0
    assert session.state == State.WAITING
    clock.now = 60.1
    assert session.state == State.EXPIRED
    with pytest.raises(SessionOver, match="expired"):
        session.add(timed(pictures))


def test_it_fails_as_soon_as_it_cannot_pass(engine, pictures):
    session = begin(engine, steps=("turn_right", "blink"))
    assert session.add(timed(pictures)) == State.FAILED
    assert "wrong_movement" in session.result.reasons


def test_more_frames_than_are_taken(engine, pictures):
    session = begin(engine, max_frames=8)
    assert session.add(timed(pictures)) == State.FAILED
    assert len(session.frames) == 8
    assert session.result.reasons[0] == "step_missed"


def test_a_frame_that_is_none_leaves_the_session_as_it_was(engine, pictures):
    session = begin(engine)
    with pytest.raises(ImageError):
        session.add([(0.0, pictures[0]), (0.1, b"no picture")])
    assert session.frames == []
    with pytest.raises(InvalidArgument, match="64 x 48"):
        session.add([(0.0, np.zeros((40, 64, 3), np.uint8))])


def test_an_enrolled_person(engine, pictures, tmp_path):
    with Gallery.open(f"sqlite:///{tmp_path / 'g.db'}") as gallery:
        engine.enroll(gallery, "staff", "Ann", [drawn_face(1)], liveness="off")
        engine.enroll(gallery, "staff", "Bob", [drawn_face(2)], liveness="off")
        clock = Clock()
        told = {}
        for name in ("Ann", "Bob"):
            session = begin(engine, clock=clock, gallery=gallery, group="staff", person=name)
            clock.now += 10
            session.add(timed(pictures))
            told[name] = session.result.reasons
    assert told == {"Ann": (), "Bob": ("another_person",)}


def test_frames_come_back_as_they_were(frames):
    again = unpack(pack(frames[:3]))
    assert len(again) == 3
    for field in dataclasses.fields(frames[0]):
        for a, b in zip(frames, again, strict=False):
            assert np.array_equal(getattr(a, field.name), getattr(b, field.name), equal_nan=True)
    assert len(pack(frames[:16])) < 16 * 64_000


def test_plans_come_back_as_they_were():
    plan = Plan(liveness=LivenessCheck("observe", "strict"), group="staff", person="Ann", fmr=1e-4)
    assert plan_from_dict(plan.to_dict()) == plan


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": ()},
        {"steps": ("nod", "nod")},
        {"steps": ("jump",)},
        {"step_limit_s": 1.9},
        {"step_limit_s": 60.1},
        {"ttl_s": 59},
        {"ttl_s": 86_401},
        {"ttl_s": float("nan")},
        {"max_frames": 7},
        {"max_frames": 601},
        {"fmr": 0},
        {"fmr": 1},
        {"group": "staff"},
        {"person": "Ann"},
    ],
    ids=str,
)
def test_plans_that_cannot_be(wrong):
    with pytest.raises(InvalidArgument):
        Plan(**wrong)
