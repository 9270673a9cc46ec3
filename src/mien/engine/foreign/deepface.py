"""A DeepFace database: a folder of photos, and the datastore that ``DeepFace.find`` keeps in it.

Source of the names and the columns: ``deepface/modules/recognition.py`` of releases 0.0.75
(``representations_*.pkl``, pairs of path and embedding), 0.0.93 (``ds_model_*.pkl``, dictionaries)
and 0.0.103 (``ds_model_*.npz``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mien.engine.enrolment_photo import EnrolmentPhoto
from mien.engine.foreign.arrays import is_npz, read_npz, read_whole
from mien.engine.foreign.faces import ForeignFace, as_vector
from mien.engine.foreign.pickles import read_pickle
from mien.errors import InvalidArgument

__all__ = ["Datastore", "datastores", "photos_of_database"]

PHOTOS = frozenset(
    [".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".heic", ".heif", ".avif"]
)
_STORE = re.compile(
    r"ds_model_(?P<model>.+?)_detector_(?P<detector>.+?)_(?P<aligned>aligned|unaligned)"
    r"(?:_normalization_(?P<normalization>[a-z0-9]+))?(?:_expand_(?P<expand>\d+))?"
    r"\.(?P<kind>pkl|npz|feather|parquet)"
)
_OLD_STORE = re.compile(r"representations_(?P<model>[a-z0-9_]+)\.pkl")


@dataclass(frozen=True, slots=True)
class Datastore:
    """A file of embeddings, and how its name says that they were made.

    Attributes:
        file: where.
        model, detector: DeepFace's names, in lower case and without hyphens; detector None: an
            old release did not write it down.
        aligned, normalization, expand: of DeepFace's pipeline; normalization None: not known.
    """

    file: Path
    model: str
    detector: str | None
    aligned: bool
    normalization: str | None
    expand: int

    def faces(self, folder: Path, *, limit: int) -> Iterator[ForeignFace]:
        """Its faces. The person is the sub-folder of the photo, or the name of a loose photo.

        Args:
            folder: the database's.
            limit: bytes that the file may have, and that reading it may take.

        Raises:
            InvalidArgument: it cannot be read, or holds anything else.
        """
        if self.file.suffix in (".feather", ".parquet"):
            raise InvalidArgument(
                f"{self.file.name!r} needs pyarrow, which Mien does not use: leave the stored "
                "embeddings out, and the photos are embedded."
            )
        data = read_whole(self.file, limit=limit)
        rows = _columns(read_npz(data, limit=limit)) if is_npz(data) else None
        for number, row in enumerate(rows or _rows(read_pickle(data, limit=limit)), 1):
            identity, embedding = row
            if not isinstance(identity, str):
                raise InvalidArgument(f"Entry {number} of the datastore has no identity.")
            if embedding is not None:
                path = below(identity, folder)
                vector = as_vector(embedding, f"The embedding of entry {number}")
                yield ForeignFace(person_of(path), str(path), vector)


def datastores(folder: Path) -> list[Datastore]:
    """The datastores that lie in a database's folder, by name."""
    return [store for file in _listed(folder) if (store := _store(file)) is not None]


def photos_of_database(folder: Path) -> list[EnrolmentPhoto]:
    """All photos in a folder and below, by path; each is of the person of :func:`person_of`.

    Raises:
        InvalidArgument: no photos. A name that cannot be is rejected when its turn comes.
    """
    photos = []
    for file in _below(folder):
        path = PurePosixPath(file.relative_to(folder).as_posix())
        photos.append(EnrolmentPhoto(person_of(path), file, str(path)))
    if not photos:
        raise InvalidArgument(f"{folder.name!r} holds no photos.")
    return photos


def person_of(path: PurePosixPath) -> str:
    """Whose a photo is: the first folder's name, or its own without the ending."""
    return path.parts[0] if len(path.parts) > 1 else path.stem


def below(identity: str, folder: Path) -> PurePosixPath:
    """The path below the database's folder of what a datastore calls a photo.

    The datastore has the path as it was given to ``find``, on whatever machine that was: what
    follows the folder's own name counts, or the last two parts where that is not in it.
    """
    parts = PurePosixPath(identity.replace("\\", "/")).parts
    name = folder.resolve().name
    places = [i for i, part in enumerate(parts[:-1]) if part == name]
    kept = parts[places[-1] + 1 :] if places else parts[-2:]
    return PurePosixPath(*(part for part in kept if part not in ("/", "..")))


def _store(file: Path) -> Datastore | None:
    old = _OLD_STORE.fullmatch(file.name.lower())
    if old is not None:
        model = old["model"].replace("_", "")
        return Datastore(file, model, None, aligned=True, normalization=None, expand=0)
    found = _STORE.fullmatch(file.name.lower())
    if found is None:
        return None
    return Datastore(
        file,
        found["model"],
        found["detector"],
        aligned=found["aligned"] == "aligned",
        normalization=found["normalization"],
        expand=int(found["expand"] or 0),
    )


def _columns(arrays: dict[str, Any]) -> Iterator[tuple[object, object]]:
    try:
        identities, embeddings = arrays["identity"], arrays["embedding"]
        there = arrays["has_embedding"].astype(bool)
        for one, vector, has in zip(identities, embeddings, there, strict=True):
            yield str(one), vector if has else None
    except (KeyError, TypeError, ValueError):
        raise InvalidArgument("The .npz file is no datastore of DeepFace's.") from None


def _rows(document: object) -> Iterator[tuple[object, object]]:
    for row in document if isinstance(document, list) else [None]:
        if isinstance(row, dict) and {"identity", "embedding"} <= row.keys():
            yield row["identity"], row["embedding"]
        elif isinstance(row, list) and len(row) == 2:
            yield row[0], row[1]
        else:
            raise InvalidArgument("The pickle is no datastore of DeepFace's.")


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise InvalidArgument(f"{folder.name!r} cannot be read: {error.strerror}.") from None


def _below(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in PHOTOS:
                yield Path(here, name)
