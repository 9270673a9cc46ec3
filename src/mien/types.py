"""The data that passes between the rooms: boxes, faces, embeddings. No room is imported here.

Images inside Mien are RGB ``uint8`` arrays of shape ``(height, width, 3)``. Coordinates are
float pixels in the upright input image (EXIF orientation applied): x to the right, y down,
(0, 0) the outer corner of the top-left pixel.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mien.errors import InvalidArgument

__all__ = [
    "RGB",
    "Box",
    "EmbeddingContract",
    "Embeddings",
    "Face",
    "Faces",
    "Metric",
    "Result",
]

RGB = NDArray[np.uint8]
"""An image: ``uint8``, shape ``(height, width, 3)``, channels red, green, blue."""


Metric = Literal["cosine", "euclidean", "euclidean_l2", "angular"]
"""The field's names for comparing embeddings (``mien.match.metrics`` defines them)."""


class Result:
    """What every public result can do: convert to a dict and to JSON.

    ``to_dict`` gives the shape that the command line's ``--json`` prints.
    """

    def to_dict(self) -> dict[str, Any]:
        """The result as plain lists, dicts, strings and numbers."""
        raise TypeError(f"{type(self).__name__} must define to_dict")

    def to_json(self, *, indent: int | None = None) -> str:
        """The result as a JSON document."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Box:
    """A face's bounding box in pixels: ``x0 <= x1``, ``y0 <= y1``, inside the image."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        """Area in square pixels."""
        return self.width * self.height

    def to_list(self) -> list[float]:
        """``[x0, y0, x1, y1]``, rounded to hundredths of a pixel."""
        return [round(float(v), 2) for v in (self.x0, self.y0, self.x1, self.y1)]


@dataclass(frozen=True, slots=True, eq=False)
class Face(Result):
    """One detected face.

    Attributes:
        box: bounding box, pixels.
        score: the detector's confidence, 0..1.
        landmarks: ``(5, 2)`` pixels, or None: image-left eye, image-right eye, nose tip,
            image-left mouth corner, image-right mouth corner.
    """

    box: Box
    score: float
    landmarks: NDArray[np.float32] | None = None

    def scaled(self, by: float) -> Face:
        """The face in an image that is ``by`` times as large."""
        if by == 1:
            return self
        box = Box(self.box.x0 * by, self.box.y0 * by, self.box.x1 * by, self.box.y1 * by)
        points = None if self.landmarks is None else self.landmarks * np.float32(by)
        return Face(box, self.score, points)

    def to_dict(self) -> dict[str, Any]:
        """``{"box": [x0, y0, x1, y1], "score", "landmarks": [[x, y] x 5] or None}``."""
        points = None
        if self.landmarks is not None:
            points = np.round(self.landmarks.astype(np.float64), 2).tolist()
        return {
            "box": self.box.to_list(),
            "score": round(float(self.score), 4),
            "landmarks": points,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """All faces of one image as a struct of arrays, sorted by area, largest first.

    Attributes:
        box_xyxy: ``(n, 4)`` float32 pixels, clipped to the image, never NaN.
        score: ``(n,)`` float32, 0..1.
        landmarks: ``(n, 5, 2)`` float32 pixels (see :class:`Face`), or None.

    Example:
        >>> Faces.empty().box_xyxy.shape
        (0, 4)
    """

    box_xyxy: NDArray[np.float32]
    score: NDArray[np.float32]
    landmarks: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        n = len(self.score)
        if self.box_xyxy.shape != (n, 4) or self.score.shape != (n,):
            raise InvalidArgument(
                f"Faces need box_xyxy (n, 4) and score (n,), not {self.box_xyxy.shape} "
                f"and {self.score.shape}."
            )
        if self.landmarks is not None and self.landmarks.shape != (n, 5, 2):
            raise InvalidArgument(f"landmarks must be (n, 5, 2), not {self.landmarks.shape}.")
        arrays = [self.box_xyxy, self.score]
        if self.landmarks is not None:
            arrays.append(self.landmarks)
        if not all(np.isfinite(array).all() for array in arrays):
            raise InvalidArgument("Faces must be finite numbers.")

    @classmethod
    def empty(cls) -> Faces:
        """No face."""
        return cls(
            np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32)
        )

    @classmethod
    def of(cls, faces: Sequence[Face]) -> Faces:
        """These faces, in this order; with landmarks if all have them."""
        if not faces:
            return cls.empty()
        points = [face.landmarks for face in faces if face.landmarks is not None]
        return cls(
            np.array([[f.box.x0, f.box.y0, f.box.x1, f.box.y1] for f in faces], np.float32),
            np.array([face.score for face in faces], np.float32),
            np.stack(points) if len(points) == len(faces) else None,
        )

    @classmethod
    def ordered(
        cls,
        box_xyxy: NDArray[np.float32],
        score: NDArray[np.float32],
        landmarks: NDArray[np.float32] | None,
        *,
        size_hw: tuple[int, int],
    ) -> Faces:
        """Clip boxes to an image of ``size_hw``, drop empty and non-finite ones, sort by area.

        Area is taken before rounding and ties go to the higher score, so the order is stable.
        """
        height, width = size_hw
        box = np.asarray(box_xyxy, np.float32).reshape(-1, 4).copy()
        score = np.asarray(score, np.float32).reshape(-1)
        finite = np.isfinite(box).all(axis=1) & np.isfinite(score)
        if landmarks is not None:
            landmarks = np.asarray(landmarks, np.float32).reshape(-1, 5, 2)
            finite &= np.isfinite(landmarks).all(axis=(1, 2))
        np.clip(box[:, 0::2], 0, width, out=box[:, 0::2])
        np.clip(box[:, 1::2], 0, height, out=box[:, 1::2])
        size = box[:, 2:] - box[:, :2]
        keep = np.flatnonzero(finite & (size > 0).all(axis=1))
        area = size[keep, 0] * size[keep, 1]
        order = keep[np.lexsort((-score[keep], -area))]
        points = None if landmarks is None else landmarks[order]
        return cls(box[order], np.clip(score[order], 0, 1), points)

    def scaled(self, x: float, y: float, *, size_hw: tuple[int, int]) -> Faces:
        """The faces in an image of ``size_hw`` that is ``x`` times wider and ``y`` times higher."""
        if x == y == 1:
            return self
        stretch = np.array([x, y], np.float32)
        points = None if self.landmarks is None else self.landmarks * stretch
        return Faces.ordered(
            self.box_xyxy * np.tile(stretch, 2), self.score, points, size_hw=size_hw
        )

    def shifted(self, x: float, y: float) -> Faces:
        """The faces moved by ``(x, y)`` pixels; boxes may leave the image."""
        shift = np.array([x, y], np.float32)
        points = None if self.landmarks is None else self.landmarks + shift
        return Faces(self.box_xyxy + np.tile(shift, 2), self.score, points)

    def __len__(self) -> int:
        return len(self.score)

    def __getitem__(self, index: int) -> Face:
        points = None if self.landmarks is None else self.landmarks[index]
        box = Box(*(float(v) for v in self.box_xyxy[index]))
        return Face(box, float(self.score[index]), points)

    def __iter__(self) -> Iterator[Face]:
        return (self[i] for i in range(len(self)))

    def take(self, index: NDArray[np.intp] | list[int] | slice) -> Faces:
        """The faces at ``index``, in that order."""
        points = None if self.landmarks is None else self.landmarks[index]
        return Faces(self.box_xyxy[index], self.score[index], points)


