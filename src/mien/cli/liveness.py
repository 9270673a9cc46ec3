"""The command liveness: are the faces in photos live ones?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mien.cli.exits import ExitCode
from mien.cli.photos import answer_each, describe_box
from mien.cli.run import Run, shared_options

if TYPE_CHECKING:
    from pathlib import Path

    from mien.analysis import Analysis

__all__ = ["liveness"]


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@shared_options(detector=True, condition=True)
def liveness(run: Run, images: tuple[str, ...]) -> None:
    """Say of every face whether it is a live one, or a photo or a screen that shows one.

    Give whole photos, not faces cut out: what is around a face says most. A face of which nothing
    can be said is not live. Exit code 0: every face is live, and there is one in every photo;
    1: not so.
    """
    found: list[Analysis] = []

    def ask(image: str | Path) -> Analysis:
        found.append(run.engine.check_liveness(image))
        return found[-1]

    _ = run.engine.liveness  # so that missing nets are one error and not one a photo
    answer_each(run, images, ask, _describe)
    if not all(len(one) and all(face["liveness"].live for face in one) for one in found):
        click.get_current_context().exit(ExitCode.NO)


def _describe(name: str, analysis: Analysis) -> str:
    rows = [f"  {describe_box(face.face)}: {face['liveness']}" for face in analysis]
    return "\n".join([f"{name}: {len(analysis)} face(s)", *rows])
