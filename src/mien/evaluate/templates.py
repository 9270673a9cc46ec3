"""Every photo of an evaluation, embedded once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.engine import Engine
from mien.errors import ImageError
from mien.evaluate.lists import check_files
from mien.models.progress import Progress, silent
from mien.types import Embeddings, Faces

__all__ = ["Templates", "embed_files", "subject", "subject_box"]

BATCH = 16


@dataclass(frozen=True, slots=True, eq=False)
class Templates:
    """The subject's face of every photo (see :func:`subject`).

    Attributes:
        vector: ``(n, d)`` float32; zeros where no face was found.
        norm: ``(n,)`` float32; NaN where no face was found or the model gives no norm.
        found: ``(n,)`` bool: the photo could be read and a face was found.
        ms_per_image_cpu: process CPU time of reading, detecting and embedding a photo,
            milliseconds, all threads added up, without loading the models.
    """

    vector: NDArray[np.float32]
    norm: NDArray[np.float32]
    found: NDArray[np.bool_]
    ms_per_image_cpu: float

    def __len__(self) -> int:
        return len(self.norm)


def embed_files(
    engine: Engine, names: Sequence[str], root: str | Path, *, progress: Progress = silent
) -> Templates:
    """Embed the subject's face of each file once.

    A photo that cannot be decoded counts as one without a face: a failure to acquire.

    Raises:
        ImageNotFound: files are missing.
        ModelError: a model cannot be had or run.
    """
    paths = check_files(names, root)
    engine.load()
    dim = engine.embedder.contract.dim
    vector = np.zeros((len(paths), dim), np.float32)
    norm = np.full(len(paths), np.nan, np.float32)
    found = np.zeros(len(paths), np.bool_)
    started = time.process_time()
    for start in range(0, len(paths), BATCH):
        batch = engine.map(partial(_embed_subject, engine), paths[start : start + BATCH])
        for index, one in enumerate(batch, start):
            if one is not None:
                vector[index], norm[index] = one.vector[0], one.norm[0]
                found[index] = True
        progress("Embedding photos", min(start + BATCH, len(paths)), len(paths))
    spent = time.process_time() - started
    return Templates(vector, norm, found, 1000 * spent / max(1, len(paths)))


def subject(faces: Faces, *, width: int, height: int) -> int:
    """Which face a labelled photo is about: large and near the middle, not a passer-by.

    Maximises ``area - 2 * distance ** 2``, distances from the photo's centre in pixels: the rule
    of InsightFace's evaluation scripts. Evaluation sets centre the person that they name, and in
    some photos somebody at the border is larger.

    Args:
        faces: at least one.
        width, height: of the photo, pixels.
    """
    return subject_box(faces.box_xyxy, width=width, height=height)


def subject_box(box_xyxy: NDArray[np.floating], *, width: int, height: int) -> int:
    """:func:`subject` of boxes ``(n, 4)``."""
    box = box_xyxy.astype(np.float64)
    side = box[:, 2:] - box[:, :2]
    away = (box[:, :2] + box[:, 2:]) / 2 - np.array([width, height]) / 2
    return int(np.argmax(side.prod(axis=1) - 2 * (away**2).sum(axis=1)))


def _embed_subject(engine: Engine, path: Path) -> Embeddings | None:
    """The subject's embedding, or None: a failure to acquire."""
    try:
        photo = engine.photo(path)
        found = engine.detect(photo, liveness="off")
        if not len(found):
            return None
        chosen = subject(found.faces, width=found.width, height=found.height)
        return engine.embed(photo, found.faces.take([chosen]))
    except ImageError:
        return None
