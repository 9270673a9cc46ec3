"""The documented shapes of ``/v1``: options that are checked, answers that tests hold to these."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "CompareOptions",
    "ComparisonAnswer",
    "DetectionAnswer",
    "EnrolmentAnswer",
    "ErrorAnswer",
    "ExternalId",
    "FaceAnswer",
    "FacePage",
    "FacePageOptions",
    "GroupAnswer",
    "GroupPage",
    "IdentificationAnswer",
    "IdentifyOptions",
    "ItemOptions",
    "JobAnswer",
    "JobItemPage",
    "JobPage",
    "NewGroup",
    "NewPerson",
    "NoOptions",
    "Options",
    "Page",
    "PageOptions",
    "PersonAnswer",
    "PersonPage",
    "PersonPageOptions",
    "RepresentOptions",
    "RepresentationAnswer",
    "SettingsOptions",
    "Shape",
    "StatusAnswer",
    "UserData",
    "VerificationAnswer",
    "VerifyOptions",
]

Rate = Annotated[float | None, Field(gt=0, lt=1, allow_inf_nan=False)]
BoxList = Annotated[
    list[float], Field(min_length=4, max_length=4, description="[x0, y0, x1, y1] in pixels.")
]
Point = Annotated[list[float], Field(min_length=2, max_length=2)]
DecidedOn = Literal["confidence", "similarity"]


class Options(BaseModel):
    """Options of a request; anything that is not listed is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoOptions(Options):
    """A request without options."""


class RepresentOptions(Options):
    """Options of ``/v1/represent``."""

    max_faces: int | None = Field(
        default=None, ge=1, le=1000, description="At most this many faces, largest first."
    )


class VerifyOptions(Options):
    """How to decide 1:1. Give ``fmr`` or ``threshold``, not both."""

    fmr: Rate = Field(
        default=None, description="False-match rate to decide at (on confidence); default 0.001."
    )
    threshold: float | None = Field(
        default=None, allow_inf_nan=False, description="Decide on the raw similarity instead."
    )


class CompareOptions(VerifyOptions):
    """How to compare two photos."""

    metric: Literal["cosine", "euclidean", "euclidean_l2", "angular"] | None = Field(
        default=None,
        description="Unit of `similarity` (and of `threshold`); decisions and confidence stay as "
        "they are. Default: the model's own.",
    )


class IdentifyOptions(Options):
    """How to decide 1:N. Give ``fpir`` or ``threshold``, not both."""

    top: int = Field(default=5, ge=1, le=100, description="At most this many candidates a face.")
    fpir: Rate = Field(
        default=None,
        description="False-positive identification rate at the group's size; default 0.01.",
    )
    threshold: float | None = Field(
        default=None, allow_inf_nan=False, description="Decide on the raw similarity instead."
    )


class PageOptions(Options):
    """Which part of a list."""

    after: str | None = Field(
        default=None, max_length=300, description="The `next` of the page before this one."
    )
    limit: int = Field(default=100, ge=1, le=500, description="At most this many entries.")


class ItemOptions(Options):
    """Which part of a job's items."""

    after: int = Field(
        default=-1, ge=-1, lt=2**53, description="The `next` of the page before this one."
    )
    limit: int = Field(default=100, ge=1, le=500, description="At most this many entries.")


class SettingsOptions(Options):
    """Limits and policies of a group; what is not given stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    max_persons: int | None = Field(default=None, ge=0, le=2**53)
    max_faces: int | None = Field(default=None, ge=0, le=2**53)
    images: Literal["none", "crops", "photos"] = Field(default="none")
    consent: Literal["off", "required"] = Field(default="off")
    retain_age_s: int | None = Field(default=None, ge=1, le=2**53)
    retain_idle_s: int | None = Field(default=None, ge=1, le=2**53)
    duplicates: Literal["allow", "warn", "refuse"] = Field(default="allow")
    min_quality: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)


UserData = Annotated[
    str | None, Field(description="What you want to keep with it; 16,384 bytes in UTF-8.")
]
ExternalId = Annotated[
    str | None, Field(description="Your own number for it; 1 to 255 printable characters.")
]


class NewGroup(Options):
    """A group to create."""

    name: str = Field(min_length=1, max_length=1020)
    scoring: Literal["max", "mean"] = Field(
        default="max", description="Score a person by the best face, or by the mean template."
    )
    settings: SettingsOptions = SettingsOptions()
    user_data: UserData = None


class NewPerson(Options):
    """A person to create."""

    name: str = Field(min_length=1, max_length=1020)
    user_data: UserData = None
    external_id: ExternalId = None


class PersonPageOptions(PageOptions):
    """Which part of a group's persons."""

    anonymous: bool = Field(
        default=False, description="Those who were registered without a name, not the others."
    )
    external_id: str | None = Field(default=None, description="Only the person who has it.")


class FacePageOptions(PageOptions):
    """Which part of a person's faces."""

    external_image_id: str | None = Field(default=None, description="Only those of that photo.")


class Shape(BaseModel):
    """Part of an answer; exactly these fields."""

    model_config = ConfigDict(extra="forbid")


class ErrorBody(Shape):
    """What went wrong."""

    code: str = Field(description="Stable, for programs.")
    message: str = Field(description="For people: what to do.")
    details: dict[str, str | int | float | bool]


class ErrorAnswer(Shape):
    """Every error has this shape."""

    error: ErrorBody
    request_id: str


class Answered(Shape):
    """Every answer has the request's id."""

    request_id: str = Field(description="Also in the header X-Request-ID.")


