"""The command ``mien eval liveness``."""

from __future__ import annotations

from pathlib import Path

import click

from mien.cli.labelled import labelled
from mien.cli.progress import photo_progress
from mien.cli.run import Run, shared_options

__all__ = ["liveness"]


@click.command("liveness")
@labelled(
    "--list",
    "list_csv",
    metavar="CSV",
    says="Columns path,live (0 or 1) and optionally attack, clip, subject and enrolled.",
)
@click.option(
    "--report",
    "report_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a report for people (HTML).",
)
@shared_options(detector=True, condition=True)
def liveness(run: Run, list_csv: Path, root: Path, report_file: Path | None) -> None:
    """Measure which attacks are taken for live faces, and which live faces for attacks."""
    from mien.evaluate import check_target, write_page
    from mien.evaluate import liveness as measure
    from mien.evaluate.liveness_page import liveness_html

    if report_file is not None:
        check_target(report_file)
    report = measure(run.engine, list_csv, root, progress=photo_progress())
    if report_file is not None:
        write_page(liveness_html(report), report_file)
    lines = [str(report)]
    for name, value in report.rates.items():
        lines.append(f"  {name}: {'-' if value is None else f'{value:.4f}'}")
    for one in report.by_attack:
        apcer = "-" if one.apcer is None else f"{one.apcer:.4f}"
        lines.append(f"  {one.name}: APCER {apcer} of {one.n}, {one.no_response} without an answer")
    for name, facts in report.groups.items():
        told = [f"{k} {'-' if v is None else f'{v:.4f}'}" for k, v in facts.items() if k != "n"]
        lines.append(f"  by {name} ({facts['n']}): {', '.join(told)}")
    if report.whole is not None:
        lines.append(f"  who would get in, at FMR {report.whole.fmr:g}:")
        for name, rates in report.whole.by_attack.items():
            lines.append(f"    {name}: IAPAR {rates['iapar']:.4f}, IAPMR {rates['iapmr']:.4f}")
        frr, riapar = (
            "-" if v is None else f"{v:.4f}" for v in (report.whole.frr, report.whole.riapar)
        )
        lines.append(f"    FRR {frr} of {report.whole.bona_fide}, RIAPAR {riapar}")
    lines.append(f"  {report.no_face} without a face, {report.undetermined} undetermined")
    lines.append(f"  {report.ms_per_image_cpu:.1f} ms of CPU per image")
    run.answer(report.to_dict(), "\n".join(lines))
