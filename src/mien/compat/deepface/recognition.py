"""find: whose photo is it, among the photos of a folder?"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.compat.deepface import faces
from mien.compat.deepface.distances import DistanceMetric, find_distance
from mien.compat.deepface.engines import backend
from mien.compat.deepface.exceptions import InvalidEmbeddingsShapeError, UnimplementedError, error
from mien.compat.deepface.folder import Known
from mien.compat.deepface.folder_index import folder_index
from mien.compat.deepface.frames import Rows, answer, resolve_return_type
from mien.compat.deepface.images import load
from mien.compat.deepface.options import Options
from mien.compat.deepface.surface import public
from mien.compat.deepface.thresholds import Decision, decide
from mien.errors import InvalidArgument

__all__ = ["check_k", "find"]

COLUMNS = (
    "identity",
    "hash",
    *(f"target_{side}" for side in "xywh"),
    *(f"source_{side}" for side in "xywh"),
    "threshold",
    "distance",
    "confidence",
)
DATASTORE_FORMATS = ("npz", "feather", "parquet")


@public("model", "prog_bar", "batched", "credentials", "target_size")
def find(
    img_path: Any,  # noqa: ANN401 - see mien.compat.deepface.images.load
    db_path: Any,  # noqa: ANN401
    model_name: str | None = None,
    distance_metric: DistanceMetric = "cosine",
    enforce_detection: bool = True,
    detector_backend: str | None = None,
    align: bool = True,
    similarity_search: bool = False,
    k: int | None = None,
    expand_percentage: int = 0,
    threshold: float | None = None,
    normalization: str | None = None,
    silent: bool = False,
    refresh_database: bool = True,
    anti_spoofing: bool = False,
    datastore_format: str = "npz",
    return_type: str | None = None,
) -> list[Any]:
    """The photos of a folder that show the persons of a photo.

    The folder's faces are embedded once and kept, in memory and beside the photos; every call
    looks which photos are new, changed or gone.

    Args:
        img_path: an image.
        db_path: a folder of photos; those in folders below count too.
        model_name, enforce_detection, detector_backend, align, expand_percentage, normalization,
            anti_spoofing, silent: see :func:`mien.compat.deepface.verify`.
        distance_metric: as for ``verify``. A function gets two embeddings; with
            ``return_type="dict"`` it gets all of the folder ``(n, d)`` and of the photo
            ``(m, d)`` at once and answers ``(m, n)``.
        similarity_search: list who looks most alike, whether within the threshold or not.
        k: so many at most.
        threshold: the largest distance of one person; None: the model's.
        refresh_database: False: the folder is taken as it was last seen.
        datastore_format: accepted; the index is an ``.npz`` file.
        return_type: ``pandas`` or ``dict``; None: ``pandas`` where it is installed.

    Returns:
        For each face of the photo, largest first, a DataFrame or a list of dicts, closest first:
        ``identity`` (path of the folder's photo), ``hash`` (SHA-256 of its content),
        ``target_x/y/w/h`` (the face in it), ``source_x/y/w/h`` (the face in ``img_path``),
        ``threshold``, ``distance``, ``confidence``.

    Raises:
        NotFound: no such folder (``PathNotFound``), or no photos in it (``EmptyDatasource``).
        NoFaceFound, ImageError, InvalidArgument, ModelError: as for ``verify``.

    Example:
        >>> DeepFace.find("a.jpg", "people", return_type="dict")[0][0]["identity"]  # doctest: +SKIP
        'people/anna/1.jpg'
    """
    shape = resolve_return_type(return_type)
    check_k(k)
    if datastore_format not in DATASTORE_FORMATS:
        raise error(
            InvalidArgument,
            UnimplementedError,
            f"Unsupported datastore_format {datastore_format!r}. "
            f"Options: {', '.join(DATASTORE_FORMATS)}.",
        )
    options = Options(
        model_name=model_name,
        detector_backend=detector_backend,
        enforce_detection=enforce_detection,
        align=align,
        expand_percentage=expand_percentage,
        normalization=normalization,
        anti_spoofing=anti_spoofing,
    )
    chosen = backend(options)
    decision = decide(chosen, options, distance_metric, threshold)
    photo = load(img_path, chosen.engine)
    known = folder_index(db_path, chosen, options).known(refresh=refresh_database)
    seen = faces.look(chosen, photo, options)
    probes = faces.embed(chosen, photo, seen, options)
    distances = _distances(known, probes, distance_metric, pairwise=shape == "pandas")
    hits = (_hits(row, decision, k, everybody=similarity_search) for row in distances)
    rows = [
        _rows(known, os.fspath(db_path), one, row, places, decision)
        for one, row, places in zip(seen, distances, hits, strict=True)
    ]
    return answer(rows, shape, COLUMNS)


def check_k(k: object) -> None:
    """Refuse a ``k`` that is no number of rows.

    Raises:
        InvalidArgument: not None and not a whole number from 1.
    """
    if k is not None and (isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1):
        raise InvalidArgument("k is a whole number, at least 1, or None.")


def _distances(
    known: Known, probes: NDArray[np.float32], metric: DistanceMetric, *, pairwise: bool
) -> NDArray[np.float64]:
    """``(m, n)``: of each probe from each face of the folder."""
    shape = (len(probes), len(known))
    if not len(known):
        return np.zeros(shape)
    if isinstance(metric, str) or not pairwise:
        found = np.asarray(find_distance(known.embedding, probes, metric), np.float64)
    else:
        found = np.array(
            [
                [
                    np.asarray(metric(face, probe), np.float64).reshape(-1)[:1]
                    for face in known.embedding
                ]
                for probe in probes
            ]
        ).reshape(shape)
    if found.shape != shape:
        raise error(
            InvalidArgument,
            InvalidEmbeddingsShapeError,
            f"The distance_metric must answer {shape} distances, not {found.shape}.",
        )
    return found


def _hits(
    distances: NDArray[np.float64], decision: Decision, k: int | None, *, everybody: bool
) -> list[int]:
    """The places of the faces that are alike enough, closest first."""
    order = np.argsort(distances, kind="stable")
    if not everybody:
        order = order[distances[order] <= decision.threshold]
    places: list[int] = order[:k].tolist()
    return places


def _rows(
    known: Known,
    folder: str,
    one: faces.SeenFace,
    distances: NDArray[np.float64],
    places: list[int],
    decision: Decision,
) -> Rows:
    """What ``find`` says of the faces at these places."""
    photos = list(known.photos.items())
    source = {f"source_{side}": one.area[side] for side in "xywh"}
    rows: Rows = []
    for place in places:
        path, (_, sha256) = photos[int(known.owner[place])]
        distance = float(distances[place])
        rows.append(
            {
                "identity": os.path.join(folder, path),  # noqa: PTH118
                "hash": sha256,
                **dict(zip(COLUMNS[2:6], known.area[place].tolist(), strict=True)),
                **source,
                "threshold": decision.threshold,
                "distance": distance,
                "confidence": decision.confidence(distance),
            }
        )
    return rows
