"""Picture: does one flat picture explain all that moves, and does the background live?

A head that turns has depth: no plane, however it is moved, explains its picture. And a camera's
noise is new in every frame: before a picture that is bent, the background stays as it is, grain
and all. What did not tell real heads from bent pictures when it was measured was left out
(docs/challenge.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.liveness.sequence.finding import Check
from mien.liveness.sequence.frame import PATCH_SIDE, SequenceFrame

__all__ = ["picture_checks", "plane_match", "still_share"]

TURNED = 12.0
FLATNESS = 0.98
STILL_SHARE = 0.25
STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4)
MESH = 468
LOOKED_AT = 12  # frames, evenly spread, that are unwrapped
STILL_LEVELS = 1
DARK, BRIGHT = 12, 243

Float64 = NDArray[np.float64]


def picture_checks(frames: Sequence[SequenceFrame], *, compressed: bool = False) -> list[Check]:
    """What flatness and the background tell.

    Args:
        frames: at least one.
        compressed: they come from a video file, whose compression repeats what hardly changes:
            the background says nothing then.

    Returns:
        ``depth`` (how well one plane explains a turned head, -1..1, at most; only where the head
        turns by 12 degrees); ``background`` (share of squares that do not change at all from one
        frame to the next, at most).
    """
    plane = plane_match([frame for frame in frames if frame.has_face])
    still = None if compressed else still_share(frames)
    flat = None if plane is None else plane <= FLATNESS
    lives = None if still is None else still <= STILL_SHARE
    return [
        Check("depth", flat, "flat", plane, FLATNESS),
        Check("background", lives, "single_image", still, STILL_SHARE),
    ]


def still_share(frames: Sequence[SequenceFrame]) -> float | None:
    """Share of the sampled squares that are the same in two frames that follow each other.

    Squares that are black or white through and through are left out; median over the pairs.
    """
    shares = []
    for a, b in pairwise(frames):
        mean = a.blocks.mean(axis=(1, 2))
        used = (mean > DARK) & (mean < BRIGHT)
        if not np.array_equal(a.size_hw, b.size_hw) or used.sum() < 10:
            continue
        change = np.abs(a.blocks.astype(np.int16) - b.blocks).max(axis=(1, 2))
        shares.append(float((change[used] <= STILL_LEVELS).mean()))
    return float(np.median(shares)) if shares else None


def plane_match(frames: Sequence[SequenceFrame]) -> float | None:
    """How well one plane, however it is moved, explains the pictures of a turned head.

    Each turned frame's patch is laid over the straightest one's by the homography that fits the
    pixels best (Evangelidis and Psarakis, "Parametric image alignment using enhanced correlation
    coefficient maximization", IEEE TPAMI 30(10), 2008; begun from the mesh's points).

    Returns:
        Median correlation over the turned frames, -1..1; None where the head is not turned by 12
        degrees, or nothing could be laid over.
    """
    straight, turned = _straight_and_turned(frames)
    if straight is None:
        return None
    first, mesh = straight.patch, straight.patch_points.astype(np.float64)[:MESH]
    mask = _face(mesh)
    found = []
    for frame in turned:
        points = frame.patch_points.astype(np.float64)[:MESH]
        begin: Any = cv2.findHomography(mesh, points, 0)[0]
        if begin is None:  # points on one line
            continue
        try:
            score, _ = cv2.findTransformECC(
                first, frame.patch, begin.astype(np.float32), cv2.MOTION_HOMOGRAPHY, STOP, mask, 5
            )
        except cv2.error:  # it did not converge: no plane is near
            score = 0.0
        found.append(float(score))
    return float(np.median(found)) if found else None


def _straight_and_turned(
    frames: Sequence[SequenceFrame],
) -> tuple[SequenceFrame | None, list[SequenceFrame]]:
    """The frame that looks most into the camera, and some of those that look elsewhere."""
    if not frames:
        return None, []
    pose = np.array([frame.pose[:2] for frame in frames], np.float64)
    straight = int(np.abs(pose).sum(axis=1).argmin())
    far = np.flatnonzero(np.abs(pose - pose[straight]).max(axis=1) >= TURNED)
    if not len(far):
        return None, []
    if len(far) > LOOKED_AT:
        far = far[np.linspace(0, len(far) - 1, LOOKED_AT).astype(int)]
    return frames[straight], [frames[int(i)] for i in far]


def _face(mesh: Float64) -> NDArray[np.uint8]:
    """The mesh's part of the patch: 1, elsewhere 0."""
    inside = np.zeros((PATCH_SIDE, PATCH_SIDE), np.uint8)
    hull = cv2.convexHull(mesh.astype(np.float32))
    return np.asarray(cv2.fillConvexPoly(inside, np.rint(hull).astype(np.int32), 1), np.uint8)
