"""One request of the dialect: its key, its path, its options, its photos."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from mien.engine import LivenessCheck
from mien.errors import ImageDecodeError, InvalidArgument, NotFound
from mien.gallery import Gallery, Person, Scope, StoredFace
from mien.service.call import Call, opened
from mien.service.dialects.compreface.failures import Failure, refused
from mien.service.dialects.photo_forms import PhotoForm, parse
from mien.service.dialects.uploads import with_upload
from mien.service.errors import invalid
from mien.service.images import parse_json

__all__ = [
    "COLLECTION",
    "PLUGINS",
    "CompreCall",
    "LookOptions",
    "PageOptions",
    "caller",
    "image_id_of",
    "named",
]

COLLECTION = "compreface"
"""The group of an application that is its face collection."""

PLUGINS = ("age", "gender", "landmarks", "calculator", "pose", "mask")
"""What ``face_plugins`` may name."""

MAX_SUBJECTS = 1000
MAX_ROWS = 100_000
MAX_NUMBERS = 2_000_000
MAX_IDS = 1000

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)

PAGE = 20
MAX_PAGE = 2000


class LookOptions(BaseModel):
    """What is said of the faces of a photo."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    limit: int = Field(default=0, ge=0, le=10_000, description="Faces, the largest; 0: all.")
    det_prob_threshold: float = Field(default=0, ge=0, le=1, allow_inf_nan=False)
    face_plugins: str = Field(default="", max_length=1000, description="Names with commas.")
    status: bool = Field(default=False, description="Answer times and versions too.")
    prediction_count: int = Field(
        default=1, ge=1, le=MAX_SUBJECTS, description="Subjects for a face."
    )
    detect_faces: bool = Field(default=True, description="Only true is taken.")

    @property
    def plugins(self) -> list[str]:
        """The plugins that are asked for.

        Raises:
            MienError: there is none of that name, or faces are not to be detected.
        """
        if not self.detect_faces:
            raise refused(Failure.VALIDATION, "detect_faces=false is not offered: send the photo.")
        wanted = [name.strip() for name in self.face_plugins.split(",") if name.strip()]
        for name in wanted:
            if name not in PLUGINS:
                known = ", ".join(PLUGINS)
                raise refused(Failure.VALIDATION, f"There is no such face plugin; {known} are.")
        return list(dict.fromkeys(wanted))


