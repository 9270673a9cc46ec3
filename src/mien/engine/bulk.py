"""Where many photos come from: a folder, a list in a CSV file, or a zip of either.

Nothing is decoded here, and a zip is never unpacked to the disk: each photo is read when its turn
comes, so that a few are in memory at a time, however many there are.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from mien.config import Settings
from mien.engine.enrolment_photo import EnrolmentPhoto
from mien.engine.zips import PhotoZip, stays_inside
from mien.errors import InvalidArgument
from mien.gallery.checks import external_id, person_name
from mien.image import ImageInput

__all__ = ["MANIFEST", "photos_in", "photos_in_csv", "photos_in_folder", "photos_in_zip"]

MANIFEST = "manifest.csv"
"""A file of this name at the root of a zip says whose the photos are; without, the folders do."""

_COLUMNS = ("path", "person", "external_image_id")
_LINE_BYTES = 100_000  # beyond any path, name and number


@contextmanager
def photos_in(
    path: Path, settings: Settings, *, root: Path | None = None
) -> Iterator[list[EnrolmentPhoto]]:
    """The photos of a folder, a ``.csv`` or a zip, in an order that is always the same.

    Those of a zip can be read until the block is left.

    Args:
        path: of the source.
        settings: limits.
        root: the folder that the paths of a CSV file are relative to; None: the file's own.

    Raises:
        InvalidArgument: no such source, one that cannot be read, or one without photos.
    """
    kind = "" if path.is_dir() else path.suffix.lower()
    if not path.exists():
        raise InvalidArgument(f"There is no folder, zip or CSV file {path.name!r}.")
    if kind != ".csv" and root is not None:
        raise InvalidArgument("A root is for a CSV file; folders and zips need none.")
    if kind == "":
        yield photos_in_folder(path)
    elif kind == ".csv":
        yield photos_in_csv(path, root=root)
    elif kind == ".zip":
        with _opened(path) as file:
            yield photos_in_zip(file, settings)
    else:
        raise InvalidArgument(f"{path.name!r} is not a folder, a .zip or a .csv file.")


def photos_in_folder(folder: Path) -> list[EnrolmentPhoto]:
    """The files in the sub-folders of ``folder``, hidden ones left out, by person and name.

    Raises:
        InvalidArgument: no such folder, no sub-folder with a file in it, or one whose name cannot
            be a person's.
    """
    if not folder.is_dir():
        raise InvalidArgument(f"{folder.name!r} is not a folder.")
    try:
        photos = [
            EnrolmentPhoto(person_name(person.name), file, f"{person.name}/{file.name}")
            for person in _visible(folder)
            if person.is_dir()
            for file in _visible(person)
            if file.is_file()
        ]
    except OSError as error:
        raise InvalidArgument(f"{folder.name!r} cannot be read: {error.strerror}.") from None
    if not photos:
        raise InvalidArgument(
            f"{folder.name!r} holds no photos: it needs one sub-folder per person, "
            "named like the person, with photos in it."
        )
    return photos


def photos_in_csv(file: Path, *, root: Path | None = None) -> list[EnrolmentPhoto]:
    """The photos that a CSV file in UTF-8 lists: ``path,person`` and maybe ``external_image_id``.

    Args:
        file: the list, with a header.
        root: the folder that its paths are relative to; None: the file's own. They may not lead
            out of it.

    Raises:
        InvalidArgument: it cannot be read, or a line of it cannot be used; the message has its
            number. Photos that are missing are rejected when their turn comes.
    """
    folder = file.parent if root is None else root
    if not folder.is_dir():
        raise InvalidArgument(f"The root {folder.name!r} is not a folder.")
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            listed = list(_rows(lines, file.name))
    except OSError as error:
        raise InvalidArgument(f"{file.name!r} cannot be read: {error.strerror}.") from None
    return _listed(listed, file.name, lambda path: folder / path)


def photos_in_zip(file: BinaryIO, settings: Settings) -> list[EnrolmentPhoto]:
    """The photos of a zip: one folder per person, or whatever its ``manifest.csv`` says.

    Args:
        file: of the zip; it stays open as long as the photos are used.
        settings: limits.

    Raises:
        InvalidArgument: no zip, a name that leads out of it, too many or too large members, or no
            photos. A member that cannot be read is rejected when its turn comes.
    """
    packed = PhotoZip(
        file,
        max_members=settings.bulk_max_photos + 1,  # and the manifest
        max_member_bytes=settings.max_image_bytes,
        max_bytes=settings.bulk_max_bytes,
    )
    if MANIFEST in packed.names:
        text = packed.text(MANIFEST)
        listed = list(_rows(io.StringIO(text, newline=""), MANIFEST))
        photos = _listed(listed, MANIFEST, packed.reader)
    else:
        photos = list(_from_folders(packed))
    if len(photos) > settings.bulk_max_photos:
        raise InvalidArgument(
            f"The zip holds more than {settings.bulk_max_photos} photos (MIEN_BULK_MAX_PHOTOS)."
        )
    if not photos:
        raise InvalidArgument(
            "The zip holds no photos: it needs one folder per person, named like the person, with "
            f"photos in it, or a {MANIFEST}."
        )
    return photos


def _from_folders(packed: PhotoZip) -> Iterator[EnrolmentPhoto]:
    paths = [PurePosixPath(name) for name in sorted(packed.names)]
    paths = [path for path in paths if not any(_is_hidden(part) for part in path.parts)]
    # The folder itself may have been packed, with its own name.
    depth = 1 if len({path.parts[0] for path in paths}) == 1 and _is_wrapped(paths) else 0
    for path in paths:
        parts = path.parts[depth:]
        if len(parts) == 2:
            name = "/".join(parts)
            yield EnrolmentPhoto(person_name(parts[0]), packed.reader(str(path)), name)


def _is_wrapped(paths: Sequence[PurePosixPath]) -> bool:
    return any(len(path.parts) == 3 for path in paths) and all(
        len(path.parts) != 2 for path in paths
    )


def _is_hidden(part: str) -> bool:
    return part.startswith(".") or part == "__MACOSX"


def _rows(lines: Iterable[str], name: str) -> Iterator[tuple[int, dict[str, str]]]:
    """The lines of a list, with their numbers."""
    reader = csv.DictReader(_short(lines, name), strict=True)
    try:
        header = [column.strip() for column in reader.fieldnames or ()]
        if not {"path", "person"} <= set(header) or len(set(header)) != len(header):
            raise InvalidArgument(
                f"{name!r} needs a first line with the columns path,person and, where wanted, "
                "external_image_id."
            )
        reader.fieldnames = header
        for row in reader:
            if None in row or None in row.values():
                raise InvalidArgument(
                    f"Line {reader.line_num} of {name!r} has not as many fields as the first."
                )
            yield reader.line_num, row
    except csv.Error as error:
        raise InvalidArgument(f"Line {reader.line_num} of {name!r}: {error}.") from None
    except UnicodeDecodeError:
        raise InvalidArgument(f"{name!r} is not text in UTF-8.") from None


def _short(lines: Iterable[str], name: str) -> Iterator[str]:
    for line in lines:
        if len(line) > _LINE_BYTES:
            raise InvalidArgument(f"{name!r} has a line that is too long to be a photo's.")
        yield line


def _listed(
    rows: Sequence[tuple[int, dict[str, str]]],
    name: str,
    source: Callable[[str], ImageInput | Callable[[], ImageInput]],
) -> list[EnrolmentPhoto]:
    photos = []
    for number, row in rows:
        try:
            path = _inside(row["path"])
            person = person_name(row["person"].strip())
            external = external_id(row.get("external_image_id", "").strip() or None)
            photos.append(EnrolmentPhoto(person, source(path), path, external))
        except InvalidArgument as error:
            raise InvalidArgument(f"Line {number} of {name!r}: {error.message}") from None
    if not photos:
        raise InvalidArgument(f"{name!r} lists no photos.")
    return photos


def _inside(text: str) -> str:
    """A path that stays in its folder."""
    if not stays_inside(text):
        raise InvalidArgument("The path must be relative and stay in its folder.")
    return str(PurePosixPath(text))


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise InvalidArgument(f"{path.name!r} cannot be read: {error.strerror}.") from None


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
