"""The command ``mien eval attributes``."""

from __future__ import annotations

from pathlib import Path

import click

from mien.cli.labelled import labelled
from mien.cli.progress import photo_progress
from mien.cli.run import Run, shared_options

__all__ = ["attributes"]


@click.command("attributes")
@labelled(
    "--list",
    "list_csv",
    metavar="CSV",
    says="Column path, any of age, gender, emotion, mask, glasses, eyes, mouth, smile, "
    "eyes_covered, mouth_covered, forehead_covered, and optionally group.",
)
@shared_options(detector=True)
def attributes(run: Run, list_csv: Path, root: Path) -> None:
    """Measure how well attributes agree with labels."""
    from mien.evaluate import attributes as measure

    report = measure(run.engine, list_csv, root, progress=photo_progress())
    lines = [str(report)]
    for action, figures in report.measures.items():
        told = (f"{name} {value}" for name, value in figures.items() if name != "by_group")
        lines.append(f"  {action}: {', '.join(told)}")
    lines.append(f"  {report.ms_per_image_cpu:.1f} ms of CPU per image")
    run.answer(report.to_dict(), "\n".join(lines))
