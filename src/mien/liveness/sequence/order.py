"""Order: are the frames new, in order, and as fast as a camera takes them?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mien.liveness.sequence.finding import Check
from mien.liveness.sequence.frame import SequenceFrame

__all__ = ["MIN_FRAMES", "order_checks", "pixel_changes", "roughness"]

MIN_FRAMES = 8
RATE_HZ = (2.0, 120.0)
LONGEST_GAP_S = 2.0
CLOCK_SLACK_S = 3.0
STILL = 0.05  # mean change of a grey level below which two frames are one
FROZEN_SHARE = 0.25
ROUGHNESS = 1.4
LEAST_TURN = 6.0  # degrees of movement in all, below which its order says nothing

Float64 = NDArray[np.float64]


def order_checks(
    frames: Sequence[SequenceFrame],
    *,
    min_frames: int = MIN_FRAMES,
    known: Collection[bytes] = (),
) -> list[Check]:
    """What the order, the times and the sameness of frames tell.

    Args:
        frames: at least one.
        min_frames: how many there must be.
        known: digests of frames that were sent in other sessions.

    Returns:
        ``frames`` (how many, at least); ``order`` (least step of time, seconds, above 0);
        ``rate`` (frames a second); ``gap`` (longest step, seconds, at most); ``clock`` (seconds
        by which the camera's clock ran ahead of the receiver's, at most); ``replay`` (frames that
        were there before, none); ``frozen`` (share of steps in which nothing changes, at most);
        ``smoothness`` (how rough the head's movement is, at most).
    """
    return [
        Check(
            "frames", len(frames) >= min_frames, "too_few_frames", float(len(frames)), min_frames
        ),
        *_times(frames),
        _replay(frames, known),
        _frozen(frames),
        _smoothness(frames),
    ]


def _times(frames: Sequence[SequenceFrame]) -> list[Check]:
    times = np.array([frame.time_s for frame in frames])
    received = np.array([frame.received_s for frame in frames])
    steps = np.diff(times)
    if not np.isfinite(times).all() or not len(steps):
        return [
            Check("order", None, "out_of_order", None, 0.0),
            Check("rate", None, "implausible_rate", None, RATE_HZ[0]),
            Check("gap", None, "implausible_rate", None, LONGEST_GAP_S),
            Check("clock", None, "implausible_clock", None, CLOCK_SLACK_S),
        ]
    least = float(steps.min())
    rate = 1 / max(float(np.median(steps)), 1e-6)
    gap = float(steps.max())
    told = np.isfinite(received).all()
    ahead = float(((times - times[0]) - received).max()) if told else None
    return [
        Check("order", least > 0, "out_of_order", least, 0.0),
        Check("rate", RATE_HZ[0] <= rate <= RATE_HZ[1], "implausible_rate", rate, RATE_HZ[0]),
        Check("gap", gap <= LONGEST_GAP_S, "implausible_rate", gap, LONGEST_GAP_S),
        Check(
            "clock",
            None if ahead is None else ahead <= CLOCK_SLACK_S,
            "implausible_clock",
            ahead,
            CLOCK_SLACK_S,
        ),
    ]


def pixel_changes(a: SequenceFrame, b: SequenceFrame) -> float:
    """Mean change of the sampled squares of two frames, grey levels; 255 for two sizes."""
    if not np.array_equal(a.size_hw, b.size_hw):
        return 255.0
    return float(np.abs(a.blocks.astype(np.int16) - b.blocks).mean())


def _frozen(frames: Sequence[SequenceFrame]) -> Check:
    still = [pixel_changes(a, b) < STILL for a, b in pairwise(frames)]
    share = float(np.mean(still)) if still else None
    passed = None if share is None else share <= FROZEN_SHARE
    return Check("frozen", passed, "frozen", share, FROZEN_SHARE)


def _replay(frames: Sequence[SequenceFrame], known: Collection[bytes]) -> Check:
    """Frames that are pixel for pixel those of before; a camera that stutters repeats the last."""
    seen: set[bytes] = set(known)
    again, last = 0, b""
    for frame in frames:
        digest = frame.digest.tobytes()
        again += digest in seen and digest != last
        seen.add(digest)
        last = digest
    return Check("replay", again == 0, "replayed", float(again), 0.0)


def roughness(path: Float64) -> float | None:
    """How often a path turns back on itself: about 0.7 for a smooth movement, 1.7 for a shuffled.

    Args:
        path: ``(n, d)``; how the head is turned in each frame, degrees.

    Returns:
        Length of the second differences by that of the first, after a floor for what the mesh
        jitters by itself; None where there is hardly any movement.
    """
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    bends = np.linalg.norm(np.diff(path, n=2, axis=0), axis=1)
    moved = float(steps.sum())
    if len(bends) < 4 or np.ptp(path, axis=0).max() < LEAST_TURN:
        return None
    return float(bends.sum()) / moved


def _smoothness(frames: Sequence[SequenceFrame]) -> Check:
    pose = np.array([frame.pose[:2] for frame in frames if frame.has_face], np.float64)
    value = roughness(pose.reshape(-1, 2))
    passed = None if value is None else value <= ROUGHNESS
    return Check("smoothness", passed, "reordered", value, ROUGHNESS)
