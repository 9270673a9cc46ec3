"""ROC and DET curves as inline SVG, without a plotting library."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm as normal

from mien.evaluate.verification import Roc

__all__ = ["MARGIN", "SIZE", "det_svg", "polyline", "roc_svg"]

Floats = NDArray[np.float64]

SIZE = 360
MARGIN = 48
MOST_POINTS = 500
BASES = (0.0, 0.5, 0.8, 0.9, 0.95)  # where the axis of the true-accept rate may begin
RATES = (1e-4, 1e-3, 1e-2, 0.1, 0.5)


def roc_svg(curve: Roc, *, fmr_floor: float) -> str:
    """True-accept rate, from a round number below the lowest, over the false-match rate.

    The part below ``fmr_floor`` = 3 / impostor pairs is drawn grey: the pairs do not support it.
    """
    lowest = min(1e-4, max(1e-7, fmr_floor))
    ticks = [rate for rate in (1e-7, 1e-6, 1e-5, *RATES, 1.0) if rate >= lowest]
    shown = curve.fmr > 0
    first = float(curve.tar[~shown].max(initial=0.0))
    x = np.concatenate([[lowest], curve.fmr[shown]])
    y = np.concatenate([[first], curve.tar[shown]])
    base = max(low for low in BASES if low <= y.min())
    return _plot(
        "ROC",
        ("false-match rate", "true-accept rate"),
        (x, y),
        (lambda v: np.log10(v / lowest) / np.log10(1 / lowest), lambda v: (v - base) / (1 - base)),
        (ticks, np.linspace(base, 1, 6).tolist()),
        fmr_floor,
    )


def det_svg(
    curve: Roc,
    *,
    fmr_floor: float,
    labels: tuple[str, str] = ("false-match rate", "false non-match rate"),
) -> str:
    """False non-match rate over the false-match rate, both on normal-deviate axes.

    Source: Martin et al. 1997, The DET curve in assessment of detection task performance.
    """
    low, high = 1e-4, 0.5

    def scale(value: Floats) -> Floats:
        inside = np.clip(value, low, high)
        return np.asarray((normal.ppf(inside) - normal.ppf(low)) / (-normal.ppf(low)))

    inside = (curve.fmr <= high) & (1 - curve.tar <= high)
    return _plot(
        "DET",
        labels,
        (curve.fmr[inside], 1 - curve.tar[inside]),
        (scale, scale),
        (RATES, RATES),
        fmr_floor,
    )


def _plot(
    title: str,
    labels: tuple[str, str],
    values: tuple[Floats, Floats],
    scales: tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]],
    ticks: tuple[Sequence[float], Sequence[float]],
    fmr_floor: float,
) -> str:
    span = SIZE - 2 * MARGIN
    right = [MARGIN + span * float(v) for v in scales[0](np.asarray(ticks[0]))]
    up = [SIZE - MARGIN - span * float(v) for v in scales[1](np.asarray(ticks[1]))]
    parts = [f'<svg viewBox="0 0 {SIZE} {SIZE}" role="img" aria-label="{title}">']
    for at, value in zip(right, ticks[0], strict=True):
        parts.append(f'<path class="grid" d="M{at:.1f} {MARGIN}V{SIZE - MARGIN}"/>')
        parts.append(f'<text x="{at:.1f}" y="{SIZE - MARGIN + 14}">{value:g}</text>')
    for at, value in zip(up, ticks[1], strict=True):
        parts.append(f'<path class="grid" d="M{MARGIN} {at:.1f}H{SIZE - MARGIN}"/>')
        parts.append(f'<text class="y" x="{MARGIN - 4}" y="{at + 3:.1f}">{value:g}</text>')
    for name, inside in (("thin", values[0] <= fmr_floor), ("curve", values[0] >= fmr_floor)):
        x = MARGIN + span * scales[0](values[0][inside])
        y = SIZE - MARGIN - span * scales[1](values[1][inside])
        parts.append(polyline(name, x, y))
    parts.append(f'<text x="{SIZE / 2}" y="{SIZE - 12}">{labels[0]}</text>')
    parts.append(
        f'<text x="12" y="{SIZE / 2}" transform="rotate(-90 12 {SIZE / 2})">{labels[1]}</text>'
    )
    parts.append(f'<text class="title" x="{SIZE / 2}" y="24">{title}</text></svg>')
    return "".join(parts)


def polyline(name: str, x: Floats, y: Floats) -> str:
    """A line through the points, of the style ``name``; nothing without points."""
    if len(x) > MOST_POINTS:
        chosen = np.unique(np.linspace(0, len(x) - 1, MOST_POINTS).round().astype(np.intp))
        x, y = x[chosen], y[chosen]
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return f'<polyline class="{name}" points="{points}"/>' if points else ""
