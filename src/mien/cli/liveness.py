"""The command liveness: are the faces in photos live ones?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.cli.exits import ExitCode
from mien.cli.photos import answer_each, describe_box
from mien.cli.run import Run, shared_options

if TYPE_CHECKING:
    from mien.analysis import Analysis

__all__ = ["liveness"]

VIDEOS = {".mp4", ".m4v", ".mov", ".avi", ".webm", ".mkv"}


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE|CLIP...")
@click.option(
    "--clip", is_flag=True, help="The images are the frames of one clip, ten a second, in order."
)
@shared_options(detector=True, condition=True)
def liveness(run: Run, images: tuple[str, ...], clip: bool) -> None:
    """Say of every face whether it is a live one, or a photo or a screen that shows one.

    Give whole photos, not faces cut out: what is around a face says most. A face of which nothing
    can be said is not live. One folder of frames or one video of at most a minute is a short clip:
    its largest face is watched over time. Exit code 0: every face is live, and there is one in
    every photo; 1: not so.
    """
    if clip or (len(images) == 1 and is_clip(images[0])):
        _clip(run, images)
        return
    found: list[Analysis] = []

    def ask(image: str | Path) -> Analysis:
        found.append(run.engine.check_liveness(image))
        return found[-1]

    _ = run.engine.liveness  # so that missing nets are one error and not one a photo
    answer_each(run, images, ask, _describe)
    if not all(len(one) and all(face["liveness"].live for face in one) for one in found):
        click.get_current_context().exit(ExitCode.NO)


def _clip(run: Run, images: tuple[str, ...]) -> None:
    from mien.cli.clips import read_clip
    from mien.engine import LivenessCheck
    from mien.engine.watching import check_clip

    if len(images) == 1:
        read = read_clip(Path(images[0]), fps=None, limits=run.engine.limits)
        times, frames = [time_s for time_s, _ in read.frames], [frame for _, frame in read.frames]
        compressed = read.compressed
    else:
        times, frames = [i / 10 for i in range(len(images))], list(images)
        compressed = False
    check = LivenessCheck("observe", run.settings.liveness_condition)
    told = check_clip(run.engine, frames, times_s=times, check=check, compressed=compressed)
    run.answer(told.to_dict(), f"{told} ({told.frames} frames)")
    if not told.live:
        click.get_current_context().exit(ExitCode.NO)


def is_clip(name: str) -> bool:
    """Whether it is a folder, or is called as videos are."""
    path = Path(name)
    return path.is_dir() or path.suffix.lower() in VIDEOS


def _describe(name: str, analysis: Analysis) -> str:
    rows = [f"  {describe_box(face.face)}: {face['liveness']}" for face in analysis]
    return "\n".join([f"{name}: {len(analysis)} face(s)", *rows])
