"""Picture: does one flat or one animated picture explain all that moves?

A head that turns has depth: no plane, however it is moved, explains where its points go. And a
camera's noise is new in every frame, while in a picture that is bent the grain moves with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator

from mien.liveness.sequence.finding import Check
from mien.liveness.sequence.frame import PATCH_SIDE, SequenceFrame

__all__ = ["picture_checks", "plane_residual", "still_share", "plane_match"]

TURNED = 12.0
FLATNESS = 0.035
TEXTURE = 0.0
STILL_SHARE = 0.5
STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4)
MESH = 468
LOOKED_AT = 12  # frames, evenly spread, that are unwrapped
STILL_LEVELS = 1
DARK, BRIGHT = 12, 243
COARSE = 2

Floats = NDArray[np.float32]
Float64 = NDArray[np.float64]


def picture_checks(frames: Sequence[SequenceFrame], *, compressed: bool = False) -> list[Check]:
    """What flatness, grain and the background tell.

    Args:
        frames: at least one.
        compressed: they come from a video file, whose compression repeats what hardly changes:
            grain and background say nothing then.

    Returns:
        ``depth`` (how far a plane is from explaining a turned head's points, in head sizes, at
        least; only where the head turns by 12 degrees); ``grain`` (noise of the skin between
        frames, after the mesh's movement was taken back, grey levels, at least); ``background``
        (share of squares that do not change at all, at most).
    """
    seen = [frame for frame in frames if frame.has_face]
    depth = plane_residual(seen)
    texture = plane_match(seen)
    still = None if compressed else still_share(frames)
    return [
        Check("depth", None if depth is None else depth >= FLATNESS, "flat", depth, FLATNESS),
        Check(
            "texture",
            None if texture is None else texture >= TEXTURE,
            "single_image",
            texture,
            TEXTURE,
        ),
        Check(
            "background",
            None if still is None else still <= STILL_SHARE,
            "single_image",
            still,
            STILL_SHARE,
        ),
    ]


def plane_residual(frames: Sequence[SequenceFrame]) -> float | None:
    """How badly one homography explains the points of frames that look elsewhere than the first.

    Returns:
        Median over the frames of the points' distance (root mean square) from where the best
        homography puts them, in head sizes; None where the head is not turned by 12 degrees.
    """
    found = []
    if not frames:
        return None
    pose = np.array([frame.pose[:2] for frame in frames], np.float64)
    straight = int(np.abs(pose).sum(axis=1).argmin())
    first = frames[straight]
    for frame, angles in zip(frames, pose, strict=True):
        if np.abs(angles - pose[straight]).max() < TURNED:
            continue
        source, target = first.points[:468, :2], frame.points[:468, :2]
        matrix, _ = cv2.findHomography(source.astype(np.float64), target.astype(np.float64), 0)
        if matrix is None:
            continue
        put = cv2.perspectiveTransform(source[None].astype(np.float64), matrix)[0]
        off = np.sqrt(((put - target) ** 2).sum(axis=1).mean())
        found.append(float(off) / max(frame.scale, 1e-6))
    return float(np.median(found)) if found else None


def still_share(frames: Sequence[SequenceFrame]) -> float | None:
    """Share of the sampled squares that are the same in two frames that follow each other.

    Squares that are black or white through and through are left out; median over the pairs.
    """
    shares = []
    for a, b in zip(frames, frames[1:], strict=False):
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
        begin, _ = cv2.findHomography(mesh, points, 0)
        if begin is None:
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
    return frames[straight], [frames[i] for i in far]


def _face(mesh: Float64) -> NDArray[np.uint8]:
    """The mesh's part of the patch: 1, elsewhere 0."""
    inside = np.zeros((PATCH_SIDE, PATCH_SIDE), np.uint8)
    hull = cv2.convexHull(mesh.astype(np.float32))
    return np.asarray(cv2.fillConvexPoly(inside, np.rint(hull).astype(np.int32), 1), np.uint8)
