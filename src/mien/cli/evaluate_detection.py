"""The command ``mien eval detection``."""

from __future__ import annotations

from pathlib import Path

import click

from mien.cli.labelled import labelled
from mien.cli.progress import photo_progress
from mien.cli.run import Run, shared_options

__all__ = ["detection"]


@click.command("detection")
@labelled(
    "--truth",
    "truth_json",
    metavar="JSON",
    says='List of {"path", "faces": [{"box": [x, y, w, h]} or {"nose": [x, y]}]}.',
)
@shared_options(detector=True)
def detection(run: Run, truth_json: Path, root: Path) -> None:
    """Measure how many faces a detector finds, and how many of its finds are faces."""
    from mien.evaluate import detection as measure

    report = measure(run.engine, truth_json, root, progress=photo_progress())
    lines = [str(report), f"  {report.ms_per_image_cpu:.1f} ms of CPU per decoded image"]
    lines += [f"  missed a face in {name}" for name in report.missed]
    run.answer(report.to_dict(), "\n".join(lines))
