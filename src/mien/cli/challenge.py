"""The command challenge: try on a folder of frames or a video what a session would say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.cli.exits import ExitCode
from mien.cli.run import Run, shared_options

if TYPE_CHECKING:
    from mien.challenge import ChallengeResult

__all__ = ["challenge"]


@click.command()
@click.argument("clip", type=click.Path(path_type=Path), metavar="FOLDER|VIDEO")
@click.option(
    "--steps",
    required=True,
    metavar="STEPS",
    help="What is asked for, in order, with commas: blink, turn_left, turn_right, nod, smile, "
    "move_closer.",
)
@click.option("--fps", type=float, help="Frames a second of a folder. Default: 10.")
@click.option("--mirrored", is_flag=True, help="The frames are mirror images.")
@click.option(
    "--step-limit", type=float, default=10.0, show_default=True, help="Seconds for each step."
)
@shared_options(detector=True, embedder=True, liveness=True)
def challenge(
    run: Run, clip: Path, steps: str, fps: float | None, mirrored: bool, step_limit: float
) -> None:
    """Say whether a folder of frames, or a video of at most a minute, passes a challenge.

    For trying: a real session draws its steps by chance and takes frames as they are filmed. Exit
    code 0: passed; 1: not.
    """
    from mien.challenge import Plan, judge, watch
    from mien.cli.clips import read_clip
    from mien.engine import LivenessCheck
    from mien.liveness import check_policy

    wanted = [step.strip() for step in steps.split(",") if step.strip()]
    settings = run.settings
    plan = Plan(
        steps=tuple(wanted),  # type: ignore[arg-type]  # the plan checks them
        step_limit_s=step_limit,
        mirrored=mirrored,
        max_frames=600,
        liveness=LivenessCheck(
            check_policy(run.overrides.get("liveness") or "enforce"), settings.liveness_condition
        ),
    )
    read = read_clip(clip, fps=fps, limits=run.engine.limits)
    frames = watch(run.engine, plan, read.frames, received_s=float("nan"))
    result = judge(run.engine, plan, frames, compressed=read.compressed)
    run.answer(result.to_dict(), _describe(result))
    if not result.passed:
        click.get_current_context().exit(ExitCode.NO)


def _describe(result: ChallengeResult) -> str:
    lines = [f"{result} ({result.frames} frames)"]
    for one in result.steps:
        done = {True: "done", False: "failed", None: "not reached"}[one.done]
        figure = "" if one.value is None else f" {one.value:.2f} (needs {one.limit:g})"
        lines.append(f"  {one.step}: {done}{figure}")
    for check in result.checks:
        said = {True: "ok", False: check.reason, None: "cannot be said"}[check.passed]
        figure = "" if check.value is None else f" {check.value:.3f} (limit {check.limit:g})"
        lines.append(f"  {check.name}: {said}{figure}")
    return "\n".join(lines)
