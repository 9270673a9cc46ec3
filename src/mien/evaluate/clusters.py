"""How well photos are sorted by person: B-cubed precision and recall."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.engine import Engine
from mien.engine.albums import album_threshold
from mien.errors import InvalidArgument
from mien.evaluate.lists import read_faces
from mien.evaluate.templates import embed_files
from mien.match.clustering import cluster
from mien.models.progress import Progress, silent
from mien.types import Result

__all__ = ["ClustersReport", "b_cubed", "clusters"]

Labels = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class ClustersReport(Result):
    """Photos of known people, sorted without their names.

    Attributes:
        images: photos; undetected: those without a face, which are left out of the rates.
        people: in the list; clusters: that were made.
        precision: of a face's cluster, the part that is the face's person (mean over faces).
        recall: of a person's faces, the part that is in the face's cluster (mean over faces).
        f: harmonic mean of both.
        threshold: mean similarity from which faces were put together.
    """

    images: int
    undetected: tuple[str, ...]
    people: int
    clusters: int
    precision: float
    recall: float
    f: float
    threshold: float
    embedder: str
    detector: str

    def __str__(self) -> str:
        return (
            f"{self.images} images of {self.people} people in {self.clusters} clusters: "
            f"B-cubed precision {self.precision:.4f}, recall {self.recall:.4f}, F {self.f:.4f}"
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields by name; ``undetected`` as a count."""
        return {
            "images": self.images,
            "undetected": len(self.undetected),
            "people": self.people,
            "clusters": self.clusters,
            "precision": round(self.precision, 6),
            "recall": round(self.recall, 6),
            "f": round(self.f, 6),
            "threshold": round(self.threshold, 6),
            "embedder": self.embedder,
            "detector": self.detector,
        }


def clusters(
    engine: Engine,
    faces_csv: str | Path,
    root: str | Path,
    *,
    threshold: float | None = None,
    progress: Progress = silent,
) -> ClustersReport:
    """Sort the subjects' faces of a list by person and compare with the list.

    Args:
        engine: what detects and embeds.
        faces_csv: a list with the columns ``path,id``.
        root: folder that its paths are relative to.
        threshold: as for :meth:`mien.Engine.cluster`.
        progress: told how far it is.

    Raises:
        InvalidArgument: a list that cannot be used, or one without a detected face.
        ImageNotFound: files are missing.
        ModelError: a model cannot be had or run.
    """
    faces = read_faces(faces_csv)
    templates = embed_files(engine, faces.names, root, progress=progress)
    found = np.flatnonzero(templates.found)
    if not len(found):
        raise InvalidArgument(f"No face was found in any photo of {Path(faces_csv).name}.")
    chosen = album_threshold(engine, len(found)) if threshold is None else threshold
    labels = cluster(templates.vector[found], threshold=chosen)
    _, truth = np.unique(np.asarray(faces.identity)[found], return_inverse=True)
    precision, recall = b_cubed(labels, truth)
    return ClustersReport(
        images=len(faces),
        undetected=tuple(faces.names[i] for i in np.flatnonzero(~templates.found)),
        people=len(set(faces.identity)),
        clusters=int(labels.max()) + 1,
        precision=precision,
        recall=recall,
        f=2 * precision * recall / (precision + recall),
        threshold=chosen,
        embedder=engine.embedder.name,
        detector=engine.detector.name,
    )


def b_cubed(labels: Labels, truth: Labels) -> tuple[float, float]:
    """B-cubed precision and recall.

    Source: Amigó, Gonzalo, Artiles and Verdejo 2009, "A comparison of extrinsic clustering
    evaluation metrics based on formal constraints".

    Args:
        labels: ``(n,)`` the cluster of each face.
        truth: ``(n,)`` the person of each face.
    """
    shared = np.zeros((int(labels.max()) + 1, int(truth.max()) + 1))
    np.add.at(shared, (labels, truth), 1)
    of_cluster, of_person = shared.sum(axis=1), shared.sum(axis=0)
    both = shared[labels, truth]
    return float(np.mean(both / of_cluster[labels])), float(np.mean(both / of_person[truth]))
