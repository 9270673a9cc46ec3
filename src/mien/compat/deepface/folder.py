"""The photos of a folder and what is known of them, kept between calls and between processes.

Beside the photos lies one ``.npz`` file for each way of embedding them: plain arrays, no pickle.
A photo is known by its SHA-256: a new or changed one is embedded, a deleted one forgotten, one
that was copied, moved or touched is only hashed again. Size and times of the file say whether it
has to be read at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.engine.foreign.deepface import PHOTOS as SUFFIXES

__all__ = ["Known", "Stamp", "images_of", "read", "sha256_of", "write"]

FORMAT = 1
Stamp = tuple[int, int, int]
"""Size, and times of the last change of content and of the file, nanoseconds."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """The photos of a folder: what they are, and the faces that are in them.

    Attributes:
        photos: path below the folder -> stamp and SHA-256 in hexadecimal.
        owner: ``(n,)`` int64: in which photo each face is, by its place in ``photos``.
        embedding: ``(n, d)`` float32, as DeepFace gives them: not of unit length.
        area: ``(n, 4)`` int64: x, y, width and height of each face, pixels.
    """

    photos: dict[str, tuple[Stamp, str]]
    owner: NDArray[np.int64]
    embedding: NDArray[np.float32]
    area: NDArray[np.int64]

    @classmethod
    def nothing(cls, dim: int) -> Known:
        """No photo."""
        none = np.zeros(0, np.int64)
        return cls({}, none, np.zeros((0, dim), np.float32), none.reshape(0, 4))

    def __len__(self) -> int:
        return len(self.owner)

    def faces_by_photo(self) -> dict[str, NDArray[np.intp]]:
        """A photo's path -> the places of its faces."""
        places = [np.flatnonzero(self.owner == i) for i in range(len(self.photos))]
        return dict(zip(self.photos, places, strict=True))


def images_of(folder: str) -> Iterator[tuple[str, Stamp]]:
    """Path below the folder, and stamp, of every photo in it and in the folders below.

    Photos are known by their names' endings; what they hold is seen when they are opened.
    """
    for here, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if os.path.splitext(name)[1].lower() not in SUFFIXES:  # noqa: PTH122 - 10,000 of them
                continue
            path = os.path.join(here, name)  # noqa: PTH118
            with contextlib.suppress(OSError):  # gone since
                at = os.stat(path)  # noqa: PTH116
                stamp = (at.st_size, at.st_mtime_ns, at.st_ctime_ns)
                yield os.path.relpath(path, folder), stamp


def sha256_of(path: str) -> str | None:
    """The hash of a file's content, or None if it cannot be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def read(file: Path, key: dict[str, Any], dim: int) -> Known | None:
    """What was written for the same ``key``; None where nothing was, or it is damaged."""
    try:
        with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as stored:
            if json.loads(str(stored["key"])) != {**key, "format": FORMAT}:
                return None
            stamps = stored["stamp"].astype(np.int64).reshape(-1, 3).tolist()
            entries = zip(map(tuple, stamps), stored["sha256"].tolist(), strict=True)
            photos = dict(zip(stored["path"].tolist(), entries, strict=True))
            known = Known(photos, stored["owner"], stored["embedding"], stored["area"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    return known if _fits(known, dim) else None


def _fits(known: Known, dim: int) -> bool:
    """Whether arrays that lay in a folder are what this module writes."""
    n = len(known.owner) if known.owner.ndim == 1 else -1
    shapes = known.embedding.shape == (n, dim) and known.area.shape == (n, 4)
    kinds = (
        known.owner.dtype == np.int64
        and known.area.dtype == np.int64
        and known.embedding.dtype == np.float32
    )
    if not (shapes and kinds and np.isfinite(known.embedding).all()):
        return False
    return not n or (known.owner.min() >= 0 and known.owner.max() < len(known.photos))


def write(file: Path, key: dict[str, Any], known: Known) -> bool:
    """Replace the file in one step; False where the folder cannot be written to.

    Only its owner may read it: it holds templates of faces.
    """
    stamps = [stamp for stamp, _ in known.photos.values()]
    arrays = {
        "key": np.array(json.dumps({**key, "format": FORMAT})),
        "path": np.array(list(known.photos), np.str_),
        "stamp": np.array(stamps, np.int64).reshape(-1, 3),
        "sha256": np.array([sha256 for _, sha256 in known.photos.values()], np.str_),
        "owner": known.owner,
        "embedding": known.embedding,
        "area": known.area,
    }
    try:
        handle, partial = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                np.savez(stream, **arrays)  # type: ignore[arg-type]
            os.replace(partial, file)  # noqa: PTH105
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(partial)  # noqa: PTH108
            raise
    except OSError:
        return False
    return True
