"""Commands that measure on labelled photos: eval pairs, eval calibrate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.cli.progress import photo_progress
from mien.cli.run import Run, shared_options

if TYPE_CHECKING:
    from mien.evaluate.pairs import Score

__all__ = ["evaluate"]

_ROOT = click.option(
    "--root",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder that the list's paths are relative to.",
)


@click.group("eval")
def evaluate() -> None:
    """Measure models on labelled photos, and calibrate."""


@evaluate.command("pairs")
@click.option(
    "--pairs",
    "pairs_csv",
    type=click.Path(path_type=Path),
    required=True,
    metavar="CSV",
    help="Columns a,b,same (0 or 1) and optionally fold.",
)
@_ROOT
@click.option(
    "--score",
    type=click.Choice(["confidence", "similarity"]),
    help="What pairs are scored by; default: confidence where the model is calibrated.",
)
@shared_options(detector=True, embedder=True)
def pairs(run: Run, pairs_csv: Path, root: Path, score: Score | None) -> None:
    """Measure how well pairs of one person are told from pairs of two."""
    from mien.evaluate.pairs import pairs as measure

    report = measure(run.engine, pairs_csv, root, score=score, progress=photo_progress())
    tar = ", ".join(f"{rate}: {value:.4f}" for rate, value in report.tar.items())
    lines = [
        str(report),
        f"  scored by {report.score}, AUC {report.auc:.5f}, EER {report.eer:.4f}",
        f"  true-accept rate at FMR {tar} ({report.impostor_pairs} impostor pairs)",
        f"  {report.ms_per_image_cpu:.1f} ms of CPU per image",
    ]
    run.answer(report.to_dict(), "\n".join(lines))
