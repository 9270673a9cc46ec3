"""The command enroll: photos of one person, or a folder with one sub-folder per person."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from mien.cli.exits import ExitCode
from mien.cli.run import Run, shared_options
from mien.errors import InvalidArgument

if TYPE_CHECKING:
    from mien.results import Enrolment, Rejection

__all__ = ["enroll"]

ALREADY_THERE = "duplicate"


class Photo(NamedTuple):
    """A photo to enrol: whose it is, how it is named in the answer, and its file."""

    person: str
    name: str
    file: Path


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
@shared_options(detector=True, embedder=True, application=True)
def enroll(
    run: Run, group: str, person: str | None, images: tuple[str, ...], folder: Path | None
) -> None:
    """Enrol photos in GROUP, which is created when it is missing.

    Either PERSON and IMAGE..., or --from DIR. Every photo is one transaction: when its line is on
    stderr, its face is kept, whatever happens then. Photos that are there already are skipped
    (reason "duplicate"), so that an interrupted run is just run again. Exit code 2: no photo is
    enrolled.
    """
    if folder is not None and person is not None:
        raise InvalidArgument("Give either PERSON and IMAGE... or --from DIR, not both.")
    if folder is not None:
        photos = photos_of_folder(folder)
    elif person is not None and images:
        photos = [Photo(person, name, Path(name)) for name in images]
    else:
        raise InvalidArgument("Give PERSON and at least one IMAGE, or --from DIR.")
    tally = Tally(group)
    for photo in _shown(photos):
        tally.add(run.engine.enroll(
            run.gallery, group, photo.person, [photo.file], names=[photo.name]
        ), photo)
    enrolment = tally.enrolment()
    run.answer(enrolment.to_dict(), _describe(enrolment))
    if not tally.kept:
        click.get_current_context().exit(ExitCode.BAD_INPUT)


def photos_of_folder(folder: Path) -> list[Photo]:
    """The files in the sub-folders of ``folder``, hidden ones left out, by person and name.

    Raises:
        InvalidArgument: no such folder, or no sub-folder with a file in it.
    """
    if not folder.is_dir():
        raise InvalidArgument(f"--from {folder.name!r} is not a folder.")
    try:
        photos = [
            Photo(person.name, f"{person.name}/{file.relative_to(person).as_posix()}", file)
            for person in _visible(folder)
            if person.is_dir()
            for file in _files(person)
        ]
    except OSError as error:
        raise InvalidArgument(f"--from {folder.name!r} cannot be read: {error.strerror}.") from None
    if not photos:
        raise InvalidArgument(
            f"--from {folder.name!r} holds no photos: it needs one sub-folder per person, "
            "named like the person, with photos in it."
        )
    return photos


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _files(folder: Path) -> Iterator[Path]:
    for path in _visible(folder):
        if path.is_file():
            yield path


@dataclass
class Tally:
    """Adds up what each photo's enrolment did."""

    group: str
    face_ids: list[str] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    persons: dict[str, None] = field(default_factory=dict)
    kept: int = 0

    def add(self, enrolment: Enrolment, photo: Photo) -> None:
        """Count one photo's enrolment, which is committed, and tell of it on stderr."""
        self.face_ids += enrolment.face_ids
        self.rejected += enrolment.rejected
        self.persons.update(dict.fromkeys(enrolment.persons))
        self.kept += enrolment.enrolled
        for rejection in enrolment.rejected:
            self.kept += ALREADY_THERE in rejection.reasons
        if not sys.stderr.isatty():
            for rejection in enrolment.rejected:
                click.echo(f"rejected {_reasons(rejection)}", err=True)
            if enrolment.enrolled:
                click.echo(f"enrolled {photo.name}", err=True)

    def enrolment(self) -> Enrolment:
        """The whole."""
        from mien.results import Enrolment

        return Enrolment(
            self.group, tuple(self.face_ids), tuple(self.rejected), tuple(self.persons)
        )


def _shown(photos: list[Photo]) -> Iterable[Photo]:
    """The photos, with a progress bar where stderr is a terminal."""
    if not sys.stderr.isatty():
        return photos
    return _with_bar(photos)


def _with_bar(photos: list[Photo]) -> Iterator[Photo]:
    with click.progressbar(
        photos,
        label="enrolling",
        file=sys.stderr,
        show_pos=True,
        item_show_func=lambda photo: None if photo is None else photo.name,
    ) as bar:
        yield from bar


def _describe(enrolment: Enrolment) -> str:
    return "\n".join([str(enrolment), *(f"  {_reasons(r)}" for r in enrolment.rejected)])


def _reasons(rejection: Rejection) -> str:
    message = f" ({rejection.message})" if rejection.message else ""
    return f"{rejection.image}: {', '.join(rejection.reasons)}{message}"
