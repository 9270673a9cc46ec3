"""Commands that measure on labelled photos: eval pairs, eval calibrate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.cli.evaluate_attributes import attributes
from mien.cli.evaluate_clusters import clusters
from mien.cli.evaluate_detection import detection
from mien.cli.evaluate_identification import identification
from mien.cli.evaluate_liveness import liveness
from mien.cli.evaluate_quality import quality
from mien.cli.exits import ExitCode, Failure
from mien.cli.labelled import labelled
from mien.cli.progress import photo_progress
from mien.cli.run import Run, shared_options
from mien.errors import InvalidArgument

if TYPE_CHECKING:
    from mien.evaluate import CalibrationReport, Score

__all__ = ["evaluate"]

Command = Callable[..., Any]


def _report_option(form: str) -> Callable[[Command], Command]:
    return click.option(
        "--report",
        "report_file",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help=f"Write a report for people ({form}).",
    )


@click.group("eval")
def evaluate() -> None:
    """Measure models on labelled photos, and calibrate."""


evaluate.add_command(attributes)
evaluate.add_command(clusters)
evaluate.add_command(detection)
evaluate.add_command(identification)
evaluate.add_command(quality)
evaluate.add_command(liveness)


@evaluate.command("pairs")
@labelled(
    "--pairs",
    "pairs_csv",
    metavar="CSV",
    says="Columns a,b,same (0 or 1) and optionally fold.",
)
@click.option(
    "--score",
    type=click.Choice(["confidence", "similarity"]),
    help="What pairs are scored by; default: confidence where the model is calibrated.",
)
@_report_option("HTML")
@shared_options(detector=True, embedder=True)
def pairs(
    run: Run, pairs_csv: Path, root: Path, score: Score | None, report_file: Path | None
) -> None:
    """Measure how well pairs of one person are told from pairs of two."""
    from mien.evaluate import check_target, pairs_html, write_page
    from mien.evaluate import pairs as measure

    if report_file is not None:
        check_target(report_file)
    report = measure(run.engine, pairs_csv, root, score=score, progress=photo_progress())
    tar = ", ".join(f"{rate}: {value:.4f}" for rate, value in report.tar.items())
    lines = [
        str(report),
        f"  scored by {report.score}, AUC {report.auc:.5f}, EER {report.eer:.4f}",
        f"  true-accept rate at FMR {tar} ({report.impostor_pairs} impostor pairs)",
        f"  {report.ms_per_image_cpu:.1f} ms of CPU per image",
    ]
    run.answer(report.to_dict(), "\n".join(lines))
    if report_file is not None:
        _write([lambda: write_page(pairs_html(report), report_file)])


@evaluate.command("calibrate")
@labelled(
    "--faces",
    "faces_csv",
    metavar="CSV",
    says="Columns path,id and optionally fold,set,group.",
)
@click.option(
    "--default-fmr",
    type=float,
    default=1e-3,
    show_default=True,
    metavar="F",
    help="The operating point that gets confidence 0.5.",
)
@click.option(
    "--plain",
    is_flag=True,
    help="Fit the similarity alone, for a model whose norm says nothing about quality.",
)
@click.option(
    "--write",
    "card_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Put the [calibration] table into this model card, or into a new file.",
)
@_report_option("Markdown")
@shared_options(detector=True, embedder=True)
def calibrate(
    run: Run,
    faces_csv: Path,
    root: Path,
    default_fmr: float,
    plain: bool,
    card_file: Path | None,
    report_file: Path | None,
) -> None:
    """Fit similarity and quality to a confidence, and measure it on people left out of the fit."""
    from mien.evaluate import (
        CalibrationOptions,
        calibration_markdown,
        check_card,
        check_target,
        write_calibration,
        write_page,
    )
    from mien.evaluate import calibrate as fit

    if card_file is not None:
        check_card(card_file)
    if report_file is not None:
        check_target(report_file)
    options = CalibrationOptions(default_fmr=default_fmr, use_norm=not plain)
    report = fit(run.engine, faces_csv, root, options=options, progress=photo_progress())
    run.answer(report.to_dict(), _describe(report))
    files = []
    if card_file is not None:
        files.append(lambda: write_calibration(report.facts, card_file))
    if report_file is not None:
        files.append(lambda: write_page(calibration_markdown(report), report_file))
    _write(files)


def _write(files: Sequence[Callable[[], None]]) -> None:
    """Write the files of an answer that is printed already; leave with 2 if one cannot be."""
    failed = False
    for write in files:
        try:
            write()
        except InvalidArgument as error:
            failed = True
            Failure.of(error).tell(as_json=False)
    if failed:
        click.get_current_context().exit(ExitCode.BAD_INPUT)


def _describe(report: CalibrationReport) -> str:
    facts = report.facts
    points = [
        f"  FMR {point.fmr:<8g} similarity {point.similarity:.3f}  FNMR {point.fnmr:.4f}"
        for point in facts.points
    ]
    groups = [f"  FMR of {name}: {rate:.2g}" for name, rate in facts.fmr_by_group.items()]
    floor = f"  no rate below {facts.fmr_floor:.2g} is measured: beyond it, it is extrapolated"
    return "\n".join([str(report), *points, floor, *groups])
