"""One request of an operation: who asks, in which version, and about what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from mien.errors import InvalidArgument, NotFound
from mien.gallery import Gallery, Group, Scope
from mien.service.call import Call
from mien.service.dialects.nhn.codes import Refused, Result
from mien.service.dialects.nhn.parameters import read
from mien.service.dialects.nhn.photos import MAX_BYTES, NhnUpload, Part, parse
from mien.service.dialects.uploads import with_upload
from mien.types import EmbeddingContract

__all__ = [
    "IMAGE",
    "Answered",
    "Operation",
    "Question",
    "Route",
    "Version",
    "group_id",
    "group_of",
    "name_of",
]

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)

Version = Literal["v1.0", "v2.0", "v2.1", "liveness"]

IMAGE = Part("image", "imageFile")

_DASHED = "nhn."


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer: its result and its data."""

    data: dict[str, Any] | None = None
    result: Result = Result.SUCCESS


@dataclass(frozen=True)
class Question:
    """One request.

    Attributes:
        call: the authorised request.
        version: of the API.
        path: parameters of the path by name.
    """

    call: Call
    version: Version
    path: dict[str, str]

    @property
    def gallery(self) -> Gallery:
        """The application's view."""
        return self.call.gallery

    @property
    def group(self) -> str:
        """The group in the path, by its name in the gallery."""
        return name_of(self.path["groupId"])

    @property
    def face(self) -> str:
        """The face in the path."""
        return self.path["faceId"]

    @property
    def scale(self) -> int:
        """What a confidence of a face goes up to."""
        return self.call.settings.nhn_confidence_scale

    def query(self, model: type[Model]) -> Model:
        """The query's parameters.

        Raises:
            InvalidArgument: missing, twice, or out of range.
        """
        return read(model, self.call.query)

    async def with_photos(
        self, work: Callable[[NhnUpload], T], *, parts: Sequence[Part] = (IMAGE,)
    ) -> T:
        """Read the body's photos and run ``work`` on a worker."""
        multipart = self.version != "v1.0"
        reading = partial(parse, parts=parts, multipart=multipart)
        return await with_upload(self.call, reading, work, max_bytes=MAX_BYTES)

    def with_version(self, data: dict[str, Any], contract: EmbeddingContract) -> dict[str, Any]:
        """``data``, in version 1.0 with the recognition model beside it."""
        if self.version != "v1.0":
            return data
        return {"modelVersion": f"{contract.model}.{contract.preprocessing}", **data}


@dataclass(frozen=True, slots=True)
class Route:
    """Where an operation is in one version."""

    version: Version
    method: str
    path: str


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the API.

    Attributes:
        name: for the description.
        scope: what the caller's key must allow.
        run: does it.
        routes: where it is.
        query: parameters in the query; body: of the JSON and the form.
        parts: photos in the body.
        answer: what the data looks like.
        query_v1, body_v1, answer_v1: those of version 1.0 where they differ.
    """

    name: str
    scope: Scope
    run: Callable[[Question], Awaitable[Answered]]
    routes: tuple[Route, ...]
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    parts: tuple[Part, ...] = ()
    answer: type[BaseModel] | None = None
    query_v1: type[BaseModel] | None = None
    body_v1: type[BaseModel] | None = None
    answer_v1: type[BaseModel] | None = None


def name_of(group_id: str) -> str:
    """The gallery's name of a group; it cannot begin with ``-``, as NHN's ids can.

    Example:
        >>> name_of("gym"), name_of("-gym")
        ('gym', 'nhn.-gym')
    """
    return _DASHED + group_id if group_id.startswith("-") else group_id


def group_id(name: str) -> str:
    """NHN's id of a group, from its name in the gallery."""
    return name.removeprefix(_DASHED) if name.startswith(f"{_DASHED}-") else name


def group_of(gallery: Gallery, name: str) -> Group:
    """The group of that name.

    Raises:
        Refused: there is none (-40030).
        InvalidArgument: no group can have that name.
    """
    if len(name) > 255:
        raise InvalidArgument("A group's id has at most 255 characters.")
    try:
        return gallery.group(name)
    except NotFound:
        raise Refused(Result.NOT_FOUND_GROUP, "not_found") from None
