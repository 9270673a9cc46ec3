"""Which frame of a session shows the face best."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from mien.challenge import portrait


def frame(time_s, *pose, face=True):
    box = np.array([10.04, 20, 110, 140], np.float32)
    return SimpleNamespace(time_s=time_s, has_face=face, pose=np.array(pose), box=box)


@pytest.mark.parametrize(
    ("frames", "best", "time_s"),
    [
        ([frame(5.0, 3, 0, 0)], 0, 0.0),
        ([frame(5.0, -9, 9, 0), frame(5.1, 2, -2, 40), frame(5.2, 4, 1, 0)], 1, 0.1),
        ([frame(5.0, 0, 0, 0, face=False), frame(5.5, 30, 0, 0)], 1, 0.5),
    ],
)
def test_the_frame_that_the_face_looks_most_straight_out_of(frames, best, time_s):
    found = portrait(frames)
    assert (found["frame"], found["time_s"]) == (best, time_s)
    assert found["box"] == [10.0, 20.0, 110.0, 140.0]


def test_without_a_face_there_is_none():
    assert portrait([frame(0.0, 0, 0, 0, face=False)]) is None
    assert portrait([]) is None
