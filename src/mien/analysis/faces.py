"""Results of analysing a photo: its faces, each with what was found out about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mien.results import Detection, Drawable
from mien.types import RGB, Face, Result

__all__ = ["Analysis", "FaceAnalysis"]


@dataclass(frozen=True, slots=True, eq=False)
class FaceAnalysis(Result):
    """One face and what was found out about it.

    Attributes:
        face: where it is.
        values: the answers by action, in the order asked.

    Example:
        >>> from mien.analysis import Gender
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
