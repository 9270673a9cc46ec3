"""Results of analysing faces: one frozen value for each attribute, and all of them for a photo."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mien.results import Detection, Drawable
from mien.types import RGB, Face, Result

__all__ = [
    "Age",
    "Analysis",
    "Emotion",
    "EmotionName",
    "FaceAnalysis",
    "Gender",
    "Pose",
    "Presence",
    "Quality",
    "QualityReason",
]

EmotionName = Literal["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
QualityReason = Literal[
    "face_too_small", "cut_off", "blurred", "too_dark", "too_bright", "low_contrast", "turned"
]


@dataclass(frozen=True, slots=True)
class Age(Result):
    """How old a face looks, years.

    Attributes:
        value: the expected age.
        low, high: the model gives the ages between them 80 % of its belief.
    """

    value: float
    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.value:.0f} ({self.low}-{self.high})"

    def to_dict(self) -> dict[str, Any]:
        """``{"value", "low", "high"}``, years."""
        return {"value": round(self.value, 1), "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Gender(Result):
    """How a face looks to the model: it says nothing about how a person sees themselves.

    Attributes:
        value: ``female`` or ``male``.
        confidence: the model's belief in ``value``, 0.5..1.
    """

    value: Literal["female", "male"]
    confidence: float

    def __str__(self) -> str:
        return f"{self.value} {self.confidence:.2f}"

    def to_dict(self) -> dict[str, Any]:
        """``{"value", "confidence"}``."""
        return {"value": self.value, "confidence": round(self.confidence, 4)}


@dataclass(frozen=True, slots=True)
class Emotion(Result):
    """What a face expresses.

    Attributes:
        value: the emotion of the highest score.
        scores: of all seven, adding up to 1.
    """

    value: EmotionName
    scores: Mapping[EmotionName, float]

    def __str__(self) -> str:
        return f"{self.value} {self.scores[self.value]:.2f}"

    def to_dict(self) -> dict[str, Any]:
        """``{"value", "scores": {emotion: score}}``."""
        return {
            "value": self.value,
            "scores": {name: round(score, 4) for name, score in self.scores.items()},
        }


@dataclass(frozen=True, slots=True)
class Presence(Result):
    """Whether a face wears something: a mask, glasses.

    Attributes:
        value: it does.
        score: of wearing it, 0..1; ``value`` is ``score >= 0.5``.
    """

    value: bool
    score: float

    def __str__(self) -> str:
        return f"{'yes' if self.value else 'no'} {self.score:.2f}"

    def to_dict(self) -> dict[str, Any]:
        """``{"value", "score"}``."""
        return {"value": self.value, "score": round(self.score, 4)}


@dataclass(frozen=True, slots=True)
class Pose(Result):
    """Which way a face looks, degrees, from the subject's own view.

    Attributes:
        yaw: positive when it looks to its own left, which is the image's right.
        pitch: positive when it looks down.
        roll: positive when the head is tilted to its own right shoulder.
    """

    yaw: float
    pitch: float
    roll: float

    def __str__(self) -> str:
        return f"yaw {self.yaw:+.0f} pitch {self.pitch:+.0f} roll {self.roll:+.0f}"

    def to_dict(self) -> dict[str, Any]:
        """``{"yaw", "pitch", "roll"}``, degrees."""
        angles = {"yaw": self.yaw, "pitch": self.pitch, "roll": self.roll}
        return {name: round(angle, 1) for name, angle in angles.items()}


@dataclass(frozen=True, slots=True)
class Quality(Result):
    """How fit a face is for recognition.

    Attributes:
        score: 0 (useless) to 100.
        reasons: what lowers it, worst first; empty for a good face.
        measures: each component, 0..1, 1 is good.
    """

    score: int
    reasons: tuple[QualityReason, ...]
    measures: Mapping[str, float]

    def __str__(self) -> str:
        return " ".join([str(self.score), *self.reasons])

    def to_dict(self) -> dict[str, Any]:
        """``{"score", "reasons"}``."""
        return {"score": self.score, "reasons": list(self.reasons)}


@dataclass(frozen=True, slots=True, eq=False)
class FaceAnalysis(Result):
    """One face and what was found out about it.

    Attributes:
        face: where it is.
        values: the answers by action, in the order asked.

    Example:
        >>> from mien.types import Box
        >>> face = Face(Box(0, 0, 9, 9), 0.9)
        >>> FaceAnalysis(face, {"gender": Gender("female", 0.97)})["gender"].value
        'female'
    """

    face: Face
    values: Mapping[str, Result]

    def __getitem__(self, action: str) -> Any:  # noqa: ANN401  # each action has its own result
        return self.values[action]

    def __str__(self) -> str:
        return ", ".join(f"{action} {value}" for action, value in self.values.items())

    def to_dict(self) -> dict[str, Any]:
        """The box, and under each action what its result's ``to_dict`` gives."""
        found = {action: value.to_dict() for action, value in self.values.items()}
        return {"box": self.face.box.to_list(), **found}


@dataclass(frozen=True, slots=True, eq=False)
class Analysis(Result, Drawable):
    """The faces of one photo and their attributes, largest face first.

    Attributes:
        detection: the faces.
        faces: as many, in the same order.
        actions: what was asked.
    """

    detection: Detection
    faces: tuple[FaceAnalysis, ...]
    actions: tuple[str, ...] = field(default=())

    @property
    def image(self) -> RGB | None:  # type: ignore[override]
        """Pixels for ``draw()``."""
        return self.detection.image

    def __len__(self) -> int:
        return len(self.faces)

    def __iter__(self) -> Iterator[FaceAnalysis]:
        return iter(self.faces)

    def __getitem__(self, index: int) -> FaceAnalysis:
        return self.faces[index]

    def __str__(self) -> str:
        return f"{len(self)} face(s), {', '.join(self.actions)}"

    def without_image(self) -> Analysis:
        """The same without the photo's pixels."""
        return dataclasses.replace(self, detection=self.detection.without_image())

    def labelled_faces(self) -> list[tuple[Face, str]]:
        """The faces with what was found out about them."""
        labelled = self.detection.labelled_faces()
        return [(face, str(one)) for (face, _), one in zip(labelled, self.faces, strict=True)]

    def to_dict(self) -> dict[str, Any]:
        """``{"faces": [{"box", "age": {…}, "gender": {…}, …}]}``."""
        return {"faces": [face.to_dict() for face in self.faces]}
