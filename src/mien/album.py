"""Answers over a folder of photos: who is in which, without anybody having said who they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mien.results import Rejection
from mien.types import Box, Result

__all__ = ["Album", "AlbumFace", "AlbumPerson", "Finding", "Findings"]


@dataclass(frozen=True, slots=True)
class AlbumFace(Result):
    """A face in a photo of an album.

    Attributes:
        photo: place of the photo in :attr:`Album.photos`.
        image: name of the photo.
        box: where the face is, pixels.
        norm: length of its embedding before normalisation; grows with the face's clarity.
    """

    photo: int
    image: str
    box: Box
    norm: float

    def to_dict(self) -> dict[str, Any]:
        """``{"image", "box", "norm"}``."""
        return {"image": self.image, "box": self.box.to_list(), "norm": round(self.norm, 4)}


@dataclass(frozen=True, slots=True)
class AlbumPerson(Result):
    """One person of an album: all faces that were put together.

    Attributes:
        name: ``person-0001`` and so on, the most frequent first.
        faces: clearest first; never two of one photo.
    """

    name: str
    faces: tuple[AlbumFace, ...]

    def __len__(self) -> int:
        return len(self.faces)

    def to_dict(self) -> dict[str, Any]:
        """``{"name", "faces": [...]}``."""
        return {"name": self.name, "faces": [face.to_dict() for face in self.faces]}


@dataclass(frozen=True, slots=True)
class Album(Result):
    """Photos sorted by who is in them.

    Attributes:
        photos: names of all photos, in the order given.
        persons: the most frequent first.
        rejected: photos that could not be used.
        threshold: mean similarity from which faces were put together.
        embedder: the recognition model.
    """

    photos: tuple[str, ...]
    persons: tuple[AlbumPerson, ...]
    rejected: tuple[Rejection, ...]
    threshold: float
    embedder: str

    def __iter__(self) -> Iterator[AlbumPerson]:
        return iter(self.persons)

    def __len__(self) -> int:
        return len(self.persons)

    def __str__(self) -> str:
        faces = sum(len(person) for person in self.persons)
        return f"{len(self.photos)} photo(s), {faces} face(s), {len(self.persons)} person(s)"

    def to_dict(self) -> dict[str, Any]:
        """``{"photos", "persons", "rejected", "threshold", "embedder"}``."""
        return {
            "photos": len(self.photos),
            "persons": [person.to_dict() for person in self.persons],
            "rejected": [rejection.to_dict() for rejection in self.rejected],
            "threshold": round(self.threshold, 6),
            "embedder": self.embedder,
        }


@dataclass(frozen=True, slots=True)
class Finding(Result):
    """A photo that shows the person who was looked for.

    Attributes:
        image: name of the photo; box: the face, pixels.
        similarity: the model's own score.
        confidence: calibrated, 0..1; None where the model has no calibration.
    """

    image: str
    box: Box
    similarity: float
    confidence: float | None

    def to_dict(self) -> dict[str, Any]:
        """``{"image", "box", "similarity", "confidence"}``."""
        confidence = None if self.confidence is None else round(self.confidence, 6)
        return {
            "image": self.image,
            "box": self.box.to_list(),
            "similarity": round(self.similarity, 6),
            "confidence": confidence,
        }


@dataclass(frozen=True, slots=True)
class Findings(Result):
    """The photos that show a person, the surest first.

    Attributes:
        found: one entry a photo: its face that is most like the person.
        photos: how many were looked through; faces: in them.
        rejected: photos that could not be used.
        decided_on: the unit of ``threshold``; fmr: the rate that chose it, or None.
        embedder, detector: the models.
    """

    found: tuple[Finding, ...]
    photos: int
    faces: int
    rejected: tuple[Rejection, ...]
    decided_on: str
    threshold: float
    fmr: float | None
    embedder: str
    detector: str

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def __str__(self) -> str:
        return f"{len(self.found)} of {self.photos} photo(s) show this person"

    def to_dict(self) -> dict[str, Any]:
        """The fields by name."""
        return {
            "found": [one.to_dict() for one in self.found],
            "photos": self.photos,
            "faces": self.faces,
            "rejected": [rejection.to_dict() for rejection in self.rejected],
            "decided_on": self.decided_on,
            "threshold": round(self.threshold, 6),
            "fmr": self.fmr,
            "embedder": self.embedder,
            "detector": self.detector,
        }
