"""A CompreFace: a plain dump of its PostgreSQL database, with subjects, photos and embeddings.

Source of the tables: the entities Subject, Embedding and Img of exadel-inc/CompreFace 1.2
(``java/common/src/main/java/com/exadel/frs/commonservice/entity``); of the file: PostgreSQL's
manual, "COPY", text format, which is what ``pg_dump`` writes. CompreFace has no export of its own,
and its API gives out photos and subjects, but no stored embedding.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mien.engine.enrolment_photo import EnrolmentPhoto
from mien.engine.foreign.faces import ForeignFace, as_vector
from mien.errors import ImageDecodeError, ImageTooLarge, InvalidArgument

__all__ = ["CompreFaceDump"]

_COPY = re.compile(rb"COPY (?:\w+\.)?\"?(?P<table>\w+)\"? \((?P<columns>[^)]*)\) FROM stdin;\s*")
_NEEDED = {
    "subject": ("id", "api_key", "subject_name"),
    "embedding": ("id", "subject_id", "embedding", "calculator", "img_id"),
    "img": ("id", "content"),
}
_NULL = b"\\N"
_ESCAPES = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_LINE = 1_000_000  # of everything but photos: an embedding of 4096 numbers is a tenth of it


@dataclass(frozen=True, slots=True)
class _Example:
    """One face of a subject, which CompreFace calls an example."""

    id: str
    subject: str
    calculator: str
    image: str | None
    vector: bytes


class CompreFaceDump:
    """The dump of one CompreFace, read once; photos are read when their turn comes.

    Args:
        file: what ``pg_dump`` wrote, as plain SQL.
        service: the API key of the recognition service whose subjects are wanted; None: there is
            only one.
        max_image_bytes: a photo with more is refused when its turn comes.
        max_faces: more are refused.

    Raises:
        InvalidArgument: no such file, no plain dump, or several services and none is named.
    """

    def __init__(
        self, file: Path, *, service: str | None, max_image_bytes: int, max_faces: int
    ) -> None:
        self._file = file
        self._line = 2 * max_image_bytes + 1000  # of a photo, in hexadecimal digits
        self._max_image_bytes = max_image_bytes
        self._max_faces = max_faces
        self._subjects: dict[str, tuple[str, str]] = {}
        self._examples: list[_Example] = []
        self._images: dict[str, int] = {}
        self._columns: dict[str, list[str]] = {}
        try:
            with file.open("rb") as opened:
                self._read(opened)
        except OSError as error:
            raise InvalidArgument(f"{file.name!r} cannot be read: {error.strerror}.") from None
        missing = [table for table in _NEEDED if table not in self._columns]
        if missing:
            raise InvalidArgument(
                f"{file.name!r} is no plain dump of a CompreFace: it lacks the rows of "
                f"{', '.join(missing)}. Make one with pg_dump (without --inserts), or turn another "
                "kind into one with pg_restore -f dump.sql."
            )
        self._keep(service)

    def __len__(self) -> int:
        return len(self._examples)

    @property
    def calculators(self) -> list[str]:
        """What the embeddings were made with, as CompreFace calls it."""
        return sorted({one.calculator for one in self._examples})

    def photos(self) -> list[EnrolmentPhoto]:
        """The photos of the subjects, named by CompreFace's image id, which they also carry."""
        return [
            EnrolmentPhoto(self._subjects[one.subject][0], self._photo(one.image), one.id, one.id)
            for one in self._examples
        ]

    def faces(self) -> Iterator[ForeignFace]:
        """The embeddings of the subjects, as they are stored.

        Raises:
            InvalidArgument: one that is no row of numbers.
        """
        for one in self._examples:
            what = f"The embedding {one.id}"
            try:
                numbers = [float(text) for text in one.vector.strip(b"{}").split(b",")]
            except ValueError:
                raise InvalidArgument(f"{what} is not a row of numbers.") from None
            name = self._subjects[one.subject][0]
            yield ForeignFace(name, one.id, as_vector(numbers, what), one.id)

    def _read(self, opened: BinaryIO) -> None:
        if opened.read(5) == b"PGDMP":
            raise InvalidArgument(
                f"{self._file.name!r} is a dump in PostgreSQL's own format: turn it into plain "
                "SQL with pg_restore -f dump.sql."
            )
        opened.seek(0)
        while line := opened.readline(_LINE):
            found = _COPY.fullmatch(line)
            table = "" if found is None else found["table"].decode()
            if found is not None and table in _NEEDED:
                names = [name.strip(' "') for name in found["columns"].decode().split(",")]
                if not set(_NEEDED[table]) <= set(names):
                    raise InvalidArgument(
                        f"The dump's table {table} is not CompreFace's: it needs the columns "
                        f"{', '.join(_NEEDED[table])}."
                    )
                self._columns[table] = names
                self._rows(opened, table)

    def _rows(self, opened: BinaryIO, table: str) -> None:
        while True:
            at = opened.tell()
            line = opened.readline(_LINE)
            whole = line.endswith(b"\n")
            while not whole:  # a photo: only its place is kept
                rest = opened.readline(_LINE)
                if not rest:
                    raise InvalidArgument(f"{self._file.name!r} is cut off.")
                whole = rest.endswith(b"\n")
            if line.rstrip(b"\r\n") == b"\\.":
                return
            if table == "img":
                place = self._columns["img"].index("id")
                if place:
                    raise InvalidArgument("The dump's table img must begin with its id.")
                self._images[line.split(b"\t", 1)[0].decode("ascii", "replace")] = at
            else:
                self._row(table, line.rstrip(b"\r\n").split(b"\t"))

    def _row(self, table: str, fields: list[bytes]) -> None:
        names = self._columns[table]
        if len(fields) != len(names):
            raise InvalidArgument(f"A row of the dump's table {table} is damaged.")
        row = dict(zip(names, fields, strict=True))
        if table == "subject":
            self._subjects[_text(row["id"])] = (_text(row["subject_name"]), _text(row["api_key"]))
            return
        if len(self._examples) >= self._max_faces:
            raise InvalidArgument(
                f"The dump holds more than {self._max_faces} faces (MIEN_BULK_MAX_PHOTOS)."
            )
        image = None if row["img_id"] == _NULL else _text(row["img_id"])
        self._examples.append(
            _Example(
                _text(row["id"]),
                _text(row["subject_id"]),
                _text(row["calculator"]),
                image,
                row["embedding"],
            )
        )

    def _keep(self, service: str | None) -> None:
        """Leave the examples of one service."""
        keys = {key for _, key in self._subjects.values()}
        if service is None and len(keys) > 1:
            raise InvalidArgument(
                f"The dump holds the subjects of {len(keys)} recognition services: say whose with "
                "--service and the service's API key."
            )
        if service is not None and service not in keys:
            raise InvalidArgument("The dump holds no subject of that service.")
        self._examples = [
            one
            for one in self._examples
            if one.subject in self._subjects
            and (service is None or self._subjects[one.subject][1] == service)
        ]
        if not self._examples:
            raise InvalidArgument("The dump holds no faces.")

    def _photo(self, image: str | None) -> Callable[[], bytes]:
        def read() -> bytes:
            if image is None or image not in self._images:
                raise ImageDecodeError(
                    "CompreFace kept no photo of this face (save_images_to_db was off)."
                )
            with self._file.open("rb") as opened:
                opened.seek(self._images[image])
                line = opened.readline(self._line)
            if not line.endswith(b"\n"):
                raise ImageTooLarge(
                    f"The photo has more than {self._max_image_bytes} bytes (MIEN_MAX_IMAGE_BYTES)."
                )
            content = line.rstrip(b"\r\n").split(b"\t")[self._columns["img"].index("content")]
            with contextlib.suppress(ValueError):
                text = _unescaped(content)
                if text.startswith(b"\\x"):
                    return bytes.fromhex(text[2:].decode("ascii"))
            raise ImageDecodeError("The photo in the dump is damaged.")

        return read


def _unescaped(field: bytes) -> bytes:
    return _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[1]), field)


def _text(field: bytes) -> str:
    if field == _NULL:
        return ""
    return _unescaped(field).decode("utf-8", "replace")