class StatusAnswer(Answered):
    """What is running."""

    version: str
    detector: str
    embedder: str
    runtime: str | None = Field(
        description="Of the recognition model. Null while the models are being loaded, and where "
        "neither a measurement nor a setting names it."
    )
    precision: str | None = Field(description="As `runtime`.")
    dim: int | None = Field(description="Length of an embedding.")
    ready: bool
    max_image_bytes: int
    max_request_images: int


class DetectedFace(Shape):
    """A face."""

    box: BoxList
    score: float = Field(description="The detector's confidence, 0..1.")
    landmarks: list[Point] | None = Field(
        description="Image-left eye, image-right eye, nose, image-left and -right mouth corner."
    )


class DetectionAnswer(Answered):
    """The faces of a photo, largest first, in pixels of the upright photo."""

    width: int
    height: int
    faces: list[DetectedFace]


class RepresentedFace(Shape):
    """A face and its template."""

    box: BoxList
    embedding: list[float]
    norm: float | None = Field(description="Length before normalisation; it carries quality.")
    contract: str = Field(description="What this embedding may be compared with.")


class RepresentationAnswer(Answered):
    """The faces of a photo and their templates."""

    faces: list[RepresentedFace]


class ComparedFace(Shape):
    """One face of the second photo."""

    box: BoxList
    match: bool
    similarity: float
    confidence: float | None


class Decision(Answered):
    """A 1:1 decision."""

    match: bool
    similarity: float = Field(description="The model's own score; higher is more alike.")
    confidence: float | None = Field(
        description="Calibrated, 0..1; 0.5 at the default operating point."
    )
    decided_on: DecidedOn
    threshold: float = Field(description="What was passed or not, in the unit of `decided_on`.")
    fmr: float | None
    extrapolated: bool
    embedder: str
    detector: str
    faces: list[BoxList | None] = Field(min_length=2, max_length=2)


class ComparisonAnswer(Decision):
    """The largest face of the first photo against every face of the second."""

    all: list[ComparedFace] = Field(description="Best first.")


class VerificationAnswer(Decision):
    """The photo's largest face against a person."""

    person: str


class MatchCandidate(Shape):
    """A person who may be the face's owner."""

    person: str
    person_id: str
    similarity: float
    confidence: float | None
    face_id: str | None


class IdentifiedFace(Shape):
    """A face and who it may be; an unknown face has no candidates."""

    box: BoxList
    candidates: list[MatchCandidate]


class IdentificationAnswer(Answered):
    """Who is in a photo."""

    width: int
    height: int
    decided_on: DecidedOn
    threshold: float
    fpir: float | None
    extrapolated: bool
    gallery_size: int
    faces: list[IdentifiedFace]


class RejectedPhoto(Shape):
    """A photo that was not enrolled."""

    image: str
    reasons: list[str]
    message: str


class EnrolmentAnswer(Answered):
    """What an enrolment did."""

    group: str
    enrolled: int
    rejected: list[RejectedPhoto]
    persons: list[str]
    face_ids: list[str]
    warnings: list[RejectedPhoto] = Field(
        description="Photos that were enrolled and should be looked at."
    )


class SettingsShape(Shape):
    """A group's limits and policies."""

    max_persons: int | None
    max_faces: int | None
    images: Literal["none", "crops", "photos"]
    consent: Literal["off", "required"]
    retain_age_s: int | None
    retain_idle_s: int | None
    duplicates: Literal["allow", "warn", "refuse"]
    min_quality: float | None


class GroupShape(Shape):
    """A group."""

    name: str
    contract: str
    scoring: Literal["max", "mean"]
    created_at: str
    persons: int = Field(description="The anonymous ones too.")
    faces: int
    settings: SettingsShape
    user_data: str | None


class PersonShape(Shape):
    """A person of a group."""

    id: str
    name: str
    created_at: str
    faces: int
    anonymous: bool = Field(description="Registered without a name; called by the id.")
    user_data: str | None
    external_id: str | None
    last_seen_at: str | None


class FaceShape(Shape):
    """A stored face, without its template."""

    id: str
    person: str
    person_id: str
    box: BoxList | None
    norm: float | None
    source_sha256: str | None = Field(description="Hash of the photo that it came from.")
    created_at: str
    external_image_id: str | None
    user_data: str | None
    quality: float | None


class GroupAnswer(GroupShape, Answered):
    """A group."""


class PersonAnswer(PersonShape, Answered):
    """A person."""


class FaceAnswer(FaceShape, Answered):
    """A stored face."""


class Page(Answered):
    """Part of a list."""

    next: str | None = Field(description="Send it as `after` for the next page; null at the end.")


class GroupPage(Page):
    """Groups by name."""

    groups: list[GroupShape]


class PersonPage(Page):
    """Persons by name."""

    persons: list[PersonShape]


class FacePage(Page):
    """Stored faces."""

    faces: list[FaceShape]


class JobShape(Shape):
    """Work that outlives the request that asked for it."""

    id: str
    kind: str = Field(description="`enroll`.")
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    group: str
    total: int = Field(description="Photos in all.")
    done: int = Field(description="Photos that are finished; it is exact to some seconds.")
    enrolled: int
    rejected: int
    created_at: str
    started_at: str | None
    finished_at: str | None
    error: str | None = Field(description="Why it failed.")


class JobAnswer(JobShape, Answered):
    """A job."""


class JobPage(Page):
    """Jobs, oldest first."""

    jobs: list[JobShape]


class JobItemShape(RejectedPhoto):
    """What became of a photo. An enrolled one may have reasons too: look at it."""

    number: int = Field(description="Its place in the job, from 0.")
    person: str
    state: Literal["enrolled", "rejected"]
    sha256: str | None
    face_id: str | None


class JobItemPage(Answered):
    """What became of a job's photos, in their order."""

    next: int | None = Field(description="Send it as `after` for the next page; null at the end.")
    items: list[JobItemShape]
