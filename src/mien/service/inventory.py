"""The documented shapes of what there is: models, and what an application uses."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mien.service.schemas import Answered, Options, Shape

__all__ = ["ModelOptions", "ModelsAnswer", "UsageAnswer"]

Task = Literal["detect", "embed", "landmarks", "attributes", "liveness"]


class ModelOptions(Options):
    """Which models."""

    task: Task | None = Field(default=None, description="Only models for this task.")


class OperatingPointShape(Shape):
    """A measured operating point of a recognition model."""

    fmr: float = Field(description="False-match rate aimed at.")
    similarity: float = Field(description="Threshold on the raw similarity.")
    fnmr: float = Field(description="False non-match rate measured there.")


class CalibrationShape(Shape):
    """What a model's confidence rests on."""

    data: str = Field(description="The sets that it was fitted and scored on.")
    default_fmr: float
    fmr_floor: float = Field(description="The smallest rate that the pairs can support.")
    impostor_pairs: int
    genuine_pairs: int
    points: list[OperatingPointShape]


class ModelShape(Shape):
    """A model of the catalogue."""

    name: str
    task: Task
    title: str
    licence: str = Field(description="SPDX identifier or the publisher's words.")
    commercial: bool = Field(description="Whether the licence allows commercial use.")
    needs_acceptance: bool = Field(description="Whoever runs the server must accept the licence.")
    available: bool = Field(description="Its files are here.")
    in_use: bool = Field(description="The server's own detector or recognition model.")
    origin: str
    paper: str
    calibration: CalibrationShape | None


class ModelsAnswer(Answered):
    """The catalogue."""

    models: list[ModelShape]


class StorageShape(Shape):
    """Bytes in the database, without its own overhead."""

    templates: int
    images: int
    total: int


class CallsShape(Shape):
    """Requests of one UTC day by the tag of their route."""

    day: str = Field(description="Such as `2026-05-01`, UTC.")
    calls: dict[str, int] = Field(description="Such as `groups`, `persons`, `faces`, `photos`.")


class UsageAnswer(Answered):
    """What the application holds, and what it asked for."""

    groups: int
    persons: int = Field(description="Each once, in however many groups; the anonymous ones too.")
    faces: int
    images: int = Field(description="Kept with faces.")
    consents: int
    jobs: int
    storage_bytes: StorageShape
    calls: list[CallsShape] = Field(description="The last 31 days, newest first.")
