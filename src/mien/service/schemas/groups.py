"""Groups and their settings."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from mien.config import LivenessCondition, LivenessPolicy
from mien.service.schemas.base import Answered, Options, Page, Shape, UserData

__all__ = ["GroupAnswer", "GroupPage", "GroupShape", "NewGroup", "SettingsOptions", "SettingsShape"]


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


class NewGroup(Options):
    """A group to create."""

    name: str = Field(min_length=1, max_length=1020)
    scoring: Literal["max", "mean"] = Field(
        default="max", description="Score a person by the best face, or by the mean template."
    )
    settings: SettingsOptions = SettingsOptions()
    user_data: UserData = None


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


class GroupAnswer(GroupShape, Answered):
    """A group."""


class GroupPage(Page):
    """Groups by name."""

    groups: list[GroupShape]
