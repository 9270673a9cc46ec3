"""The command ``mien eval quality``."""

from __future__ import annotations

from pathlib import Path

import click

from mien.cli.exits import ExitCode, Failure
from mien.cli.labelled import labelled
from mien.cli.progress import photo_progress
from mien.cli.run import Run, shared_options
from mien.errors import InvalidArgument

__all__ = ["quality"]


@click.command("quality")
@labelled("--pairs", "pairs_csv", metavar="CSV", says="Columns a,b,same (0 or 1).")
@click.option(
    "--fmr",
    type=float,
    default=1e-3,
    show_default=True,
    metavar="F",
    help="False-match rate of the decision that fails.",
)
@click.option(
    "--spoil", "spoilt", is_flag=True, help="Spoil the photos of column b, by a drawn amount."
)
@click.option(
    "--report",
    "report_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a report for people (HTML).",
)
@shared_options(detector=True, embedder=True)
def quality(
    run: Run, pairs_csv: Path, root: Path, fmr: float, spoilt: bool, report_file: Path | None
) -> None:
    """Measure whether photos of low quality are those that recognition fails on."""
    from mien.evaluate import check_target, quality_html, write_page
    from mien.evaluate import quality as measure

    if report_file is not None:
        check_target(report_file)
    report = measure(run.engine, pairs_csv, root, fmr=fmr, spoilt=spoilt, progress=photo_progress())
    lines = [str(report)]
    for name, curve in report.curves.items():
        steps = ", ".join(f"{share:.0%}: {curve.at(share):.4f}" for share in (0.05, 0.1, 0.2, 0.4))
        lines.append(
            f"  {name}: FNMR without the lowest {steps}; mean to 20 % {curve.partial_auc:.4f}, "
            f"gain {curve.gain:.2f}"
        )
    lines += [
        f"  {kind}: {count} pairs, FNMR {rate:.4f}"
        for kind, (count, rate) in report.by_kind.items()
    ]
    run.answer(report.to_dict(), "\n".join(lines))
    if report_file is not None:
        try:
            write_page(quality_html(report), report_file)
        except InvalidArgument as error:  # the answer is printed already
            Failure.of(error).tell(as_json=False)
            click.get_current_context().exit(ExitCode.BAD_INPUT)
