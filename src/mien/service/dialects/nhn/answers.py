"""The shapes of NHN's answers, for the description that the dialect serves."""
# ruff: noqa: N815 - the names are NHN's

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "ComparedFaces",
    "DetectedFaces",
    "Envelope",
    "FaceList",
    "GroupDetails",
    "GroupFacts",
    "GroupList",
    "Header",
    "MatchedFaces",
    "RegisteredFaces",
    "VerifiedFace",
]


class Shape(BaseModel):
    """Exactly these fields."""

    model_config = ConfigDict(extra="forbid")


class Header(Shape):
    """How it went; the HTTP status is 200 in any case."""

    isSuccessful: bool
    resultCode: int = Field(description="0: done; above: partly done; below: an error.")
    resultMessage: str


class Envelope(Shape):
    """An answer without data, such as every error."""

    header: Header


class Bbox(Shape):
    """Fractions of the photo's width and height, 0 to 1."""

    x0: float
    y0: float
    x1: float
    y1: float


class Landmark(Shape):
    """A point, in fractions of the photo; left is the photo's left."""

    type: Literal["leftEye", "rightEye", "nose", "leftLip", "rightLip"]
    x: float
    y: float


class Orientation(Shape):
    """The head's angles in degrees: x is yaw, y is pitch, z is roll."""

    x: float
    y: float
    z: float


class FaceDetail(Shape):
    """A face in the request's photo."""

    bbox: Bbox
    landmarks: list[Landmark]
    orientation: Orientation | None = None
    mask: bool | None = None
    spoofing: bool | None = None
    confidence: float


class Face(Shape):
    """A registered face."""

    faceId: str
    imageId: str
    externalImageId: str | None = None
    bbox: Bbox | None = Field(
        default=None, description="Missing where the face was enrolled by another API."
    )
    confidence: float | None = None


class Versioned(Shape):
    """``modelVersion`` in version 1.0."""

    modelVersion: str | None = None


class ListedGroup(Versioned):
    """A group."""

    groupId: str


class GroupList(Shape):
    """Groups."""

    groupCount: int
    groups: list[ListedGroup]
    nextToken: str | None = None


class GroupFacts(Shape):
    """One group."""

    groupId: str
    createTime: str
    faceCount: int


class GroupFactsV1(GroupFacts, Versioned):
    """One group in version 1.0."""


class GroupDetails(Shape):
    """A list of one group, as version 1.0 answers it."""

    groupCount: int
    groups: list[GroupFactsV1]


class DetectedFaces(Shape):
    """The faces of a photo, largest first."""

    faceDetailCount: int
    faceDetails: list[FaceDetail]


class RegisteredFaces(Versioned):
    """What was registered, and what was not."""

    addedFaceCount: int
    addedFaces: list[Face]
    addedFaceDetails: list[FaceDetail]
    notAddedFaceCount: int
    notAddedFaces: list[FaceDetail]


class FaceList(Versioned):
    """Registered faces, newest first."""

    faceCount: int
    faces: list[Face]
    nextToken: str | None = None


class MatchedFace(Shape):
    """A registered face and how alike it is, 0 to 100."""

    face: Face
    similarity: float


class MatchedFaces(Versioned):
    """Registered faces, the most similar first."""

    matchFaceCount: int
    matchFaces: list[MatchedFace]
    sourceFace: FaceDetail | None = None


class ComparedFace(Shape):
    """A face of the target image and how alike it is, 0 to 100."""

    faceDetail: FaceDetail
    similarity: float


class ComparedFaces(Versioned):
    """The faces of the target image, the most similar first."""

    matchedFaceDetailCount: int
    matchedFaceDetails: list[ComparedFace]
    unmatchedFaceDetailCount: int
    unmatchedFaceDetails: list[ComparedFace]
    sourceFace: FaceDetail


class VerifiedFace(Shape):
    """How alike the photo's largest face and the registered one are, 0 to 100."""

    similarity: float
    face: Face
    sourceFace: FaceDetail
