"""The command compare, and how a comparison is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from mien.cli.exits import ExitCode
from mien.cli.photos import as_source, describe_box
from mien.cli.run import Run, shared_options

if TYPE_CHECKING:
    from mien.answers import Comparison
    from mien.types import Metric

__all__ = ["answer_comparison", "compare", "decision_options"]


def decision_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--fmr`` or ``--threshold``: how a 1:1 comparison is decided."""
    fmr = click.option(
        "--fmr", type=float, metavar="F", help="Decide at this false-match rate (default 0.001)."
    )
    threshold = click.option(
        "--threshold", type=float, metavar="T", help="Decide at this raw similarity instead."
    )
    return fmr(threshold(command))


@click.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@decision_options
@click.option("--metric", metavar="NAME", help="Metric of the similarity; default: the model's.")
@shared_options(detector=True, embedder=True, liveness=True)
def compare(
    run: Run, a: str, b: str, fmr: float | None, threshold: float | None, metric: Metric | None
) -> None:
    """Say whether two photos show the same person.

    The largest face of A is compared with every face of B. Exit code 0: match, 1: no match.
    """
    comparison = run.engine.compare(
        as_source(a), as_source(b), fmr=fmr, threshold=threshold, metric=metric
    )
    answer_comparison(run, comparison)


def answer_comparison(run: Run, comparison: Comparison) -> None:
    """Print a comparison and leave with 0 for a match, 1 for none."""
    lines = [str(comparison)]
    if comparison.fmr is not None:
        note = ", extrapolated beyond the calibration's pairs" if comparison.extrapolated else ""
        lines.append(f"  decided at false-match rate {comparison.fmr:g}{note}")
    lines.append(f"  face in A: {describe_box(comparison.face_a)}")
    if comparison.face_b is not None:
        lines.append(f"  face in B: {describe_box(comparison.face_b)}")
    for name, verdict in zip("AB", comparison.liveness or (), strict=False):
        lines += [f"  liveness in {name}: {verdict}"] if verdict is not None else []
    run.answer(comparison.to_dict(), "\n".join(lines))
    if not comparison.match:
        click.get_current_context().exit(ExitCode.NO)
