"""Continuity: is it one face before one background, seen by one camera, from first to last?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.liveness.sequence.finding import Check
from mien.liveness.sequence.frame import VIEW_HW, SequenceFrame

__all__ = ["Likeness", "continuity_checks", "identity_check", "scene_change"]

Likeness = Callable[[float, float, float], float]
"""From the similarity of two embeddings and their norms to what the threshold is held against."""

LEAST_FACES = 0.8
SCALE_JUMP = 1.3
PLACE_JUMP = 0.6
SCENE_JUMP = 22.0
AROUND = 1.5  # times the face's box that is no background
LEAST_BACKGROUND = 0.15  # of the view, below which the background says nothing
MEAN_OF = 0.1  # weight of a new frame in the running embedding


def continuity_checks(frames: Sequence[SequenceFrame]) -> list[Check]:
    """What the face's place and size, and the background, tell.

    Args:
        frames: at least one.

    Returns:
        ``faces`` (share of frames with a face, at least); ``scale`` (largest change of the head's
        size from one frame to the next, as a factor, at most; endless where the frames' own size
        changes); ``place`` (farthest jump of the face, in its own widths, at most); ``scene``
        (largest change of the background, grey levels, as it is or with the face held still, at
        most).
    """
    seen = [frame for frame in frames if frame.has_face]
    share = len(seen) / len(frames)
    pairs = list(pairwise(seen))
    if any(not np.array_equal(a.size_hw, b.size_hw) for a, b in pairs):
        scale: float | None = float("inf")
    else:
        scale = max((_ratio(a, b) for a, b in pairs), default=None)
    place = max((_shift(a, b) for a, b in pairs), default=None)
    changes = [scene_change(a, b) for a, b in pairs]
    scene = max((change for change in changes if change is not None), default=None)
    return [
        Check("faces", share >= LEAST_FACES, "no_face", share, LEAST_FACES),
        _at_most("scale", "cropped", scale, SCALE_JUMP),
        _at_most("place", "spliced", place, PLACE_JUMP),
        _at_most("scene", "spliced", scene, SCENE_JUMP),
    ]


def identity_check(frames: Sequence[SequenceFrame], likeness: Likeness, threshold: float) -> Check:
    """Whether each face is the first one's, or that of the frames so far.

    A head that is turned is less like the one that looked into the camera, and more like the
    frame before: the better of both counts.

    Returns:
        ``identity``: the least likeness, at least ``threshold``.
    """
    seen = [frame for frame in frames if frame.has_face and frame.vector.size]
    if len(seen) < 2:
        return Check("identity", None, "another_face", None, round(threshold, 4))
    first, mean, norm = seen[0], seen[0].vector.astype(np.float64), float(seen[0].norm[0])
    least = float("inf")
    for frame in seen[1:]:
        vector, own = frame.vector.astype(np.float64), float(frame.norm[0])
        alike = max(
            likeness(float(vector @ first.vector), own, float(first.norm[0])),
            likeness(float(vector @ mean), own, norm),
        )
        least = min(least, alike)
        if alike >= threshold:
            mean = (1 - MEAN_OF) * mean + MEAN_OF * vector
            mean /= max(float(np.linalg.norm(mean)), 1e-12)
            norm = (1 - MEAN_OF) * norm + MEAN_OF * own
    return Check("identity", least >= threshold, "another_face", least, round(threshold, 4))


def scene_change(a: SequenceFrame, b: SequenceFrame) -> float | None:
    """How much the background changed between two frames, grey levels, brightness apart.

    None where a face fills the picture.
    """
    background = _background(a) & _background(b)
    if background.mean() < LEAST_BACKGROUND:
        return None
    found = []
    for view in (b.view, _nearer(a, b)):
        difference = a.view.astype(np.float64)[background] - view[background]
        found.append(float(np.abs(difference - np.median(difference)).mean()))
    return min(found)


def _nearer(a: SequenceFrame, b: SequenceFrame) -> NDArray[np.uint8]:
    """The view of ``b``, brought to where the head is as large as in ``a`` and in its place.

    A hand that holds the camera comes closer with everything that is behind.
    """
    height, width = VIEW_HW
    shrink = np.array([width, height]) / np.array([*b.size_hw[::-1]], np.float64)
    here, there = ((f.box[:2] + f.box[2:]).astype(np.float64) / 2 * shrink for f in (a, b))
    by = max(b.scale, 1e-6) / max(a.scale, 1e-6)
    matrix = np.array([[by, 0, there[0] - by * here[0]], [0, by, there[1] - by * here[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(
        b.view, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.uint8)


def _background(frame: SequenceFrame) -> NDArray[np.bool_]:
    height, width = VIEW_HW
    scale = np.array([width, height] * 2) / np.array([*frame.size_hw[::-1]] * 2)
    x0, y0, x1, y1 = frame.box.astype(np.float64) * scale
    more_x, more_y = (AROUND - 1) / 2 * (x1 - x0), (AROUND - 1) / 2 * (y1 - y0)
    mask = np.ones(VIEW_HW, bool)
    rows = slice(max(0, int(y0 - more_y)), height)  # a body is below the face
    mask[rows, max(0, int(x0 - more_x)) : max(0, int(np.ceil(x1 + more_x)))] = False
    return mask


def _ratio(a: SequenceFrame, b: SequenceFrame) -> float:
    first, second = max(a.scale, 1e-6), max(b.scale, 1e-6)
    return max(first, second) / min(first, second)


def _shift(a: SequenceFrame, b: SequenceFrame) -> float:
    centres = [(frame.box[:2] + frame.box[2:]) / 2 for frame in (a, b)]
    width = max(float(a.box[2] - a.box[0]), 1e-6)
    return float(np.linalg.norm(centres[1] - centres[0])) / width


def _at_most(name: str, reason: str, value: float | None, limit: float) -> Check:
    passed = None if value is None else value <= limit
    if value is not None and not np.isfinite(value):
        value = None  # JSON has no number for it
    return Check(name, passed, reason, value, limit)  # type: ignore[arg-type]
