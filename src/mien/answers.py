"""Answers: are two faces the same person's, and who is it? Frozen, printable, JSON, drawable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from mien.errors import InvalidArgument
from mien.results import Drawable
from mien.types import RGB, Face, Result
from mien.verdict import LivenessVerdict

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

__all__ = ["Candidate", "Comparison", "FaceComparison", "FaceMatches", "Identification"]

DecidedOn = Literal["confidence", "similarity"]


@dataclass(frozen=True, slots=True, eq=False)
class FaceComparison(Result):
    """One face of B against the face of A (part of :class:`Comparison`)."""

    face: Face
    similarity: float
    confidence: float | None
    match: bool

    def to_dict(self) -> dict[str, Any]:
        """``{"box", "match", "similarity", "confidence"}``."""
        return {
            "box": self.face.box.to_list(),
            "match": self.match,
            "similarity": _rounded(self.similarity),
            "confidence": _rounded(self.confidence),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Comparison(Result):
    """The largest face of A against every face of B, or against a person of a gallery.

    ``bool(comparison)`` is ``match``.

    Attributes:
        match: the best pair passes the threshold.
        similarity: the model's own score of the best pair; higher is more alike.
        confidence: calibrated, 0..1, 0.5 at the default operating point (FMR 1e-3); None where
            the model has no calibration.
        decided_on: the unit of ``threshold``.
        threshold: what was passed or not.
        fmr: false-match rate at which the threshold was chosen; None when it was given.
        extrapolated: the threshold lies beyond what the calibration's pairs could measure.
        all: every face of B, best first. Empty for ``verify``.
        person: for ``verify``, the person's name.
        liveness: where it was asked for, of the face of A and of the best face of B (None for
            ``verify``).
    """

    match: bool
    similarity: float
    confidence: float | None
    decided_on: DecidedOn
    threshold: float
    fmr: float | None
    embedder: str
    detector: str
    face_a: Face
    face_b: Face | None
    all: tuple[FaceComparison, ...] = ()
    extrapolated: bool = False
    person: str | None = None
    images: tuple[RGB, RGB] | None = field(default=None, repr=False)
    image_widths: tuple[int, int] | None = field(default=None, repr=False)
    liveness: tuple[LivenessVerdict, LivenessVerdict | None] | None = None

    def __bool__(self) -> bool:
        return self.match

    def __str__(self) -> str:
        verdict = "match" if self.match else "no match"
        score = (
            f"similarity {self.similarity:.3f}"
            if self.confidence is None
            else f"confidence {self.confidence:.3f}, similarity {self.similarity:.3f}"
        )
        return f"{verdict} ({score}; threshold {self.threshold:.3f} on {self.decided_on})"

    def draw(self) -> PILImage:
        """Both photos side by side with the compared faces.

        Raises:
            InvalidArgument: the result does not carry its photos.
        """
        from mien.drawing import beside, draw_faces

        if self.images is None or self.image_widths is None or self.face_b is None:
            raise InvalidArgument("This result does not carry its photos: it cannot be drawn.")
        score = self.similarity if self.confidence is None else self.confidence
        label = f"{'match' if self.match else 'no match'} {score:.2f}"
        pictures = [
            draw_faces(image, [(face.scaled(image.shape[1] / width), label)])
            for image, width, face in zip(
                self.images, self.image_widths, (self.face_a, self.face_b), strict=True
            )
        ]
        return beside(pictures)

    def _repr_png_(self) -> bytes | None:
        from mien.drawing import to_png

        return None if self.images is None else to_png(self.draw())

    def to_dict(self) -> dict[str, Any]:
        """The document of ``mien compare --json`` (``mien verify`` adds ``person``)."""
        answer: dict[str, Any] = {
            "match": self.match,
            "similarity": _rounded(self.similarity),
            "confidence": _rounded(self.confidence),
            "decided_on": self.decided_on,
            "threshold": _rounded(self.threshold),
            "fmr": self.fmr,
            "extrapolated": self.extrapolated,
            "embedder": self.embedder,
            "detector": self.detector,
            "faces": [
                self.face_a.box.to_list(),
                None if self.face_b is None else self.face_b.box.to_list(),
            ],
        }
        if self.liveness is not None:
            answer["liveness"] = [one and one.to_dict() for one in self.liveness]
        if self.person is not None:
            answer["person"] = self.person
        else:
            answer["all"] = [pair.to_dict() for pair in self.all]
        return answer


@dataclass(frozen=True, slots=True)
class Candidate(Result):
    """A person of the group who may be the face's owner.

    Attributes:
        person: the person's name in the group.
        person_id: the person's id.
        similarity: of the person's best face, or of the mean template (the group's scoring).
        confidence: calibrated, 0..1; None where the model has no calibration.
        face_id: the enrolled face that matched best; None for a mean template.
    """

    person: str
    person_id: str
    similarity: float
    confidence: float | None
    face_id: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """``{"person", "person_id", "similarity", "confidence", "face_id"}``."""
        return {
            "person": self.person,
            "person_id": self.person_id,
            "similarity": _rounded(self.similarity),
            "confidence": _rounded(self.confidence),
            "face_id": self.face_id,
        }


@dataclass(frozen=True, slots=True, eq=False)
class FaceMatches(Result):
    """A face of the photo and its candidates, most confident first; none for an unknown face."""

    face: Face
    candidates: tuple[Candidate, ...]
    liveness: LivenessVerdict | None = None

    def to_dict(self) -> dict[str, Any]:
        """``{"box", "candidates": [Candidate.to_dict()]}``, with ``liveness`` if asked for."""
        told = {} if self.liveness is None else {"liveness": self.liveness.to_dict()}
        return {
            "box": self.face.box.to_list(),
            "candidates": [candidate.to_dict() for candidate in self.candidates],
            **told,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Identification(Result, Drawable):
    """Who is in one photo.

    Attributes:
        faces: largest first, each with its candidates.
        decided_on, threshold: what a candidate had to pass.
        fpir: false-positive identification rate at which the threshold was chosen; None when
            the threshold was given.
        extrapolated: the threshold lies beyond what the calibration's pairs could measure.
        gallery_size: faces that were searched.
    """

    group: str
    faces: tuple[FaceMatches, ...]
    decided_on: DecidedOn
    threshold: float
    fpir: float | None
    extrapolated: bool
    gallery_size: int
    width: int
    height: int
    image: RGB | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.faces)

    def __iter__(self) -> Iterator[FaceMatches]:
        return iter(self.faces)

    @property
    def people(self) -> list[str]:
        """The name of each face's best candidate; unknown faces are left out."""
        return [face.candidates[0].person for face in self.faces if face.candidates]

    def __str__(self) -> str:
        names = [f.candidates[0].person if f.candidates else "unknown" for f in self.faces]
        return f"{len(names)} face(s) in group {self.group!r}: {', '.join(names) or 'nobody'}"

    def labelled_faces(self) -> list[tuple[Face, str]]:
        """The faces with the best candidate's name."""
        scale = 1.0 if self.image is None else self.image.shape[1] / self.width
        labelled = []
        for matches in self.faces:
            label = "unknown"
            if matches.candidates:
                best = matches.candidates[0]
                score = best.similarity if best.confidence is None else best.confidence
                label = f"{best.person} {score:.2f}"
            labelled.append((matches.face.scaled(scale), label))
        return labelled

    def to_dict(self) -> dict[str, Any]:
        """The entry of ``mien identify --json`` for one image, without ``image``."""
        return {
            "width": self.width,
            "height": self.height,
            "decided_on": self.decided_on,
            "threshold": _rounded(self.threshold),
            "fpir": self.fpir,
            "extrapolated": self.extrapolated,
            "gallery_size": self.gallery_size,
            "faces": [face.to_dict() for face in self.faces],
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 6)
