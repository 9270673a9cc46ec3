"""The shapes of answers about photos, groups, persons, faces and jobs, named as in OpenAPI."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

__all__ = [
    "AnalysisAnswer",
    "AnalyzedFace",
    "Answered",
    "ComparedFace",
    "ComparisonAnswer",
    "Decision",
    "DetectedFace",
    "DetectionAnswer",
    "EnrolmentAnswer",
    "ErrorAnswer",
    "ErrorBody",
    "FaceAnswer",
    "FacePage",
    "FaceShape",
    "GroupAnswer",
    "GroupPage",
    "GroupShape",
    "IdentificationAnswer",
    "IdentifiedFace",
    "JobAnswer",
    "JobItemPage",
    "JobItemShape",
    "JobPage",
    "JobShape",
    "JudgedFace",
    "LivenessAnswer",
    "MatchCandidate",
    "NamedPoint",
    "Page",
    "PersonAnswer",
    "PersonPage",
    "PersonShape",
    "RejectedPhoto",
    "RepresentationAnswer",
    "RepresentedFace",
    "SettingsShape",
    "StatusAnswer",
    "Told",
    "ToldAge",
    "ToldEyes",
    "ToldGender",
    "ToldGrade",
    "ToldLandmarks",
    "ToldLiveness",
    "ToldOcclusion",
    "ToldPose",
    "ToldQuality",
    "ToldScores",
    "VerificationAnswer",
]


class ErrorBody(TypedDict):
    """What went wrong."""

    code: str
    message: str
    details: dict[str, str | int | float | bool]


class ErrorAnswer(TypedDict):
    """Every error has this shape."""

    error: ErrorBody
    request_id: str


class Answered(TypedDict):
    """Every answer has the request's id."""

    request_id: str


class StatusAnswer(Answered):
    """What is running."""

    version: str
    detector: str
    embedder: str
    runtime: str | None
    precision: str | None
    dim: int | None
    ready: bool
    max_image_bytes: int
    max_request_images: int


class ToldLiveness(TypedDict):
    """Whether a face is a live one, and what that rests on."""

    live: bool
    verdict: Literal["live", "spoof", "undetermined"]
    score: float
    probability: float | None
    threshold: float
    condition: Literal["weak", "balanced", "strict"]
    context: float
    nets: dict[str, float]
    evidence: dict[str, float]
    reasons: list[str]


class DetectedFace(TypedDict):
    """A face."""

    box: list[float]
    score: float
    landmarks: list[list[float]] | None
    liveness: NotRequired[ToldLiveness | None]


class DetectionAnswer(Answered):
    """The faces of a photo, largest first, in pixels of the upright photo."""

    width: int
    height: int
    faces: list[DetectedFace]


class RepresentedFace(TypedDict):
    """A face and its template."""

    box: list[float]
    embedding: list[float]
    norm: float | None
    contract: str


class RepresentationAnswer(Answered):
    """The faces of a photo and their templates."""

    faces: list[RepresentedFace]


class Told(TypedDict):
    """Whether something is so."""

    value: bool
    score: float


class ToldAge(TypedDict):
    """How old a face looks, years."""

    value: float
    low: int
    high: int


class ToldGender(TypedDict):
    """How a face looks to the model."""

    value: Literal["female", "male"]
    confidence: float


class ToldScores(TypedDict):
    """The name of the highest score, and all scores."""

    value: str
    scores: dict[str, float]


class ToldPose(TypedDict):
    """Degrees; positive: to the face's own left, down, to its own right shoulder."""

    yaw: float
    pitch: float
    roll: float


class ToldEyes(TypedDict):
    """Whether the eye on each side of the image is open."""

    left: Told
    right: Told


class ToldOcclusion(TypedDict):
    """Whether each part is covered."""

    eyes: Told
    mouth: Told
    forehead: Told


class ToldGrade(TypedDict):
    """How much of something a picture has."""

    level: str
    value: float


class ToldQuality(TypedDict):
    """How fit a face is for recognition."""

    score: int
    reasons: list[str]
    components: dict[str, int]


class NamedPoint(TypedDict):
    """Pixels of the photo."""

    x: float
    y: float


class ToldLandmarks(TypedDict):
    """The points of a face."""

    model: str
    points: list[list[float]]
    named: dict[str, NamedPoint]


