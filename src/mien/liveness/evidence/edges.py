"""Edges of a device or a sheet around the face: four straight lines that close to a rectangle.

Straight segments (von Gioi, Jakubowicz, Morel, Randall, "LSD: A Fast Line Segment Detector with a
False Detection Control", IEEE TPAMI 32(4), 2010) left of, right of, above and below the face are
joined to lines. Of all rectangles that one line of each side makes, the best is taken: how much of
its sides is drawn, less what is drawn beyond its corners. A door or a shelf behind a person has
lines too, but they go on where a device ends, and they do not close around the head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.liveness.evidence.border import padding, without_border
from mien.types import RGB, Box

__all__ = ["frame_edges"]

LONG_SIDE = 400
TILT = np.tan(np.deg2rad(15))
SHORTEST = 0.12  # of the face's height
FEWEST, MOST = 5, 16  # lines a side: compared in all ways, and looked at
AROUND = 1.1  # a rectangle is at least so many times the face
BEYOND = 0.25  # how far beyond a corner a side is followed, of its length

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Lines:
    """Lines of one side. A line is ``across = offset + slope * along``.

    Attributes:
        offset, slope: ``(n,)``.
        drawn: ``(n, m, 2)``: stretches along the line that are drawn; empty ones are (0, 0).
    """

    offset: Floats
    slope: Floats
    drawn: Floats

    def __len__(self) -> int:
        return len(self.offset)

    def drawn_between(self, start: Floats, end: Floats) -> Floats:
        """Share of the stretch that is drawn, less what is drawn beyond it.

        Args:
            start, end: along the lines, ``(n, a, b)``.
        """
        first, last = self.drawn[:, None, None, :, 0], self.drawn[:, None, None, :, 1]
        length = np.maximum(end - start, 1e-6)
        more = BEYOND * length

        def within(a: Floats, b: Floats) -> Floats:
            overlap = np.minimum(last, b[..., None]) - np.maximum(first, a[..., None])
            return np.asarray(np.maximum(overlap, 0).sum(axis=-1))

        beyond = within(start - more, start) + within(end, end + more)
        return np.asarray((within(start, end) - beyond) / length)


def frame_edges(image: RGB, box: Box) -> float:
    """How much of a rectangle around the face is drawn, 0..1.

    Args:
        image: RGB ``(height, width, 3)`` uint8.
        box: of the face, pixels of ``image``.
    """
    image, box = without_border(image, box)
    scale = min(1.0, LONG_SIDE / max(image.shape[:2]))
    size_wh = tuple(max(1, round(side * scale)) for side in image.shape[1::-1])
    small = np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    face = np.array([[box.x0, box.y0], [box.x1, box.y1]]) * scale
    segments = _segments(small, SHORTEST * (face[1, 1] - face[0, 1]))
    sides = [
        _side(segments, face, axis, after=after, size=size_wh[axis])
        for axis in (0, 1)
        for after in (False, True)
    ]
    return _best_rectangle(face, *sides) if all(len(side) for side in sides) else 0.0


def _segments(image: RGB, shortest: float) -> Floats:
    """Straight edges of the scene that are long enough, ``(n, 4)``: x, y, x, y."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    found: Any = cv2.createLineSegmentDetector(cv2.LSD_REFINE_NONE).detect(grey)[0]
    if found is None:
        return np.zeros((0, 4))
    segments = np.asarray(found[:, 0], np.float64)
    length = np.hypot(*(segments[:, 2:] - segments[:, :2]).T)
    segments = segments[length > shortest]
    x, y = (segments[:, [i, 2 + i]].mean(axis=1).astype(int) for i in (0, 1))
    height, width = grey.shape
    added = padding(image)[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    return np.asarray(segments[~added])


def _side(segments: Floats, face: Floats, axis: int, *, after: bool, size: int) -> _Lines:
    """The lines on one side of the face, the longest first.

    Args:
        segments: ``(n, 4)``: x, y, x, y.
        face: corners, ``(2, 2)``.
        axis: 0: upright lines left (or right: ``after``) of the face; 1: level lines.
        size: of the image, along the axis.
    """
    other = 1 - axis
    rise = segments[:, 2:] - segments[:, :2]
    upright = np.abs(rise[:, axis]) < np.abs(rise[:, other]) * TILT
    segments, rise = segments[upright], rise[upright]
    slope = rise[:, axis] / rise[:, other]
    offset = segments[:, axis] - segments[:, other] * slope
    at_face = offset + slope * face[:, other].mean()
    outside = at_face > face[1, axis] if after else at_face < face[0, axis]
    there = outside & (at_face > 0.01 * size) & (at_face < 0.99 * size)
    ends = np.sort(segments[there][:, [other, 2 + other]], axis=1)
    middle = segments[there][:, [axis, 2 + axis]].mean(axis=1)
    return _joined(offset[there], slope[there], ends, middle, face[1, axis] - face[0, axis])


def _joined(offset: Floats, slope: Floats, ends: Floats, middle: Floats, width: float) -> _Lines:
    """Segments that continue each other, as lines."""
    lines: list[tuple[float, float, float, list[tuple[float, float]]]] = []
    taken = np.zeros(len(offset), bool)
    for i in np.argsort(ends[:, 0] - ends[:, 1])[:MOST]:
        if taken[i]:
            continue
        apart = np.abs(offset[i] + slope[i] * ends.mean(axis=1) - middle)
        same = (apart < 0.02 * width + 1.5) & (np.abs(slope - slope[i]) < 0.08)
        taken |= same
        drawn = _union(ends[same])
        lines.append((sum(b - a for a, b in drawn), float(offset[i]), float(slope[i]), drawn))
    lines = sorted(lines, key=lambda line: -line[0])[:FEWEST]
    stretches = np.zeros((len(lines), max((len(line[3]) for line in lines), default=0), 2))
    for row, line in zip(stretches, lines, strict=True):
        row[: len(line[3])] = line[3]
    return _Lines(np.array([li[1] for li in lines]), np.array([li[2] for li in lines]), stretches)


def _union(ends: Floats) -> list[tuple[float, float]]:
    """Stretches that do not overlap."""
    drawn: list[tuple[float, float]] = []
    reached = -np.inf
    for first, last in sorted(map(tuple, ends)):
        first = max(first, reached)
        if last > first:
            drawn.append((first, last))
            reached = last
    return drawn


def _best_rectangle(
    face: Floats, left: _Lines, right: _Lines, top: _Lines, bottom: _Lines
) -> float:
    """The best of all rectangles of one line a side."""
    tl, tr = _meet(left, top), _meet(right, top)
    bl, br = _meet(left, bottom), _meet(right, bottom)
    sides = [
        left.drawn_between(tl[1][:, :, None], bl[1][:, None, :])[:, None],
        right.drawn_between(tr[1][:, :, None], br[1][:, None, :])[None],
        top.drawn_between(tl[0].T[:, :, None], tr[0].T[:, None, :]).transpose(1, 2, 0)[..., None],
        bottom.drawn_between(bl[0].T[:, :, None], br[0].T[:, None, :]).transpose(1, 2, 0)[
            :, :, None
        ],
    ]
    width, height = (face[1] - face[0]) * AROUND
    wide = (tr[0][None] - tl[0][:, None])[..., None] >= width
    high = (bl[1][:, None, :] - tl[1][:, :, None])[:, None] >= height
    drawn = np.stack(np.broadcast_arrays(*sides))
    closed = wide & high & (drawn.min(axis=0) > 0)
    return float(np.clip(np.where(closed, drawn.mean(axis=0), 0).max(initial=0.0), 0, 1))


def _meet(upright: _Lines, level: _Lines) -> tuple[Floats, Floats]:
    """Where each upright line meets each level one: x and y, ``(uprights, levels)``."""
    offset, slope = upright.offset[:, None], upright.slope[:, None]
    y = (level.offset + level.slope * offset) / (1 - level.slope * slope)
    return np.asarray(offset + slope * y), np.asarray(y)
