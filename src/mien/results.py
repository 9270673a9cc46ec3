"""Frozen results of the engine: they print well, convert to dicts and JSON, and draw themselves.

Who is it, and are they the same: see :mod:`mien.answers`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mien.errors import InvalidArgument
from mien.types import RGB, EmbeddingContract, Embeddings, Face, Faces, Result
from mien.verdict import LivenessVerdict

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

__all__ = [
    "Detection",
    "Drawable",
    "Enrolment",
    "Rejection",
    "Representation",
]


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
        liveness: one verdict a face, where liveness was asked for.
    """

    width: int
    height: int
    faces: Faces
    detector: str
    image: RGB | None = field(default=None, repr=False)
    liveness: tuple[LivenessVerdict, ...] | None = None

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
        first = slice(0, max(0, count))
        told = None if self.liveness is None else self.liveness[first]
        return dataclasses.replace(self, faces=self.faces.take(first), liveness=told)

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
        """``{"width", "height", "faces": [Face.to_dict()]}``, with ``liveness`` if asked for."""
        faces = [face.to_dict() for face in self.faces]
        for face, verdict in zip(faces, self.liveness or (), strict=False):
            face["liveness"] = verdict.to_dict()
        return {"width": self.width, "height": self.height, "faces": faces}


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
        warnings: photos that were enrolled and should be looked at, such as faces that look like
            somebody else of the group.
        liveness: verdicts of the new faces, in their order, where liveness was asked for.
    """

    group: str
    face_ids: tuple[str, ...]
    rejected: tuple[Rejection, ...] = ()
    persons: tuple[str, ...] = ()
    warnings: tuple[Rejection, ...] = ()
    liveness: tuple[LivenessVerdict, ...] | None = None

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
        """The fields by name, and ``enrolled``, a count; ``liveness`` where it was asked for."""
        told = {} if self.liveness is None else {"liveness": [v.to_dict() for v in self.liveness]}
        return {
            **told,
            "group": self.group,
            "enrolled": self.enrolled,
            "rejected": [rejection.to_dict() for rejection in self.rejected],
            "persons": list(self.persons),
            "face_ids": list(self.face_ids),
            "warnings": [warning.to_dict() for warning in self.warnings],
        }
