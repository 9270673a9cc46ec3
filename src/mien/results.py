"""Frozen results of the engine: they print well, convert to dicts and JSON, and draw themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from mien.errors import InvalidArgument
from mien.types import RGB, EmbeddingContract, Embeddings, Face, Faces, Result

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

__all__ = [
    "Candidate",
    "Comparison",
    "Detection",
    "Drawable",
    "Enrolment",
    "FaceComparison",
    "FaceMatches",
    "Identification",
    "Rejection",
    "Representation",
]

DecidedOn = Literal["confidence", "similarity"]


class Drawable:
    """A result that can draw itself on its photo; notebooks show it as a picture."""

    image: RGB | None

    def draw(self) -> PILImage:
        """A copy of the photo with the faces drawn on it, as a Pillow image.

        Raises:
            InvalidArgument: the result does not carry its photo.
        """
        from mien.drawing import draw_faces

        if self.image is None:
            raise InvalidArgument("This result does not carry its photo: it cannot be drawn.")
        return draw_faces(self.image, self.labelled_faces())

    def labelled_faces(self) -> list[tuple[Face, str]]:
        """The faces and the text under each."""
        raise TypeError(f"{type(self).__name__} must define labelled_faces")

    def _repr_png_(self) -> bytes | None:
        """The drawing as PNG bytes (IPython's display protocol)."""
        from mien.drawing import to_png

        return None if self.image is None else to_png(self.draw())


@dataclass(frozen=True, slots=True, eq=False)
class Detection(Result, Drawable):
    """The faces of one photo.

    Attributes:
        width, height: size of the upright photo, pixels.
        faces: largest first.
        detector: name of the detector.
        image: pixels for ``draw()``, perhaps scaled down, or None.
    """

    width: int
    height: int
    faces: Faces
    detector: str
    image: RGB | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.faces)

    def __iter__(self) -> Iterator[Face]:
        return iter(self.faces)

    def __getitem__(self, index: int) -> Face:
        return self.faces[index]

    def __str__(self) -> str:
        return f"{len(self.faces)} face(s) in {self.width}x{self.height} by {self.detector}"

    def first(self, count: int) -> Detection:
        """The ``count`` largest faces only."""
        return dataclasses.replace(self, faces=self.faces.take(slice(0, max(0, count))))

    def without_image(self) -> Detection:
        """The same without the photo's pixels."""
        return dataclasses.replace(self, image=None)

    def labelled_faces(self) -> list[tuple[Face, str]]:
        """The faces with their scores."""
        scale = self._image_scale()
        return [(face.scaled(scale), f"{face.score:.2f}") for face in self.faces]

    def _image_scale(self) -> float:
        return 1.0 if self.image is None else self.image.shape[1] / self.width

    def to_dict(self) -> dict[str, Any]:
        """``{"width", "height", "faces": [Face.to_dict()]}``."""
        return {
            "width": self.width,
            "height": self.height,
            "faces": [face.to_dict() for face in self.faces],
        }


@dataclass(frozen=True, slots=True, eq=False)
class Representation(Result, Drawable):
    """The faces of one photo and their embeddings (same order).

    Attributes:
        detection: the faces.
        embeddings: ``vector (n, d)`` and ``norm (n,)``.
        contract: what these embeddings may be compared with.
    """

    detection: Detection
    embeddings: Embeddings
    contract: EmbeddingContract

    @property
    def image(self) -> RGB | None:  # type: ignore[override]
        """Pixels for ``draw()``."""
        return self.detection.image

    def __len__(self) -> int:
        return len(self.embeddings)

    def __str__(self) -> str:
        return f"{len(self)} face(s), {self.contract.dim}-d by {self.contract.model}"

    def without_image(self) -> Representation:
        """The same without the photo's pixels."""
        return dataclasses.replace(self, detection=self.detection.without_image())

    def labelled_faces(self) -> list[tuple[Face, str]]:
        """The faces with their norms."""
        faces = self.detection.labelled_faces()
        norms = self.embeddings.norm
        return [(face, f"norm {n:.1f}") for (face, _), n in zip(faces, norms, strict=True)]

    def to_dict(self) -> dict[str, Any]:
        """``{"faces": [{"box", "embedding", "norm", "contract"}]}``."""
        contract = str(self.contract)
        return {
            "faces": [
                {
                    "box": face.box.to_list(),
                    "embedding": [float(v) for v in vector],
                    "norm": round(float(norm), 4),
                    "contract": contract,
                }
                for face, vector, norm in zip(
                    self.detection.faces,
                    self.embeddings.vector,
                    self.embeddings.norm,
                    strict=True,
                )
            ]
        }


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

    def to_dict(self) -> dict[str, Any]:
        """``{"box", "candidates": [Candidate.to_dict()]}``."""
        return {
            "box": self.face.box.to_list(),
            "candidates": [candidate.to_dict() for candidate in self.candidates],
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


@dataclass(frozen=True, slots=True)
class Rejection(Result):
    """A photo that was not enrolled, and why.

    Attributes:
        image: the name that the caller gave.
        reasons: stable codes, such as ``no_face``, ``several_faces``, ``face_too_small``,
            ``duplicate``, or an image error's ``code``.
        message: what to do about it.
    """

    image: str
    reasons: tuple[str, ...]
    message: str = ""

    def to_dict(self) -> dict[str, Any]:
        """``{"image", "reasons", "message"}``."""
        return {"image": self.image, "reasons": list(self.reasons), "message": self.message}


@dataclass(frozen=True, slots=True)
class Enrolment(Result):
    """What an enrolment did.

    Attributes:
        group: the group's name.
        face_ids: the new faces' ids, in the order of the photos that were accepted.
        rejected: photos that were not enrolled.
        persons: names of the persons that got at least one face.
    """

    group: str
    face_ids: tuple[str, ...]
    rejected: tuple[Rejection, ...] = ()
    persons: tuple[str, ...] = ()

    @property
    def enrolled(self) -> int:
        """Number of faces that were enrolled."""
        return len(self.face_ids)

    def __str__(self) -> str:
        return (
            f"{self.enrolled} face(s) of {len(self.persons)} person(s) enrolled in "
            f"{self.group!r}, {len(self.rejected)} photo(s) rejected"
        )

    def to_dict(self) -> dict[str, Any]:
        """``{"group", "enrolled", "rejected", "persons", "face_ids"}``."""
        return {
            "group": self.group,
            "enrolled": self.enrolled,
            "rejected": [rejection.to_dict() for rejection in self.rejected],
            "persons": list(self.persons),
            "face_ids": list(self.face_ids),
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 6)
