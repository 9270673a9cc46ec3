"""The documented shapes of searches without a photo, of albums, and of several probes at once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mien.service.schemas import (
    Answered,
    BoxList,
    DecidedOn,
    ErrorBody,
    IdentifiedFace,
    MatchCandidate,
    NewPerson,
    Options,
    PersonShape,
    Rate,
    RejectedPhoto,
    Shape,
)

__all__ = [
    "AlbumAnswer",
    "ClusterOptions",
    "FaceSearchAnswer",
    "FaceSearchOptions",
    "FindOptions",
    "FindingsAnswer",
    "IdentificationsAnswer",
    "NewPersons",
    "PersonsAnswer",
    "TemplateSearch",
    "TemplateSearchAnswer",
]

MAX_PERSONS = 200
MAX_TEMPLATES = 100

Number = Annotated[float, Field(allow_inf_nan=False)]
Template = Annotated[list[Number], Field(min_length=1, max_length=4096)]


class SearchOptions(Options):
    """How to decide 1:N. Give ``fpir`` or ``threshold``, not both."""

    top: int = Field(default=5, ge=1, le=100, description="At most this many candidates.")
    fpir: Rate = Field(
        default=None,
        description="False-positive identification rate at the group's size; default 0.01.",
    )
    threshold: float | None = Field(
        default=None, allow_inf_nan=False, description="Decide on the raw similarity instead."
    )


class FaceSearchOptions(SearchOptions):
    """How to search with a stored face."""

    own: bool = Field(
        default=False, description="The person whose face it is may be a candidate too."
    )


class TemplateSearch(SearchOptions):
    """Templates, such as `/v1/represent` gives, and how to search with them."""

    contract: str = Field(max_length=512, description="As `/v1/represent` says it of them.")
    embeddings: list[Template] = Field(
        min_length=1, max_length=MAX_TEMPLATES, description="Of unit length."
    )
    norms: list[Number | None] | None = Field(
        default=None, description="Of each, where it is known: the confidence rests on it."
    )


class ClusterOptions(Options):
    """How to sort photos by person."""

    threshold: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        allow_inf_nan=False,
        description="Mean similarity from which faces are put together; default: chosen by the "
        "calibration.",
    )


class FindOptions(Options):
    """How to decide 1:1. Give ``fmr`` or ``threshold``, not both."""

    fmr: Rate = Field(default=None, description="False-match rate of one face; default 0.001.")
    threshold: float | None = Field(
        default=None, allow_inf_nan=False, description="Decide on the raw similarity instead."
    )


class NewPersons(Options):
    """Persons to create."""

    persons: list[NewPerson] = Field(min_length=1, max_length=MAX_PERSONS)


class Decided(Shape):
    """What was searched, and at what threshold."""

    decided_on: DecidedOn
    threshold: float
    fpir: float | None
    extrapolated: bool
    gallery_size: int


class FaceSearchAnswer(Decided, Answered):
    """Whom an enrolled face is like; nobody: no candidates."""

    candidates: list[MatchCandidate]


class TemplateSearchAnswer(Decided, Answered):
    """Whom each template is like, in the order of the request."""

    candidates: list[list[MatchCandidate]]


class PhotoIdentification(Decided):
    """Who is in a photo."""

    width: int
    height: int
    faces: list[IdentifiedFace]


class ProbeResult(Shape):
    """What became of one probe: an identification or an error, never both."""

    image: str
    identification: PhotoIdentification | None
    error: ErrorBody | None


class IdentificationsAnswer(Answered):
    """What became of each probe, in the order of the request."""

    results: list[ProbeResult]


class PersonResult(Shape):
    """What became of one person: made, or an error."""

    name: str
    person: PersonShape | None
    error: ErrorBody | None


class PersonsAnswer(Answered):
    """What became of each person, in the order of the request."""

    created: int
    results: list[PersonResult]


class AlbumFaceShape(Shape):
    """A face in one of the photos."""

    image: str
    box: BoxList
    norm: float


class AlbumPersonShape(Shape):
    """All faces that were put together; never two of one photo."""

    name: str = Field(description="`person-0001` and so on, the most frequent first.")
    faces: list[AlbumFaceShape]


class AlbumAnswer(Answered):
    """Photos sorted by who is in them."""

    photos: int
    persons: list[AlbumPersonShape]
    rejected: list[RejectedPhoto]
    threshold: float
    embedder: str


class FindingShape(Shape):
    """A photo that shows the person."""

    image: str
    box: BoxList
    similarity: float
    confidence: float | None


class FindingsAnswer(Answered):
    """The photos that show a person, the surest first."""

    found: list[FindingShape]
    photos: int
    faces: int
    rejected: list[RejectedPhoto]
    decided_on: Literal["confidence", "similarity"]
    threshold: float
    fmr: float | None
    embedder: str
    detector: str
