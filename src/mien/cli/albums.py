"""Commands over a folder of photos: cluster (sort by person) and find (all photos of one)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.cli.compare import decision_options
from mien.cli.output import tell
from mien.cli.photos import as_source
from mien.cli.progress import photo_progress
from mien.cli.run import Run, shared_options
from mien.errors import InvalidArgument

if TYPE_CHECKING:
    from mien.album import Findings
    from mien.engine.albums import Seen

__all__ = ["cluster", "find"]

SUFFIXES = frozenset(
    (
        "avif",
        "bmp",
        "gif",
        "heic",
        "heif",
        "jfif",
        "jpe",
        "jpeg",
        "jpg",
        "png",
        "tif",
        "tiff",
        "webp",
    )
)


def photos_in(folder: Path) -> list[Path]:
    """All photos in a folder and its sub-folders, by name; hidden ones and links to folders not.

    Raises:
        InvalidArgument: no such folder, or no photo in it.
    """
    if not folder.is_dir():
        raise InvalidArgument(f"{folder.name!r} is not a folder.")
    found = []
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [
            Path(where, name)
            for name in sorted(files)
            if not name.startswith(".") and Path(name).suffix.lower().lstrip(".") in SUFFIXES
        ]
    if not found:
        raise InvalidArgument(f"{folder.name!r} holds no photos ({' '.join(sorted(SUFFIXES))}).")
    return found


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="Folder to make; default: DIR-people, beside DIR.",
)
@click.option(
    "--threshold",
    type=float,
    metavar="T",
    help="Mean similarity from which faces are one person's; default: by the calibration.",
)
@click.option("--link", is_flag=True, help="Hard links instead of copies of the photos.")
@shared_options(detector=True, embedder=True)
def cluster(run: Run, folder: Path, out: Path | None, threshold: float | None, link: bool) -> None:
    """Sort the photos in DIR by who is in them: one folder per person, and a contact sheet.

    DIR is not changed. A photo of several people is in the folder of each; two faces of one photo
    are never taken for one person.
    """
    from mien.cli.contact_sheet import AlbumFolder

    files = photos_in(folder)
    names = [file.relative_to(folder).as_posix() for file in files]
    album_folder = AlbumFolder(out or folder.resolve().with_name(f"{folder.resolve().name}-people"))
    progress = photo_progress()

    def watch(seen: Seen) -> None:
        album_folder.keep_faces(seen)
        progress("Looking through photos", seen.number + 1, len(files))

    try:
        album = run.engine.cluster(files, names=names, threshold=threshold, watch=watch)
        folders = album_folder.finish(album, files, link=link)
    except BaseException:  # also when it is interrupted
        album_folder.discard()
        raise
    for rejection in album.rejected:
        tell(f"{rejection.image}: {rejection.message}", err=True)
    rows = [f"  {folders[person.name].name}: {len(person)} photo(s)" for person in album]
    sheet = album_folder.out / "index.html"
    document = {**album.to_dict(), "out": str(album_folder.out)}
    run.answer(document, "\n".join([str(album), *rows, f"contact sheet: {sheet}"]))


@click.command()
@click.argument("photo")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@decision_options
@shared_options(detector=True, embedder=True)
def find(run: Run, photo: str, folder: Path, fmr: float | None, threshold: float | None) -> None:
    """Find all photos in DIR that show the person of the largest face of PHOTO, best first.

    PHOTO itself, where it lies in DIR, is found too.
    """
    files = photos_in(folder)
    names = [file.relative_to(folder).as_posix() for file in files]
    findings = run.engine.find(as_source(photo), files, names=names, fmr=fmr, threshold=threshold)
    for rejection in findings.rejected:
        tell(f"{rejection.image}: {rejection.message}", err=True)
    run.answer(findings.to_dict(), _describe(findings))


def _describe(findings: Findings) -> str:
    rows = [
        f"  {one.image}: "
        + ("" if one.confidence is None else f"confidence {one.confidence:.3f}, ")
        + f"similarity {one.similarity:.3f}"
        for one in findings
    ]
    return "\n".join([str(findings), *rows])