@dataclass(frozen=True, slots=True)
class EmbeddingContract:
    """What makes two embeddings comparable. A group of the gallery is pinned to one.

    Attributes:
        model: card name of the recognition model.
        source_sha256: hash of the published weight file (never of a converted one).
        preprocessing: version of Mien's alignment and normalisation for this model.
        dim: length of the vector.
    """

    model: str
    source_sha256: str
    preprocessing: int
    dim: int

    def __str__(self) -> str:
        return f"{self.model}:{self.source_sha256}:{self.preprocessing}:{self.dim}"

    @classmethod
    def parse(cls, text: str) -> EmbeddingContract:
        """Read what ``str`` gives.

        Raises:
            InvalidArgument: not a contract.
        """
        try:
            model, sha256, preprocessing, dim = text.split(":")
            return cls(model, sha256, int(preprocessing), int(dim))
        except ValueError:
            raise InvalidArgument(f"{text!r} is not an embedding contract.") from None


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """Templates of n faces.

    Attributes:
        vector: ``(n, d)`` float32; of unit length where the model's metric is cosine.
        norm: ``(n,)`` float32, the length before normalisation (it carries quality);
            NaN where it is not known.
    """

    vector: NDArray[np.float32]
    norm: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.vector.ndim != 2 or self.norm.shape != (len(self.vector),):
            raise InvalidArgument(
                f"Embeddings need vector (n, d) and norm (n,), not {self.vector.shape} "
                f"and {self.norm.shape}."
            )

    def __repr__(self) -> str:  # templates must not reach a log
        count, dim = self.vector.shape
        return f"Embeddings({count} x {dim})"

    def __len__(self) -> int:
        return len(self.norm)

    def take(self, index: NDArray[np.intp] | list[int] | slice) -> Embeddings:
        """The embeddings at ``index``."""
        return Embeddings(self.vector[index], self.norm[index])
