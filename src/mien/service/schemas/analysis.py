"""What faces look like."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from mien.service.schemas.base import Answered, BoxList, Shape
from mien.service.schemas.liveness import LivenessOptions, ToldLiveness
from mien.service.schemas.photos import RepresentOptions

__all__ = [
    "AnalysisAnswer",
    "AnalyzeOptions",
    "AnalyzedFace",
    "NamedPoint",
    "Told",
    "ToldAge",
    "ToldEyes",
    "ToldGender",
    "ToldGrade",
    "ToldLandmarks",
    "ToldOcclusion",
    "ToldPose",
    "ToldQuality",
    "ToldScores",
]


def _names(given: object) -> object:
    """``age, mask`` as a list; lists as they are."""
    if isinstance(given, str):
        return [name.strip() for name in given.split(",") if name.strip()]
    return given


class AnalyzeOptions(RepresentOptions, LivenessOptions):
    """Options of ``/v1/analyze``."""

    actions: Annotated[list[str] | None, BeforeValidator(_names)] = Field(
        default=None,
        max_length=64,
        description="Attributes, as a list or as one text with commas between; default: all that "
        "need no licence accepted and that the key's application may have answered.",
    )


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
