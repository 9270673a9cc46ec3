"""How many faces are found, and how much of what is found is a face?

Matching and average precision as in the PASCAL VOC challenge (Everingham et al., "The PASCAL
Visual Object Classes Challenge: A Retrospective", IJCV 2015; all points of the curve).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.engine import Engine
from mien.engine.looking import DETECTION_SIDE
from mien.errors import ImageError
from mien.evaluate.detection_truth import TrueFaces, read_truth
from mien.evaluate.lists import check_files
from mien.image import Photo
from mien.models.progress import Progress, silent
from mien.types import Faces, Result

__all__ = ["DetectionReport", "average_precision", "detection", "matches"]

BATCH = 8
OVERLAP = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class DetectionReport(Result):
    """What ``mien eval detection`` answers.

    Attributes:
        images, faces: how many of each the truth has.
        found: faces that were found.
        false: detections that are no face of the truth.
        ap50: average precision over what the detector gives at its own threshold.
        unreadable: photos that cannot be decoded, as the list spells them; their faces are missed.
        missed: photos in which a face was missed, as the list spells them.
        ms_per_image_cpu: process CPU time of detecting in a decoded photo, milliseconds.
        detector: its name.
    """

    images: int
    faces: int
    found: int
    false: int
    ap50: float
    unreadable: tuple[str, ...]
    missed: tuple[str, ...]
    ms_per_image_cpu: float
    detector: str

    @property
    def recall(self) -> float:
        """Share of the faces that were found."""
        return self.found / self.faces

    @property
    def precision(self) -> float:
        """Share of the detections that are faces; 1 where there are none."""
        return self.found / (self.found + self.false) if self.found + self.false else 1.0

    def __str__(self) -> str:
        return (
            f"recall {self.recall:.4f}, precision {self.precision:.4f}, AP50 {self.ap50:.4f}: "
            f"{self.found} of {self.faces} faces of {self.images} images, {self.false} false"
        )

    def to_dict(self) -> dict[str, Any]:
        """The document of ``mien eval detection --json``."""
        return {
            "images": self.images,
            "faces": self.faces,
            "found": self.found,
            "false": self.false,
            "recall": round(self.recall, 6),
            "precision": round(self.precision, 6),
            "ap50": round(self.ap50, 6),
            "unreadable_images": list(self.unreadable),
            "missed_images": list(self.missed),
            "ms_per_image_cpu": round(self.ms_per_image_cpu, 3),
            "detector": self.detector,
        }


def detection(
    engine: Engine, truth_json: str | Path, root: str | Path, *, progress: Progress = silent
) -> DetectionReport:
    """Detect in every photo of the truth and compare.

    Args:
        engine: detects.
        truth_json: see :func:`~mien.evaluate.detection_truth.read_truth`.
        root: the folder that the list's paths are relative to.
        progress: told how many photos are done.

    Raises:
        InvalidArgument: a list that cannot be used.
        ImageNotFound: listed images are missing.
        ModelError: the detector cannot be had or run.

    Example:
        >>> from mien import Engine                                      # doctest: +SKIP
        >>> detection(Engine(), "truth.json", "photos").recall           # doctest: +SKIP
    """
    truth = read_truth(truth_json)
    paths = check_files([photo.name for photo in truth], root)
    name = engine.detector.name
    found: list[Faces | None] = []
    spent = 0.0
    for start in range(0, len(paths), BATCH):
        photos = engine.map(lambda path: _decoded(engine, path), paths[start : start + BATCH])
        started = time.process_time()
        found += engine.map(
            lambda photo: engine.detect(photo, liveness="off").faces if photo else None, photos
        )
        spent += time.process_time() - started
        progress("Detecting faces", min(start + BATCH, len(paths)), len(paths))
    return _report(truth, found, ms_per_image_cpu=1000 * spent / len(paths), detector=name)


def _decoded(engine: Engine, path: Path) -> Photo | None:
    """The photo, decoded as the detector wants it; None: it cannot be."""
    try:
        photo = engine.photo(path)
        photo.scaled(DETECTION_SIDE)
    except ImageError:
        return None
    return photo


def _report(
    truth: Sequence[TrueFaces],
    found: Sequence[Faces | None],
    *,
    ms_per_image_cpu: float,
    detector: str,
) -> DetectionReport:
    read = [Faces.empty() if faces is None else faces for faces in found]
    right = [matches(faces, photo) for faces, photo in zip(read, truth, strict=True)]
    faces = sum(len(photo) for photo in truth)
    hits = np.concatenate(right)
    each = list(zip(truth, right, strict=True))
    return DetectionReport(
        images=len(truth),
        faces=faces,
        found=int(hits.sum()),
        false=int((~hits).sum()),
        ap50=average_precision(np.concatenate([one.score for one in read]), hits, faces),
        unreadable=tuple(p.name for p, f in zip(truth, found, strict=True) if f is None),
        missed=tuple(photo.name for photo, hit in each if hit.sum() < len(photo)),
        ms_per_image_cpu=ms_per_image_cpu,
        detector=detector,
    )


def matches(faces: Faces, truth: TrueFaces) -> NDArray[np.bool_]:
    """``(n,)``: which detections are faces. Best score first, each takes the face that fits best.

    A detection fits a box at an intersection over union of .5 and more, and a nose that lies in
    it (the nearer to its middle, the better). A face is taken once: the second is false.
    """
    fit = np.hstack([_overlap(faces, truth.box_xyxy), _nearness(faces, truth.nose)])
    hit = np.zeros(len(faces), np.bool_)
    for index in np.argsort(-faces.score, kind="stable"):
        if fit.shape[1] and fit[index].max() > 0:
            hit[index] = True
            fit[:, fit[index].argmax()] = 0
    return hit


def _overlap(faces: Faces, box_xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(n, b)`` intersection over union; 0 below :data:`OVERLAP`."""
    found = faces.box_xyxy.astype(np.float64)[:, None]
    low = np.maximum(found[..., :2], box_xyxy[None, :, :2])
    high = np.minimum(found[..., 2:], box_xyxy[None, :, 2:])
    both = (high - low).clip(0).prod(axis=2)
    areas = [(box[..., 2:] - box[..., :2]).prod(axis=-1) for box in (found, box_xyxy[None])]
    share = both / (areas[0] + areas[1] - both)
    return np.where(share >= OVERLAP, share, 0.0)


def _nearness(faces: Faces, nose: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(n, p)``: 2 where a nose is in the middle of the box, 1 at its border, 0 outside."""
    box = faces.box_xyxy.astype(np.float64)[:, None]
    half = (box[..., 2:] - box[..., :2]) / 2
    away = np.abs(nose[None] - (box[..., :2] + box[..., 2:]) / 2) / half
    inside = away.max(axis=2) <= 1
    return np.where(inside, 2 - away.max(axis=2), 0.0)


def average_precision(score: NDArray[np.float32], hit: NDArray[np.bool_], faces: int) -> float:
    """Area under precision over recall, precision made falling.

    Args:
        score: ``(n,)`` of all detections.
        hit: ``(n,)`` which of them are faces.
        faces: how many there are to find.
    """
    hits = hit[np.argsort(-score, kind="stable")]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float(falling[hits].sum() / faces)
