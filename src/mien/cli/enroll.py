"""The command enroll: photos of one person, or a folder with one sub-folder per person."""

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

__all__ = ["enroll"]

ALREADY_THERE = "duplicate"


@click.command()
@click.argument("group")
@click.argument("person", required=False)
@click.argument("images", nargs=-1, metavar="[IMAGE...]")
@click.option(
    "--from",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Enrol a folder: one sub-folder per person.",
)
@shared_options(detector=True, embedder=True, application=True, creates=True, liveness=True)
def enroll(
    run: Run, group: str, person: str | None, images: tuple[str, ...], folder: Path | None
) -> None:
    """Enrol photos in GROUP, which is created when it is missing.

    Either PERSON and IMAGE..., or --from DIR. Every photo is one transaction: when its line is on
    stderr, its face is kept, whatever happens then. Photos that are there already are skipped
    (reason "duplicate"), so an interrupted run is completed by running it again. Exit code 2:
    nothing was enrolled and nothing was there already.
    """
    if folder is not None and person is not None:
        raise InvalidArgument("Give either PERSON and IMAGE... or --from DIR, not both.")
    photos = photos_of_folder(folder) if folder is not None else _photos_of(person, images)
    outcomes = []
    for outcome in _shown(run.engine.enroll_each(run.gallery, group, photos), len(photos)):
        outcomes.append(outcome)
        _tell(outcome)
    _answer(run, group, outcomes)


def _photos_of(person: str | None, images: Sequence[str]) -> list[EnrolmentPhoto]:
    from mien.engine import EnrolmentPhoto

    if person is None or not images:
        raise InvalidArgument("Give PERSON and at least one IMAGE, or --from DIR.")
    return [EnrolmentPhoto(person, as_source(name), name) for name in images]


def photos_of_folder(folder: Path) -> list[EnrolmentPhoto]:
    """The files in the sub-folders of ``folder``, hidden ones left out, by person and name.

    Raises:
        InvalidArgument: no such folder, or no sub-folder with a file in it.
    """
    from mien.engine import EnrolmentPhoto
    from mien.gallery.checks import person_name

    if not folder.is_dir():
        raise InvalidArgument(f"--from {folder.name!r} is not a folder.")
    try:
        photos = [
            EnrolmentPhoto(person.name, file, f"{person.name}/{file.name}")
            for person in _visible(folder)
            if person.is_dir()
            for file in _visible(person)
            if file.is_file()
        ]
    except OSError as error:
        raise InvalidArgument(f"--from {folder.name!r} cannot be read: {error.strerror}.") from None
    for person in {photo.person for photo in photos}:
        person_name(person)  # before anything is enrolled
    if not photos:
        raise InvalidArgument(
            f"--from {folder.name!r} holds no photos: it needs one sub-folder per person, "
            "named like the person, with photos in it."
        )
    return photos


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


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
        tell(f"enrolled {outcome.photo.name}", err=True)
    else:
        tell(f"rejected {_reasons(outcome.rejection)}", err=True)


def _answer(run: Run, group: str, outcomes: Sequence[PhotoOutcome]) -> None:
    from mien.engine.enrolment import summary

    enrolment = summary(group, outcomes)
    rows = [f"  {_reasons(rejection)}" for rejection in enrolment.rejected]
    run.answer(enrolment.to_dict(), "\n".join([str(enrolment), *rows]))
    there = any(ALREADY_THERE in rejection.reasons for rejection in enrolment.rejected)
    if not enrolment.enrolled and not there:
        click.get_current_context().exit(ExitCode.BAD_INPUT)


def _reasons(rejection: Rejection) -> str:
    message = f" ({rejection.message})" if rejection.message else ""
    return f"{rejection.image}: {', '.join(rejection.reasons)}{message}"
