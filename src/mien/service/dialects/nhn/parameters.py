"""What a request may say beside its photo: types, defaults and ranges of NHN's guide.

Fields that the guide does not know are ignored, as a client may send what another version takes.
"""
# ruff: noqa: N815 - the names are NHN's

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from mien.service.errors import invalid

__all__ = [
    "CompareParameters",
    "FaceListParameters",
    "GroupListParameters",
    "ImageSearchParameters",
    "LookParameters",
    "NewGroupParameters",
    "RegisterParameters",
    "SearchParameters",
    "SearchParametersV1",
    "SpoofingParameters",
    "ThresholdParameters",
    "read",
]

Model = TypeVar("Model", bound=BaseModel)

Condition = Literal["weak", "balanced", "strict"]
Threshold = Annotated[int, Field(ge=1, le=100, description="Similarity from which faces match.")]
Label = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_.\-:]{1,255}$")]


class Parameters(BaseModel):
    """Base: numbers and flags may come as text, as in a query or a form."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class SpoofingParameters(Parameters):
    """Of the Face Liveness service."""

    spoofingCondition: Condition = "balanced"


class LookParameters(SpoofingParameters):
    """What is said of each face."""

    orientation: bool = Field(default=True, description="Answer the head's angles.")
    mask: bool = Field(default=True, description="Answer whether a mask is worn.")
    spoofing: bool = Field(default=False, description="Answer whether the face is a spoof.")


class NewGroupParameters(Parameters):
    """A group to create; the name's own rule has a result code of its own."""

    groupId: str


class RegisterParameters(LookParameters):
    """How many of a photo's faces to register."""

    limit: int = Field(ge=1, le=20, description="At most so many faces, largest first.")
    externalImageId: Label | None = None


class ThresholdParameters(Parameters):
    """Of a comparison."""

    threshold: Threshold


class CompareParameters(LookParameters, ThresholdParameters):
    """Of a comparison whose threshold is in the body."""


class SearchParameters(ThresholdParameters):
    """Of a search."""

    limit: int = Field(ge=1, le=100, description="At most so many faces.")


class SearchParametersV1(ThresholdParameters):
    """Of a search in version 1.0."""

    limit: int = Field(ge=1, le=4096, description="At most so many faces.")


class ImageSearchParameters(LookParameters, SearchParameters):
    """Of a search by image whose threshold is in the body."""


class GroupListParameters(Parameters):
    """Which part of a list."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    limit: int | None = Field(default=None, ge=1, le=200)
    next_token: str | None = Field(default=None, alias="next-token")


class FaceListParameters(GroupListParameters):
    """Which part of a list of faces."""

    face_id: str | None = Field(default=None, alias="face-id")
    image_id: str | None = Field(default=None, alias="image-id")
    external_image_id: Label | None = Field(default=None, alias="external-image-id")


def read(model: type[Model], given: Mapping[str, Any]) -> Model:
    """The parameters of a request; null and empty text are as good as not given.

    Raises:
        InvalidArgument: missing, of another type, or out of range.
    """
    present = {name: value for name, value in given.items() if value is not None and value != ""}
    try:
        return model.model_validate(present)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False)) from None
