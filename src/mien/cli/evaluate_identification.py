"""The command eval identification."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.cli.progress import photo_progress
from mien.cli.run import Run, shared_options

if TYPE_CHECKING:
    from mien.evaluate import IdentificationReport

__all__ = ["identification"]


@click.command("identification")
@click.option(
    "--list",
    "list_csv",
    type=click.Path(path_type=Path),
    required=True,
    metavar="CSV",
    help="Columns path,id,role; roles enrol, enrol_distractor, probe_known, probe_unknown.",
)
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder that the list's paths are relative to.",
)
@shared_options(detector=True, embedder=True)
def identification(run: Run, list_csv: Path, root: Path) -> None:
    """Measure search in a gallery: ranks, and the rate at which strangers are named."""
    from mien.evaluate import identification as measure

    report = measure(run.engine, list_csv, root, progress=photo_progress())
    run.answer(report.to_dict(), _describe(report))


def _describe(report: IdentificationReport) -> str:
    rows = [f"  rank {rank}: {rate:.4f}" for rank, rate in report.cmc.items()]
    for name, rate in report.dir.items():
        at = name.removeprefix("fpir_")
        rows.append(
            f"  not enough strangers to state an FPIR of {at}"
            if rate is None
            else f"  DIR at FPIR {at}: {rate:.4f}{_interval(report, name)}"
        )
    if report.fpir is not None:
        rows.append(
            f"  at the default threshold: strangers named {report.fpir:.4f}"
            f"{_interval(report, 'fpir')}, DIR {report.dir_default:.4f}"
        )
    failures = f"{len(report.rejected)} not enrolled, {len(report.undetected)} probes undetected"
    rows.append(f"  {failures}; {report.ms_per_probe_cpu:.1f} ms of CPU per probe")
    return "\n".join([str(report), *rows])


def _interval(report: IdentificationReport, name: str) -> str:
    one = report.intervals.get(name)
    return "" if one is None else f" (95 %: {one.low:.4f} to {one.high:.4f})"
