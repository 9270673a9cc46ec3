"""The quality protocol's report: one self-contained HTML file with its curves."""

from __future__ import annotations

from html import escape

import numpy as np

from mien.evaluate.pages import STYLE, WARNING
from mien.evaluate.quality_protocol import SHOWN, QualityReport
from mien.evaluate.svg import MARGIN, SIZE, polyline

__all__ = ["discard_svg", "quality_html"]

COLOURS = ("#0a58ca", "#198754", "#b02a37", "#6f42c1")
SHOWN_UP_TO = 0.5  # where pairs grow few, the curve says little


def quality_html(report: QualityReport) -> str:
    """Figures, the error-versus-discard curves, and what was done to the photos."""
    rows = [
        ("Genuine pairs", str(report.pairs)),
        ("Photos", f"{report.images}, {report.spoilt} of them spoilt on purpose"),
        ("Undetected", str(len(report.undetected))),
        ("Threshold", f"similarity {report.threshold:.4f}, FMR {report.fmr:g}"),
        ("False non-match rate", f"{report.fnmr:.4f}"),
        ("Models", f"{report.embedder}, {report.detector}"),
    ]
    table = "".join(f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in rows)
    head = "".join(f"<th>{share:.0%}</th>" for share in SHOWN)
    body = "".join(
        f"<tr><th>{escape(name)}</th>"
        + "".join(f"<td>{curve.at(share):.4f}</td>" for share in SHOWN)
        + f"<td>{curve.partial_auc:.4f}</td><td>{curve.auc:.4f}</td><td>{curve.gain:.2f}</td></tr>"
        for name, curve in report.curves.items()
    )
    kinds = "".join(
        f"<tr><th>{escape(kind)}</th><td>{count}</td><td>{rate:.4f}</td></tr>"
        for kind, (count, rate) in report.by_kind.items()
    )
    spoilt = f"<h2>By what was done</h2><table>{kinds}</table>" if kinds else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Error versus discard</title><style>{STYLE}</style></head><body>"
        f"<h1>Error versus discard</h1><table>{table}</table>{discard_svg(report)}"
        f"<h2>FNMR where the pairs of lowest quality are left out</h2><table><tr><th>left out</th>"
        f"{head}<th>mean to 20 %</th><th>mean</th><th>gain</th></tr>{body}</table>"
        "<p>A pair's quality is the lower of its photos'. Grey: pairs left out at random. "
        "Gain: 1 is a perfect order, 0 is no better than random.</p>"
        f"{spoilt}<p>{WARNING}</p></body></html>\n"
    )


def discard_svg(report: QualityReport) -> str:
    """FNMR over the share of pairs that is left out, up to one half."""
    span = SIZE - 2 * MARGIN
    highest = max([report.fnmr, 1e-6, *(float(c.fnmr.max()) for c in report.curves.values())])
    parts = [f'<svg viewBox="0 0 {SIZE} {SIZE}" role="img" aria-label="Error versus discard">']
    for step in np.linspace(0, 1, 6):
        right, up = MARGIN + span * step, SIZE - MARGIN - span * step
        parts.append(f'<path class="grid" d="M{right:.1f} {MARGIN}V{SIZE - MARGIN}"/>')
        parts.append(
            f'<text x="{right:.1f}" y="{SIZE - MARGIN + 14}">{step * SHOWN_UP_TO:.0%}</text>'
        )
        parts.append(f'<path class="grid" d="M{MARGIN} {up:.1f}H{SIZE - MARGIN}"/>')
        parts.append(
            f'<text class="y" x="{MARGIN - 4}" y="{up + 3:.1f}">{step * highest:.3g}</text>'
        )
    level = SIZE - MARGIN - span * report.fnmr / highest
    parts.append(f'<path class="thin" d="M{MARGIN} {level:.1f}H{SIZE - MARGIN}"/>')
    for number, (name, curve) in enumerate(report.curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        inside = curve.discarded <= SHOWN_UP_TO
        x = MARGIN + span * curve.discarded[inside] / SHOWN_UP_TO
        y = SIZE - MARGIN - span * curve.fnmr[inside] / highest
        parts.append(f'<g style="--line:{colour}">{polyline("curve", x, y)}</g>')
        at = MARGIN + 12 * (number + 1)
        parts.append(f'<text class="y" fill="{colour}" x="{SIZE - MARGIN}" y="{at}">'
                     f"{escape(name)}</text>")  # fmt: skip
    parts.append(f'<text x="{SIZE / 2}" y="{SIZE - 12}">share of the genuine pairs left out</text>')
    parts.append(
        f'<text x="12" y="{SIZE / 2}" transform="rotate(-90 12 {SIZE / 2})">'
        "false non-match rate of the others</text></svg>"
    )
    return "".join(parts)
