"""Every photo of an evaluation, embedded once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.engine import Engine
from mien.errors import ImageError
from mien.evaluate.lists import check_files
from mien.models.progress import Progress, silent
from mien.results import Representation

__all__ = ["Templates", "embed_files"]

BATCH = 16


@dataclass(frozen=True, slots=True, eq=False)
class Templates:
    """The largest face of every photo.

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
    """Embed the largest face of each file once.

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
        batch = _represent(engine, paths[start : start + BATCH])
        for index, one in enumerate(batch, start):
            if one is not None and len(one.embeddings):
                vector[index], norm[index] = one.embeddings.vector[0], one.embeddings.norm[0]
                found[index] = True
        progress("Embedding photos", min(start + BATCH, len(paths)), len(paths))
    spent = time.process_time() - started
    return Templates(vector, norm, found, 1000 * spent / max(1, len(paths)))


def _represent(engine: Engine, paths: Sequence[Path]) -> list[Representation | None]:
    try:
        return list(engine.represent_batch(paths, max_faces=1))
    except ImageError:
        return [_represent_one(engine, path) for path in paths]


def _represent_one(engine: Engine, path: Path) -> Representation | None:
    try:
        return engine.represent(path, max_faces=1)
    except ImageError:
        return None
