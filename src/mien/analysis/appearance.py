"""Results about what a face looks like: age, gender, emotion, and whether something is so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mien.types import Result

__all__ = ["Age", "Emotion", "EmotionName", "Gender", "Presence", "Race", "RaceName"]

EmotionName = Literal["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
RaceName = Literal[
    "white",
    "black",
    "latino_hispanic",
    "east_asian",
    "southeast_asian",
    "indian",
    "middle_eastern",
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
    """Whether something is so: a mask is worn, an eye is open, the mouth smiles.

    Attributes:
        value: it is.
        score: 0..1; ``value`` is ``score >= 0.5``.
    """

    value: bool
    score: float

    def __str__(self) -> str:
        return f"{'yes' if self.value else 'no'} {self.score:.2f}"

    def to_dict(self) -> dict[str, Any]:
        """``{"value", "score"}``."""
        return {"value": self.value, "score": round(self.score, 4)}


@dataclass(frozen=True, slots=True)
class Race(Result):
    """Which of FairFace's seven groups a face looks like to the net. It is no fact about a person.

    Attributes:
        value: the group of the highest score.
        scores: of all seven, adding up to 1.
    """

    value: RaceName
    scores: Mapping[RaceName, float]

    def __str__(self) -> str:
        return f"{self.value} {self.scores[self.value]:.2f}"

    def to_dict(self) -> dict[str, Any]:
        """``{"value", "scores": {group: score}}``."""
        return {
            "value": self.value,
            "scores": {name: round(score, 4) for name, score in self.scores.items()},
        }