class PageOptions(BaseModel):
    """Which part of a list; what cannot be is taken for the default, as Spring's pages do."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    page: int = Field(default=0, description="From 0 on.")
    size: int = Field(default=PAGE, description=f"At most {MAX_PAGE}; what is more is cut to it.")
    subject: str | None = None

    @field_validator("page", mode="before")
    @classmethod
    def _a_page(cls, given: object) -> int:
        return _whole(given, 0)

    @field_validator("size", mode="before")
    @classmethod
    def _a_size(cls, given: object) -> int:
        return min(_whole(given, 0) or PAGE, MAX_PAGE)


@dataclass(frozen=True)
class CompreCall:
    """An authorised request.

    Attributes:
        call: the request.
        path: parameters of the path by name.
    """

    call: Call
    path: dict[str, str]

    @property
    def gallery(self) -> Gallery:
        """The application's view."""
        return self.call.gallery

    @property
    def liveness(self) -> LivenessCheck:
        """What the server asks of faces."""
        settings = self.call.settings
        return LivenessCheck(settings.liveness, settings.liveness_condition)

    def options(self, model: type[Model]) -> Model:
        """The query's options.

        Raises:
            InvalidArgument: one that cannot be.
        """
        given = {name: value for name, value in self.call.query.items() if value != ""}
        try:
            return model.model_validate(given)
        except ValidationError as error:
            raise invalid(error.errors(include_url=False)) from None

    @property
    def subject(self) -> str:
        """The subject in the query.

        Raises:
            MienError: there is none (33), or an empty one (26).
        """
        name = self.call.query.get("subject")
        if name is None:
            raise refused(Failure.MISSING_PARAMETER, "The parameter 'subject' is missing.")
        return named(name)

    async def with_photos(
        self, work: Callable[[PhotoForm], T], *, names: Sequence[str] = ("file",)
    ) -> T:
        """Read the photos of the request and run ``work`` on a worker."""
        return await with_upload(self.call, partial(_photos, names=names), work)

    async def with_numbers(self, work: Callable[[dict[str, Any]], T]) -> T:
        """Read a JSON object, which may hold embeddings, and run ``work`` on a worker."""
        return await self.call.with_upload(
            lambda body, _: parse_json(body, max_brackets=MAX_ROWS, max_commas=MAX_NUMBERS), work
        )

    async def with_ids(self, work: Callable[[list[str]], T]) -> T:
        """Read a JSON list of ids and run ``work`` on a worker."""
        return await self.call.with_upload(lambda body, _: _ids(body), work)

    def person(self, name: str) -> Person:
        """The subject of that name.

        Raises:
            MienError: there is none (42).
        """
        try:
            found = self.gallery.person(COLLECTION, name)
        except NotFound:
            found = None
        if found is None or found.name != name:  # a person's id is no subject
            raise refused(Failure.SUBJECT_NOT_FOUND, "There is no such subject.")
        return found

    def face(self, image_id: str) -> StoredFace:
        """The stored face of that id, be it Mien's or the one that it had in a CompreFace.

        Raises:
            MienError: there is none (44).
        """
        found: list[StoredFace] = []
        if (wanted := _uuid(image_id)) is not None:
            try:
                found = [*self.gallery.faces_by_id(COLLECTION, [wanted.hex]).values()]
                found = found or self.gallery.faces(COLLECTION, external_image_id=str(wanted))
            except NotFound:  # nothing has ever been added
                found = []
        if not found:
            raise refused(Failure.EMBEDDING_NOT_FOUND, "There is no such image.")
        return found[0]


def image_id_of(face: StoredFace) -> str:
    """The id that clients know a face by: where it was brought over from a CompreFace, its own.

    ``mien gallery migrate`` keeps that as the face's ``external_image_id``.
    """
    given = face.external_image_id or ""
    brought = _uuid(given)
    return given if brought is not None else str(uuid.UUID(hex=face.id))


def named(name: object) -> str:
    """The name of a subject.

    Raises:
        MienError: it is empty (26).
    """
    if not isinstance(name, str) or not name.strip():
        raise refused(Failure.VALIDATION, "Subject name cannot be empty")
    return name.strip()


async def caller(request: Request, scope: Scope) -> Call:
    """The call of whoever holds the key.

    Raises:
        MienError: there is no key in the header (20).
        Unauthorized: not a valid one.
        Forbidden: it may not do this.
    """
    return await opened(request, scope, lambda: _key(request))


def _whole(given: object, otherwise: int) -> int:
    """A whole number of the query; ``otherwise`` where it is none or a huge one."""
    text = str(given)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else otherwise


def _uuid(text: str) -> uuid.UUID | None:
    """A UUID as CompreFace writes it; None: it is none."""
    return uuid.UUID(text) if _UUID.fullmatch(text) else None


def _key(request: Request) -> str:
    key = request.headers.get("x-api-key", "").strip()
    if not key:
        raise refused(Failure.MISSING_HEADER, "Missing header: x-api-key")
    return key


def _ids(body: bytes) -> list[str]:
    try:
        ids = json.loads(body)
    except (ValueError, RecursionError):
        ids = None
    if not isinstance(ids, list) or len(ids) > MAX_IDS or not all(isinstance(i, str) for i in ids):
        raise InvalidArgument(f"Send a JSON list of at most {MAX_IDS} image ids.")
    return ids


def _photos(body: bytes, content_type: str, *, names: Sequence[str]) -> PhotoForm:
    form = parse(body, content_type, names=names, max_images=1)
    if form.urls:
        raise ImageDecodeError("URLs are not fetched: send the photo itself, or base64 of it.")
    for name in names:
        if not form.all(name):
            if "json" in content_type.lower():
                raise refused(Failure.EMPTY_FIELD, f"Field {name} cannot be empty")
            raise refused(Failure.MISSING_PART, f"The part {name!r} is missing.")
    return form