class AnalyzedFace(TypedDict):
    """A face and what was asked about it. Attributes of other packages may stand beside these."""

    box: list[float]
    age: NotRequired[ToldAge | None]
    gender: NotRequired[ToldGender | None]
    emotion: NotRequired[ToldScores | None]
    race: NotRequired[ToldScores | None]
    mask: NotRequired[Told | None]
    glasses: NotRequired[Told | None]
    pose: NotRequired[ToldPose | None]
    eyes: NotRequired[ToldEyes | None]
    mouth: NotRequired[Told | None]
    smile: NotRequired[Told | None]
    occlusion: NotRequired[ToldOcclusion | None]
    blur: NotRequired[ToldGrade | None]
    exposure: NotRequired[ToldGrade | None]
    noise: NotRequired[ToldGrade | None]
    quality: NotRequired[ToldQuality | None]
    landmarks: NotRequired[ToldLandmarks | None]
    liveness: NotRequired[ToldLiveness | None]


class AnalysisAnswer(Answered):
    """The faces of a photo, largest first, each with what was asked and nothing else."""

    width: int
    height: int
    actions: list[str]
    faces: list[AnalyzedFace]


class JudgedFace(TypedDict):
    """A face and whether it is live."""

    box: list[float]
    liveness: ToldLiveness


class LivenessAnswer(Answered):
    """The faces of a photo, largest first, and whether they are live."""

    width: int
    height: int
    faces: list[JudgedFace]


class ComparedFace(TypedDict):
    """One face of the second photo."""

    box: list[float]
    match: bool
    similarity: float
    confidence: float | None


class Decision(Answered):
    """A 1:1 decision."""

    match: bool
    similarity: float
    confidence: float | None
    decided_on: Literal["confidence", "similarity"]
    threshold: float
    fmr: float | None
    extrapolated: bool
    embedder: str
    detector: str
    faces: list[list[float] | None]
    liveness: NotRequired[list[ToldLiveness | None] | None]


class ComparisonAnswer(Decision):
    """The largest face of the first photo against every face of the second."""

    all: list[ComparedFace]


class VerificationAnswer(Decision):
    """The photo's largest face against a person."""

    person: str


class MatchCandidate(TypedDict):
    """A person who may be the face's owner."""

    person: str
    person_id: str
    similarity: float
    confidence: float | None
    face_id: str | None


class IdentifiedFace(TypedDict):
    """A face and who it may be; an unknown face has no candidates."""

    box: list[float]
    candidates: list[MatchCandidate]
    liveness: NotRequired[ToldLiveness | None]


class IdentificationAnswer(Answered):
    """Who is in a photo."""

    width: int
    height: int
    decided_on: Literal["confidence", "similarity"]
    threshold: float
    fpir: float | None
    extrapolated: bool
    gallery_size: int
    faces: list[IdentifiedFace]


class RejectedPhoto(TypedDict):
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
    warnings: list[RejectedPhoto]
    liveness: NotRequired[list[ToldLiveness] | None]


class SettingsShape(TypedDict):
    """A group's limits and policies."""

    max_persons: int | None
    max_faces: int | None
    images: Literal["none", "crops", "photos"]
    consent: Literal["off", "required"]
    retain_age_s: int | None
    retain_idle_s: int | None
    duplicates: Literal["allow", "warn", "refuse"]
    min_quality: float | None
    liveness: Literal["off", "observe", "enforce"]
    liveness_condition: Literal["weak", "balanced", "strict"]


class GroupShape(TypedDict):
    """A group."""

    name: str
    contract: str
    scoring: Literal["max", "mean"]
    created_at: str
    persons: int
    faces: int
    settings: SettingsShape
    user_data: str | None


class PersonShape(TypedDict):
    """A person of a group."""

    id: str
    name: str
    created_at: str
    faces: int
    anonymous: bool
    user_data: str | None
    external_id: str | None
    last_seen_at: str | None


class FaceShape(TypedDict):
    """A stored face, without its template."""

    id: str
    person: str
    person_id: str
    box: list[float] | None
    norm: float | None
    source_sha256: str | None
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

    next: str | None


class GroupPage(Page):
    """Groups by name."""

    groups: list[GroupShape]


class PersonPage(Page):
    """Persons by name."""

    persons: list[PersonShape]


class FacePage(Page):
    """Stored faces."""

    faces: list[FaceShape]


class JobShape(TypedDict):
    """Work that outlives the request that asked for it."""

    id: str
    kind: Literal["enroll", "reembed"]
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    group: str
    total: int
    done: int
    enrolled: int
    rejected: int
    created_at: str
    started_at: str | None
    finished_at: str | None
    error: str | None


class JobAnswer(JobShape, Answered):
    """A job."""


class JobPage(Page):
    """Jobs, oldest first."""

    jobs: list[JobShape]


class JobItemShape(RejectedPhoto):
    """What became of a photo. An enrolled one may have reasons too: look at it."""

    number: int
    person: str
    state: Literal["enrolled", "rejected"]
    sha256: str | None
    face_id: str | None


class JobItemPage(Answered):
    """What became of a job's photos, in their order."""

    next: int | None
    items: list[JobItemShape]
