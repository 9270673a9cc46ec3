"""The liveness report for people: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np

from mien.evaluate.liveness import LivenessReport
from mien.evaluate.pages import STYLE
from mien.evaluate.svg import det_svg
from mien.evaluate.verification import roc

__all__ = ["liveness_html"]

WARNING = (
    "Attacks that are not in the list were not measured, and thresholds move from camera to "
    "camera. Measure with your camera and the attacks that you expect before you rely on a rate."
)
_NAMES = {
    "apcer": "APCER of the worst attack",
    "bpcer": "BPCER",
    "acer": "ACER",
    "eer": "Equal error rate, all attacks together",
    "auc": "Area under the ROC",
    "bpcer_at_apcer_5": "BPCER where no attack's APCER is above 5 %",
    "bpcer_at_apcer_10": "BPCER where no attack's APCER is above 10 %",
    "bpnrr": "Bona fide presentations without an answer",
    "apnrr": "Attacks without an answer",
}


def liveness_html(report: LivenessReport) -> str:
    """Figures, rates by attack, and a DET curve of each attack against the live faces."""
    rows = [
        ("Presentations", f"{report.n}, {report.bona_fide} of them bona fide"),
        ("Without a face", str(report.no_face)),
        ("With too little around the face", str(report.undetermined)),
        ("Condition", f"{report.condition}, live from {report.threshold:g}"),
        *((_NAMES[name], _rate(value)) for name, value in report.rates.items()),
        *(row for name, facts in report.groups.items() for row in _of_units(name, facts)),
    ]
    attacks = [
        (one.name, f"APCER {_rate(one.apcer)}; {one.n}, {one.no_response} without an answer")
        for one in report.by_attack
    ]
    body = (
        f"<h1>Liveness</h1><p>{escape(WARNING)}</p>{_table(rows)}"
        f"<h2>By attack, worst first</h2>{_table(attacks)}{_whole(report)}"
        f"<h2>DET</h2>{_curves(report)}"
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Liveness</title>'
        f"<style>{STYLE}</style>{body}</html>\n"
    )


def _of_units(name: str, facts: Mapping[str, float | int | None]) -> list[tuple[str, str]]:
    label = name.capitalize()
    return [
        (f"{label}s without an answer", _rate(facts["no_response"])),
        (f"APCER of the worst attack, each {name} judged once", _rate(facts["apcer"])),
        (f"BPCER, each {name} judged once", _rate(facts["bpcer"])),
    ]


def _whole(report: LivenessReport) -> str:
    """Who would get in, where it was measured."""
    if report.whole is None:
        return ""
    told = report.whole
    rows = [
        (f"Rejected of {told.bona_fide} live presentations (FRR)", _rate(told.frr)),
        ("FRR + the worst attack's IAPAR (RIAPAR)", _rate(told.riapar)),
        *(
            (
                name,
                f"IAPAR {_rate(rates['iapar'])}, match the person whatever liveness says "
                f"(IAPMR) {_rate(rates['iapmr'])}; {rates['n']:.0f}",
            )
            for name, rates in told.by_attack.items()
        ),
    ]
    return f"<h2>Who would get in</h2>{_table(rows)}"


def _curves(report: LivenessReport) -> str:
    """One plot an attack, and one of all together."""
    bona_fide, attacks = report.scores
    plots = []
    every = {"all attacks": np.concatenate([*attacks.values(), np.zeros(0)]), **attacks}
    for name, scores in every.items():
        if len(scores) and len(bona_fide):
            curve = roc(bona_fide, scores)
            floor = 3 / len(scores)
            plot = det_svg(curve, fmr_floor=floor, labels=(f"APCER, {escape(name)}", "BPCER"))
            plots.append(plot)
    return "".join(plots) or "<p>There are not both live faces and attacks.</p>"


def _table(rows: list[tuple[str, str]]) -> str:
    lines = (f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in rows)
    return f"<table>{''.join(lines)}</table>"


def _rate(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
