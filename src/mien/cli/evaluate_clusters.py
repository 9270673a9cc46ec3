"""The command eval clusters."""

from __future__ import annotations

from pathlib import Path

import click

from mien.cli.progress import photo_progress
from mien.cli.run import Run, shared_options

__all__ = ["clusters"]


@click.command("clusters")
@click.option(
    "--list",
    "faces_csv",
    type=click.Path(path_type=Path),
    required=True,
    metavar="CSV",
    help="Columns path,id.",
)
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder that the list's paths are relative to.",
)
@click.option(
    "--threshold", type=float, metavar="T", help="Mean similarity; default: by the calibration."
)
@shared_options(detector=True, embedder=True)
def clusters(run: Run, faces_csv: Path, root: Path, threshold: float | None) -> None:
    """Measure how well photos are sorted by person (see cluster)."""
    from mien.evaluate import clusters as measure

    report = measure(run.engine, faces_csv, root, threshold=threshold, progress=photo_progress())
    text = f"{report}\n  put together from a mean similarity of {report.threshold:.3f}"
    run.answer(report.to_dict(), text)
