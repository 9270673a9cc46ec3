"""Curves on logarithmic axes as an SVG file, without a plotting library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["draw"]

WIDTH, HEIGHT, MARGIN = 560, 360, 56
COLOURS = ("#777777", "#c0392b", "#2471a3", "#1e8449")
Points = Sequence[tuple[float, float]]


def draw(path: Path, title: str, labels: tuple[str, str], curves: Mapping[str, Points]) -> None:
    """Write a plot of named curves; both axes have a line for each power of ten."""
    points = [point for curve in curves.values() for point in curve]
    x = _axis([point[0] for point in points], MARGIN, WIDTH - MARGIN / 2)
    y = _axis([point[1] for point in points], HEIGHT - MARGIN, MARGIN)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="11">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{WIDTH / 2}" y="20" text-anchor="middle" font-size="13">{title}</text>',
    ]
    for power in range(*x.powers):
        at = x.at(10.0**power)
        parts.append(_line((at, MARGIN), (at, HEIGHT - MARGIN)))
        parts.append(_text(at, HEIGHT - MARGIN + 16, _round(10.0**power), "middle"))
    for power in range(*y.powers):
        at = y.at(10.0**power)
        parts.append(_line((MARGIN, at), (WIDTH - MARGIN / 2, at)))
        parts.append(_text(MARGIN - 6, at + 4, _round(10.0**power), "end"))
    for i, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[i % len(COLOURS)]
        where = " ".join(f"{x.at(a):.1f},{y.at(b):.1f}" for a, b in curve)
        parts.append(f'<polyline points="{where}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{x.at(a):.1f}" cy="{y.at(b):.1f}" r="3" fill="{colour}"/>'
            for a, b in curve
        ]
        parts.append(_text(MARGIN + 10, MARGIN + 14 + 16 * i, name, "start", colour))
    parts.append(_text(WIDTH / 2, HEIGHT - 14, labels[0], "middle"))
    parts.append(
        f'<text x="16" y="{HEIGHT / 2}" text-anchor="middle" fill="#222222" '
        f'transform="rotate(-90 16 {HEIGHT / 2})">{labels[1]}</text>'
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*parts, "</svg>"]) + "\n")


class _axis:  # noqa: N801 - a function with something to remember
    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        self.powers = (first, max(last, first + 1) + 1)
        self._first, self._span = first, max(last, first + 1) - first
        self._start, self._end = start, end

    def at(self, value: float) -> float:
        share = (math.log10(value) - self._first) / self._span
        return self._start + share * (self._end - self._start)


def _line(start: tuple[float, float], end: tuple[float, float]) -> str:
    (a, b), (c, d) = start, end
    return f'<path d="M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}" stroke="#dddddd" fill="none"/>'


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#222222") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{text}</text>'


def _round(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"
