"""Reports for people: one self-contained HTML file, or Markdown for a model's page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from mien.evaluate.breakdown import Part
from mien.evaluate.calibration_report import CalibrationReport
from mien.evaluate.files import write_whole
from mien.evaluate.pair_protocol import PairsReport
from mien.evaluate.svg import det_svg, roc_svg

__all__ = ["STYLE", "WARNING", "calibration_markdown", "pairs_html", "write_page"]

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:820px;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse}td,th{padding:.25em .8em}
td,th{border-bottom:1px solid #ddd;text-align:left}
svg{width:48%;font:9px system-ui,sans-serif;text-anchor:middle}
svg .y{text-anchor:end}svg .title{font-size:13px}
.grid{stroke:#e5e5e5;fill:none}.curve{stroke:var(--line,#0a58ca);fill:none;stroke-width:1.6}
.thin{stroke:#aaa;fill:none;stroke-dasharray:3 3}
"""

WARNING = (
    "A threshold fitted on one population is not safe on another. Measure on photos like yours "
    "before you rely on a rate that is stated here."
)


def pairs_html(report: PairsReport) -> str:
    """The pair protocol's report: figures, ROC and DET curves, undetected photos."""
    floor = 3 / report.impostor_pairs
    rows = [
        ("Pairs", f"{report.pairs}, {report.impostor_pairs} of them of two people"),
        ("Images", str(report.images)),
        ("Undetected", str(len(report.undetected))),
        (
            f"Accuracy over {report.folds} folds",
            f"{report.accuracy.mean:.4f} ± {report.accuracy.std:.4f}",
        ),
        (f"Threshold on {report.score}", f"{report.accuracy.threshold:.4f}"),
        ("Area under the ROC", f"{report.auc:.5f}"),
        ("Equal error rate", f"{report.eer:.4f}"),
        *(
            (
                f"True-accept rate at FMR {name}",
                f"{value:.4f}"
                + (" (FMR not supported: too few pairs)" if float(name) < floor else ""),
            )
            for name, value in report.tar.items()
        ),
        ("CPU time of an image", f"{report.ms_per_image_cpu:.1f} ms"),
        ("Models", f"{report.embedder}, {report.detector}"),
    ]
    table = "".join(f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in rows)
    missing = "".join(f"<li>{escape(name)}</li>" for name in report.undetected)
    listed = f"<h2>Photos without a face</h2><ul>{missing}</ul>" if missing else ""
    curves = roc_svg(report.curve, fmr_floor=floor) + det_svg(report.curve, fmr_floor=floor)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Verification of pairs</title><style>{STYLE}</style></head><body>"
        f"<h1>Verification of pairs</h1><table>{table}</table>{curves}"
        f"<p>Grey: false-match rates below 3 / impostor pairs = {floor:.2g}, which these pairs "
        f"cannot support.</p>{listed}<p>{WARNING}</p></body></html>\n"
    )


def write_page(text: str, file: str | Path) -> None:
    """Write a report, in one step.

    Raises:
        InvalidArgument: the file cannot be written.
    """
    write_whole(text, file)


def calibration_markdown(report: CalibrationReport) -> str:
    """A calibration's tables as Markdown, for the model's page in the documentation."""
    facts = report.facts
    fmr, fnmr = report.intervals["fmr"], report.intervals["fnmr"]
    points = [
        [f"{p.fmr:g}", f"{p.logit:.3f}", f"{p.similarity:.4f}", f"{p.fnmr:.4f}"]
        for p in facts.points
    ]
    checks = [
        [f"{c.fmr:g}", *(f"{v:.2e}" for v in (c.half_1, c.half_2, c.plain_1, c.plain_2))]
        for c in report.checks
    ]
    searches = [
        [
            str(row.gallery_half),
            str(row.gallery_size),
            row.probes_from or "all",
            str(row.probes),
            f"{row.fpir:.4f}",
        ]
        for row in report.open_set
    ]
    w = facts.weights
    sections = [
        f"# Calibration of {report.model}\n\nWritten by `mien eval calibrate`. {WARNING}",
        f"Data: {facts.data}. {facts.impostor_pairs} impostor and {facts.genuine_pairs} genuine "
        f"pairs: all pairs of faces within each half of the people, so they are not independent. "
        f"The smallest rate that they can support is 3 / {facts.impostor_pairs} = "
        f"{facts.fmr_floor:.2g}. {len(report.undetected)} of {report.photos} photos had no face.",
        f"`logit = {w[0]:g} s {w[1]:+g} s q {w[2]:+g} q {w[3]:+g}`, "
        f"`q = clip(ln(norm / {facts.norm_reference:g}), {facts.norm_clip[0]:g}, "
        f"{facts.norm_clip[1]:g})`; without norms `logit = {facts.plain[0]:g} s "
        f"{facts.plain[1]:+g}`. Penalty on the quality terms {report.penalty:.3g}; the largest "
        f"out-of-fold FMR of a quality bin is {report.worst_ratio:.2f} times the nominal one.",
        f"At the default operating point (FMR {facts.default_fmr:g}) the 95 % intervals over "
        f"resampled people are {fmr[0]:.2e} to {fmr[1]:.2e} for the FMR and {fnmr[0]:.4f} to "
        f"{fnmr[1]:.4f} for the FNMR.",
        "## Operating points, out of fold\n\n"
        + _table(["FMR", "logit", "similarity", "FNMR"], points),
        "## At the default operating point, by quality of the pair\n\n" + _parts(report.by_quality),
        "## By demographic group\n\n" + _parts(report.by_group),
        "## By data set\n\n" + _parts(report.by_set),
        "## The shipped model at the shipped thresholds\n\nFMR on each half of the people, with "
        "norms and without.\n\n"
        + _table(["FMR aimed at", "half 1", "half 2", "no norms, 1", "no norms, 2"], checks),
        "## Identification, simulated\n\nStrangers searched at the default threshold for FPIR "
        "0.01.\n\n"
        + _table(["half enrolled", "faces", "probes from", "searches", "FPIR measured"], searches),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _parts(parts: Sequence[Part]) -> str:
    header = ["pairs", "impostor", "genuine", "FMR", "FNMR", "FMR, similarity", "FNMR, similarity"]
    rows = [
        [
            part.name or "all",
            str(part.impostor_pairs),
            str(part.genuine_pairs),
            _rate(part.fmr),
            _rate(part.fnmr),
            _rate(part.fmr_similarity),
            _rate(part.fnmr_similarity),
        ]
        for part in parts
    ]
    return _table(header, rows) if rows else "The data has no such labels."


def _rate(value: float | None) -> str:
    return "–" if value is None else f"{value:.2e}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
