"""Names and vectors of a pickle or a .npz file, as users of face_recognition and dlib keep them.

Whoever keeps faces in a file of their own writes one of a few shapes: a dictionary of two lists
(``{"encodings": [...], "names": [...]}``), a pair of them, a list of pairs or of dictionaries, or
a dictionary of names with one vector or several.
"""

from __future__ import annotations

import io
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mien.engine.foreign.faces import ForeignFace, as_vector
from mien.engine.foreign.pickles import read_pickle
from mien.errors import InvalidArgument

__all__ = ["NAME_KEYS", "VECTOR_KEYS", "faces_in_arrays", "is_npz", "read_npz"]

VECTOR_KEYS = (
    "encodings", "embeddings", "encoding", "embedding", "vectors", "features", "descriptors",
    "known_face_encodings", "arr_0",
)  # fmt: skip
"""What the vectors are called in the files that are read; the first that is there counts."""

NAME_KEYS = (
    "names", "labels", "name", "label", "identities", "identity", "persons", "person",
    "known_face_names", "arr_1",
)  # fmt: skip
"""What the names are called."""


def faces_in_arrays(file: Path, *, limit: int) -> list[ForeignFace]:
    """The faces of a pickle or a .npz file, in the order in which they stand there.

    Args:
        file: its content says which of the two it is.
        limit: bytes that it may have, and that reading it may take.

    Raises:
        InvalidArgument: it cannot be read, holds anything but names and vectors, or is too large.
    """
    data = read_whole(file, limit=limit)
    document = read_npz(data, limit=limit) if is_npz(data) else read_pickle(data, limit=limit)
    found, numbers = [], 0
    for face in _faces(document):
        found.append(face)
        numbers += face.vector.size  # a pickle may name the same long vector any number of times
        if 8 * numbers > limit:
            raise InvalidArgument(
                f"The vectors of {file.name!r} take more than {limit} bytes: split it, or raise "
                "MIEN_MIGRATE_MAX_BYTES.",
                details={"limit": limit},
            )
    if not found:
        raise InvalidArgument(f"{file.name!r} holds no faces.")
    return found


def read_whole(file: Path, *, limit: int) -> bytes:
    """The bytes of a file.

    Raises:
        InvalidArgument: it cannot be read, or has more than ``limit``.
    """
    try:
        with file.open("rb") as opened:
            data = opened.read(limit + 1)
    except OSError as error:
        raise InvalidArgument(f"{file.name!r} cannot be read: {error.strerror}.") from None
    if len(data) > limit:
        raise InvalidArgument(
            f"{file.name!r} has more than {limit} bytes: split it, or raise "
            "MIEN_MIGRATE_MAX_BYTES.",
            details={"limit": limit},
        )
    return data


def is_npz(data: bytes) -> bool:
    """Whether these are the bytes of a .npz file, which is a zip."""
    return data[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def read_npz(data: bytes, *, limit: int) -> dict[str, Any]:
    """The arrays of a .npz file by name; arrays of objects, which would be pickles, are refused.

    Raises:
        InvalidArgument: damaged, with arrays of objects, or more bytes than ``limit`` unpacked.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            if sum(member.file_size for member in packed.infolist()) > limit:
                raise InvalidArgument(
                    f"The arrays unpack to more than {limit} bytes: split the file, or raise "
                    "MIEN_MIGRATE_MAX_BYTES.",
                    details={"limit": limit},
                )
        with (
            warnings.catch_warnings(action="ignore", category=UserWarning),  # of Python 2's files
            np.load(io.BytesIO(data), allow_pickle=False) as arrays,
        ):
            return {name: arrays[name] for name in arrays.files}
    except InvalidArgument:
        raise
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, MemoryError,
            NotImplementedError, RuntimeError, SyntaxError, tokenize.TokenError):  # fmt: skip
        raise InvalidArgument(
            "The .npz file is damaged, or holds objects: save numbers and texts only."
        ) from None


def _faces(document: object) -> Iterator[ForeignFace]:
    if isinstance(document, Mapping):
        vectors, names = _first(document, VECTOR_KEYS), _first(document, NAME_KEYS)
        if vectors is not None and names is not None:
            yield from _of_columns(names, vectors)
        elif vectors is not None:
            raise InvalidArgument(f"There are vectors without names ({', '.join(NAME_KEYS[:4])}).")
        else:
            yield from _by_name(document)
    elif isinstance(document, list) and len(document) == 2 and _are_columns(document):
        first, second = document
        yield from _of_columns(*((second, first) if _are_names(second) else (first, second)))
    elif isinstance(document, list):
        for number, row in enumerate(document, 1):
            yield _of_row(row, number)
    else:
        raise InvalidArgument(
            "There are no names with vectors: a dictionary of encodings and names, pairs of name "
            "and vector, or a dictionary of names are read."
        )


def _first(document: Mapping[Any, Any], keys: tuple[str, ...]) -> Any:  # noqa: ANN401
    return next((document[key] for key in keys if document.get(key) is not None), None)


def _are_names(value: object) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim == 1 and value.dtype.kind in "USiu"
    return isinstance(value, list) and all(isinstance(one, str | bytes | int) for one in value)


def _are_columns(pair: list[Any]) -> bool:
    """Whether two entries are all names and all vectors, not two rows."""
    return sum(map(_are_names, pair)) == 1 and len(pair[0]) == len(pair[1])


def _of_columns(names: object, vectors: object) -> Iterator[ForeignFace]:
    if isinstance(vectors, np.ndarray) and vectors.ndim == 1 and vectors.dtype.kind == "f":
        vectors = vectors[None]
    if not _are_names(names) or not isinstance(vectors, list | np.ndarray):
        raise InvalidArgument("Names must be a list of texts, vectors a list or an array (n, d).")
    assert isinstance(names, list | np.ndarray)
    if len(names) != len(vectors):
        raise InvalidArgument(f"There are {len(names)} names for {len(vectors)} vectors.")
    for number, (name, vector) in enumerate(zip(names, vectors, strict=True), 1):
        yield _face(name, vector, number)


def _by_name(document: Mapping[Any, Any]) -> Iterator[ForeignFace]:
    number = 0
    for name, value in document.items():
        several = isinstance(value, np.ndarray) and value.ndim == 2
        several = several or (
            isinstance(value, list) and bool(value) and isinstance(value[0], list | np.ndarray)
        )
        for vector in value if several else [value]:
            number += 1
            yield _face(name, vector, number)


def _of_row(row: object, number: int) -> ForeignFace:
    if isinstance(row, Mapping):
        return _face(_first(row, NAME_KEYS), _first(row, VECTOR_KEYS), number)
    if isinstance(row, list) and len(row) == 2:
        name, vector = row if isinstance(row[0], str | bytes | int) else reversed(row)
        return _face(name, vector, number)
    raise InvalidArgument(f"Entry {number} is not a name with a vector.")


def _face(name: object, vector: object, number: int) -> ForeignFace:
    if isinstance(name, bytes):
        name = name.decode("utf-8", "replace")
    if not isinstance(name, str | int | np.integer) or isinstance(name, bool):
        raise InvalidArgument(f"Entry {number} has no name.")
    if isinstance(name, int) and name.bit_length() > 64:
        raise InvalidArgument(f"The name of entry {number} is a number of too many digits.")
    return ForeignFace(str(name), f"#{number}", as_vector(vector, f"The vector of entry {number}"))
