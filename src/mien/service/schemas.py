"""The documented shapes of ``/v1``: options that are checked, answers that tests hold to these."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from mien.config import LivenessCondition, LivenessPolicy

__all__ = [
    "AnalysisAnswer",
    "AnalyzeOptions",
    "CompareOptions",
    "ComparisonAnswer",
    "DetectionAnswer",
    "EnrolmentAnswer",
    "ErrorAnswer",
    "ExternalId",
    "FaceAnswer",
    "FaceImageOptions",
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
    "LivenessAnswer",
    "LivenessOnlyOptions",
    "LivenessOptions",
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


def _names(given: object) -> object:
    """``age, mask`` as a list; lists as they are."""
    if isinstance(given, str):
        return [name.strip() for name in given.split(",") if name.strip()]
    return given


class Options(BaseModel):
    """Options of a request; anything that is not listed is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoOptions(Options):
    """A request without options."""


class LivenessOptions(Options):
    """Whether faces have to be live ones."""

    liveness: LivenessPolicy | None = Field(
        default=None,
        description="`observe`: the answer says of each face whether it is live. `enforce`: what "
        "is not taken for live is refused. Never less than the server's own setting.",
    )
    liveness_condition: LivenessCondition | None = Field(
        default=None,
        description="How sure a live face must look. Never less than the server's own setting.",
    )


class LivenessOnlyOptions(Options):
    """Options of ``/v1/liveness``."""

    liveness_condition: LivenessCondition | None = Field(
        default=None,
        description="How sure a live face must look. Never less than the server's own setting.",
    )
    max_faces: int | None = Field(
        default=None, ge=1, le=1000, description="At most this many faces, largest first."
    )


class RepresentOptions(Options):
    """Options of ``/v1/represent``."""

    max_faces: int | None = Field(
        default=None, ge=1, le=1000, description="At most this many faces, largest first."
    )


class AnalyzeOptions(RepresentOptions, LivenessOptions):
    """Options of ``/v1/analyze``."""

    actions: Annotated[list[str] | None, BeforeValidator(_names)] = Field(
        default=None,
        max_length=64,
        description="Attributes, as a list or as one text with commas between; default: all that "
        "need no licence accepted and that the key's application may have answered.",
    )


class VerifyOptions(LivenessOptions):
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


class IdentifyOptions(LivenessOptions):
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
    liveness: LivenessPolicy = Field(default="off")
    liveness_condition: LivenessCondition = Field(default="weak")


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


class FaceImageOptions(Options):
    """Which image of a face."""

    kind: Literal["crop", "photo"] | None = Field(
        default=None, description="Without: the crop, or else the photo."
    )


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


class ToldLiveness(Shape):
    """Whether a face is a live one, and what that rests on."""

    live: bool
    verdict: Literal["live", "spoof", "undetermined"] = Field(
        description="`undetermined`: the photo does not allow to say; never taken for live."
    )
    score: float = Field(description="How alive it looks, 0..1; live from the threshold on.")
    probability: float | None = Field(
        description="That it is live, where every second face is an attack; null: not calibrated."
    )
    threshold: float
    condition: LivenessCondition
    context: float = Field(description="Times its own size that the face's surroundings are seen.")
    nets: dict[str, float] = Field(description="What each net says, 0..1.")
    evidence: dict[str, float] = Field(description="Beside the nets, 0..1; higher: an attack.")
    reasons: list[str] = Field(description="Why it is not live.")


class DetectedFace(Shape):
    """A face."""

    box: BoxList
    score: float = Field(description="The detector's confidence, 0..1.")
    landmarks: list[Point] | None = Field(
        description="Image-left eye, image-right eye, nose, image-left and -right mouth corner."
    )
    liveness: ToldLiveness | None = Field(default=None, description="Where it was asked for.")


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


class Told(Shape):
    """Whether something is so."""

    value: bool
    score: float = Field(description="0..1; `value` is `score >= 0.5`.")


class ToldAge(Shape):
    """How old a face looks, years."""

    value: float
    low: int
    high: int


class ToldGender(Shape):
    """How a face looks to the model."""

    value: Literal["female", "male"]
    confidence: float


class ToldScores(Shape):
    """The name of the highest score, and all scores."""

    value: str
    scores: dict[str, float]


class ToldPose(Shape):
    """Degrees; positive: to the face's own left, down, to its own right shoulder."""

    yaw: float
    pitch: float
    roll: float


class ToldEyes(Shape):
    """Whether the eye on each side of the image is open."""

    left: Told
    right: Told


class ToldOcclusion(Shape):
    """Whether each part is covered."""

    eyes: Told
    mouth: Told
    forehead: Told


class ToldGrade(Shape):
    """How much of something a picture has."""

    level: str
    value: float


class ToldQuality(Shape):
    """How fit a face is for recognition."""

    score: int = Field(description="0 to 100.")
    reasons: list[str]
    components: dict[str, int] = Field(description="0 to 100 each, in the terms of ISO 29794-5.")


class NamedPoint(Shape):
    """Pixels of the photo."""

    x: float
    y: float


class ToldLandmarks(Shape):
    """The points of a face."""

    model: str
    points: list[list[float]]
    named: dict[str, NamedPoint] = Field(description="27 of them; left is the image's left.")


class AnalyzedFace(BaseModel):
    """A face and what was asked about it. Attributes of other packages may stand beside these."""

    model_config = ConfigDict(extra="allow")

    box: BoxList
    age: ToldAge | None = None
    gender: ToldGender | None = None
    emotion: ToldScores | None = None
    race: ToldScores | None = None
    mask: Told | None = None
    glasses: Told | None = None
    pose: ToldPose | None = None
    eyes: ToldEyes | None = None
    mouth: Told | None = None
    smile: Told | None = None
    occlusion: ToldOcclusion | None = None
    blur: ToldGrade | None = None
    exposure: ToldGrade | None = None
    noise: ToldGrade | None = None
    quality: ToldQuality | None = None
    landmarks: ToldLandmarks | None = None
    liveness: ToldLiveness | None = None


class AnalysisAnswer(Answered):
    """The faces of a photo, largest first, each with what was asked and nothing else."""

    width: int
    height: int
    actions: list[str] = Field(description="What was answered.")
    faces: list[AnalyzedFace]


class JudgedFace(Shape):
    """A face and whether it is live."""

    box: BoxList
    liveness: ToldLiveness


class LivenessAnswer(Answered):
    """The faces of a photo, largest first, and whether they are live."""

    width: int
    height: int
    faces: list[JudgedFace]


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
    liveness: list[ToldLiveness | None] | None = Field(
        default=None, description="Of both faces, where it was asked for."
    )


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
    liveness: ToldLiveness | None = Field(default=None, description="Where it was asked for.")


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
    liveness: list[ToldLiveness] | None = Field(
        default=None, description="Of the enrolled faces, where it was asked for."
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
    liveness: LivenessPolicy
    liveness_condition: LivenessCondition


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
    kind: Literal["enroll", "reembed"]
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    group: str
    total: int = Field(description="Photos, or faces, in all.")
    done: int = Field(description="Of them finished; it is exact to some seconds.")
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
