"""The command enroll: photos of one person, or many persons' from a folder, a zip or a CSV file."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.cli.exits import ExitCode
from mien.cli.output import tell
from mien.cli.photos import as_source
from mien.cli.progress import on_terminal
from mien.cli.run import Run, shared_options
from mien.errors import InvalidArgument

if TYPE_CHECKING:
    from mien.engine import EnrolmentPhoto, PhotoOutcome
    from mien.results import Rejection

__all__ = ["enroll", "tell_outcomes"]

ALREADY_THERE = "duplicate"


@click.command()
@click.argument("group")
@click.argument("person", required=False)
@click.argument("images", nargs=-1, metavar="[IMAGE...]")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Enrol a folder or a zip with one sub-folder per person, or a CSV file: path,person and, "
    "where wanted, external_image_id.",
)
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="What the paths of a CSV file are relative to (default: its own folder).",
)
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Look at the photos of --from on a Dask cluster: its scheduler's address, or local:N.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write what was rejected and why to a file: .csv, .json or .html.",
)
@shared_options(detector=True, embedder=True, application=True, creates=True, liveness=True)
def enroll(
    run: Run,
    group: str,
    person: str | None,
    images: tuple[str, ...],
    source: Path | None,
    root: Path | None,
    dask: str | None,
    report: Path | None,
) -> None:
    """Enrol photos in GROUP, which is created when it is missing.

    Either PERSON and IMAGE..., or --from PATH. Every photo is one transaction: when its line is on
    stderr, its face is kept, whatever happens then. Photos that are there already are skipped
    (reason "duplicate") without being looked at, so an interrupted run is completed by running it
    again. Exit code 2: nothing was enrolled and nothing was there already.
    """
    from mien.cli.enroll_report import check_place

    if source is not None and person is not None:
        raise InvalidArgument("Give either PERSON and IMAGE... or --from PATH, not both.")
    if source is None and root is not None:
        raise InvalidArgument("--root belongs to --from with a CSV file.")
    if report is not None:
        check_place(report)
    if source is None and dask is not None:
        raise InvalidArgument("--dask belongs to --from.")
    if source is None:
        _enroll(run, group, _photos_of(person, images), report)
        return
    from mien.engine.bulk import photos_in

    with photos_in(source, run.settings, root=root) as photos:
        if dask is None:
            _enroll(run, group, photos, report)
            return
        found = run.rooms.cluster(run.engine, run.gallery, group, photos, dask)
        tell_outcomes(run, group, found, total=len(photos), report=report)


def _enroll(run: Run, group: str, photos: Sequence[EnrolmentPhoto], report: Path | None) -> None:
    found = run.engine.enroll_each(run.gallery, group, photos)
    tell_outcomes(run, group, found, total=len(photos), report=report)


def tell_outcomes(
    run: Run,
    group: str,
    found: Iterator[PhotoOutcome],
    *,
    total: int,
    report: Path | None,
) -> None:
    """Show each outcome when it comes, then answer, and write the report that was asked for."""
    from mien.cli.enroll_report import write_report

    outcomes: list[PhotoOutcome] = []
    try:
        for outcome in _shown(found, total):
            outcomes.append(outcome)
            _tell(outcome)
    finally:  # of an interrupted run too
        if report is not None:
            write_report(report, group, outcomes)
    _answer(run, group, outcomes)


def _photos_of(person: str | None, images: Sequence[str]) -> list[EnrolmentPhoto]:
    from mien.engine import EnrolmentPhoto

    if person is None or not images:
        raise InvalidArgument("Give PERSON and at least one IMAGE, or --from PATH.")
    return [EnrolmentPhoto(person, as_source(name), name) for name in images]


def _shown(outcomes: Iterator[PhotoOutcome], total: int) -> Iterator[PhotoOutcome]:
    """The outcomes, with a progress bar where stderr is a terminal."""
    if not on_terminal():
        yield from outcomes
        return
    with click.progressbar(
        outcomes,
        length=total,
        label="enrolling",
        file=sys.stderr,
        show_pos=True,
        item_show_func=lambda outcome: None if outcome is None else outcome.photo.name,
    ) as bar:
        yield from bar


def _tell(outcome: PhotoOutcome) -> None:
    """Acknowledge a committed photo, a line each, where there is no progress bar."""
    if on_terminal():
        return
    if outcome.rejection is None:
        warned = "" if outcome.warning is None else f" ({', '.join(outcome.warning.reasons)})"
        tell(f"enrolled {outcome.photo.name}{warned}", err=True)
    else:
        tell(f"rejected {_reasons(outcome.rejection)}", err=True)


def _answer(run: Run, group: str, outcomes: Sequence[PhotoOutcome]) -> None:
    from mien.engine.enrolment import summary

    enrolment = summary(group, outcomes)
    others = [one for one in enrolment.rejected if ALREADY_THERE not in one.reasons]
    there = len(enrolment.rejected) - len(others)
    rows = [f"  {_reasons(rejection)}" for rejection in others]
    rows += [f"  look at {_reasons(warning)}" for warning in enrolment.warnings]
    if there:
        new = "" if enrolment.enrolled else "Nothing new: "
        rows.insert(0, f"  {new}{there} photo(s) are enrolled already.")
    run.answer(enrolment.to_dict(), "\n".join([str(enrolment), *rows]))
    if not enrolment.enrolled and not there:
        click.get_current_context().exit(ExitCode.BAD_INPUT)


def _reasons(rejection: Rejection) -> str:
    message = f" ({rejection.message})" if rejection.message else ""
    return f"{rejection.image}: {', '.join(rejection.reasons)}{message}"
