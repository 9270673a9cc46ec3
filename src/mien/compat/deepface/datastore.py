"""register, search, identify, build_index: DeepFace's database functions over a Mien gallery.

Each way of embedding has its own group, ``deepface.MODEL.DETECTOR.aligned``. An image's name is
its person's name, so a group that was filled here can be searched with ``mien identify`` too.
"""

from __future__ import annotations

import logging
import os
import time
import uuid
from typing import Any

import numpy as np

from mien.compat.deepface import faces
from mien.compat.deepface.connections import opened
from mien.compat.deepface.distances import find_distance
from mien.compat.deepface.engines import Backend, backend
from mien.compat.deepface.exceptions import DuplicateEntryError, UnimplementedError, error
from mien.compat.deepface.frames import answer, resolve_return_type
from mien.compat.deepface.groups import Searcher, contract_of, group_name, registered
from mien.compat.deepface.images import load, split
from mien.compat.deepface.options import Options
from mien.compat.deepface.recognition import check_k
from mien.compat.deepface.surface import public
from mien.compat.deepface.thresholds import decide
from mien.compat.deepface.verification import verdict
from mien.errors import AlreadyExists, InvalidArgument
from mien.gallery import Gallery
from mien.image import Photo
from mien.types import Embeddings

__all__ = ["build_index", "identify", "register", "search"]

COLUMNS = (
    "id",
    "img_name",
    "model_name",
    "detector_backend",
    "aligned",
    "l2_normalized",
    "search_method",
    *(f"target_{side}" for side in "xywh"),
    "threshold",
    "distance_metric",
    "distance",
    "confidence",
)
_LOG = logging.getLogger("mien.compat.deepface")

SEARCH_METHODS = ("exact", "ann")


@public("model")
def register(
    img: Any,  # noqa: ANN401 - see mien.compat.deepface.images.load
    img_name: str | None = None,
    model_name: str | None = None,
    detector_backend: str | None = None,
    enforce_detection: bool = True,
    align: bool = True,
    l2_normalize: bool = False,
    expand_percentage: int = 0,
    normalization: str | None = None,
    anti_spoofing: bool = False,
    database_type: str = "sqlite",
    connection_details: Any = None,  # noqa: ANN401
    connection: Gallery | None = None,
) -> dict[str, Any]:
    """Store the faces of one image or several in a gallery.

    Args:
        img: an image, or several: a list, a tuple or an array ``(n, H, W, 3)``.
        img_name: what to call them; None: an image's path, or a number that nobody has.
        model_name, detector_backend, enforce_detection, align, expand_percentage, normalization,
            anti_spoofing: see :func:`mien.compat.deepface.verify`.
        l2_normalize: accepted; the gallery keeps directions and lengths apart.
        database_type: ``sqlite`` or ``mien``.
        connection_details: path or URL of the gallery; None: ``DEEPFACE_SQLITE_PATH``, or the
            settings' own gallery.
        connection: an open :class:`mien.Gallery`; it stays open.

    Returns:
        ``{"inserted": n}``.

    Raises:
        AlreadyExists: of several images, one is registered already (also
            ``DuplicateEntryError``); those before it stay, ``details["inserted"]`` says how many
            faces that are. A single one is passed over: ``{"inserted": 0}``.
        GalleryError, NoFaceFound, ImageError, InvalidArgument, ModelError: as for ``verify``.
    """
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
    images, _ = split(img)
    prepared = [_prepared(chosen, options, image, img_name) for image in images]
    contract = contract_of(chosen, options)
    inserted = 0
    with opened(chosen, database_type, connection_details, connection, create=True) as gallery:
        gallery.ensure_group(group_name(chosen, options), contract=contract)
        for number, (name, photo, seen, embeddings) in enumerate(prepared, start=1):
            try:
                added = gallery.add_faces(
                    group_name(chosen, options),
                    name,
                    embeddings,
                    contract=contract,
                    source_sha256=photo.sha256,
                    boxes=[one.face.box for one in seen],
                    create_person=True,
                )
            except AlreadyExists:
                if len(prepared) == 1:
                    _LOG.warning("The image is registered under this name already.")
                    return {"inserted": 0}
                raise error(
                    AlreadyExists,
                    DuplicateEntryError,
                    f"Image {number} is registered under this name already: leave it out.",
                    {"image": number, "inserted": inserted},
                ) from None
            inserted += len(added)
    return {"inserted": inserted}


@public("model")
def search(
    img: Any,  # noqa: ANN401
    model_name: str | None = None,
    detector_backend: str | None = None,
    distance_metric: str = "cosine",
    enforce_detection: bool = True,
    align: bool = True,
    l2_normalize: bool = False,
    expand_percentage: int = 0,
    normalization: str | None = None,
    anti_spoofing: bool = False,
    similarity_search: bool = False,
    k: int | None = None,
    database_type: str = "sqlite",
    connection_details: Any = None,  # noqa: ANN401
    connection: Gallery | None = None,
    search_method: str = "exact",
    return_type: str | None = None,
) -> list[Any]:
    """The registered faces that are like the faces of one image or several.

    Args:
        img, model_name, detector_backend, enforce_detection, align, expand_percentage,
            normalization, anti_spoofing, database_type, connection_details, connection: as for
            :func:`register`.
        distance_metric: as for ``verify``, but no function.
        l2_normalize: ``euclidean`` is ``euclidean_l2`` then.
        similarity_search: list who looks most alike, whether within the threshold or not.
        k: so many at most.
        search_method: ``exact`` or ``ann``; both are exact.
        return_type: ``pandas`` or ``dict``; None: ``pandas`` where it is installed.

    Returns:
        For each face a DataFrame or a list of dicts, closest first: ``id``, ``img_name``,
        ``model_name``, ``detector_backend``, ``aligned``, ``l2_normalized``, ``search_method``,
        ``target_x/y/w/h`` (the registered face in its image), ``threshold``,
        ``distance_metric``, ``distance``, ``confidence``.

    Raises:
        NotFound: nothing is registered for these models; also ``EmptyDatasource``.
        GalleryError, NoFaceFound, ImageError, InvalidArgument, ModelError: as for ``verify``.
    """
    shape = resolve_return_type(return_type)
    check_k(k)
    if search_method not in SEARCH_METHODS:
        raise error(
            InvalidArgument, UnimplementedError, f"Unsupported search method: {search_method!r}"
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
    decision = decide(chosen, options, _metric(distance_metric, l2_normalize))
    facts = {
        "model_name": chosen.model_name,
        "detector_backend": chosen.detector_backend,
        "aligned": options.align,
        "l2_normalized": bool(l2_normalize),
        "search_method": search_method,
    }
    images, _ = split(img)
    with opened(chosen, database_type, connection_details, connection) as gallery:
        searcher = Searcher(gallery, chosen, options, decision)
        rows = [
            searcher.rows(vector, facts, None if similarity_search else decision.threshold, k)
            for image in images
            for vector in _vectors(chosen, options, image)
        ]
    return answer(rows, shape, COLUMNS)


@public("model")
def identify(
    img: Any,  # noqa: ANN401
    identity_id: str,
    model_name: str | None = None,
    detector_backend: str | None = None,
    distance_metric: str = "cosine",
    enforce_detection: bool = True,
    align: bool = True,
    l2_normalize: bool = False,
    expand_percentage: int = 0,
    normalization: str | None = None,
    anti_spoofing: bool = False,
    database_type: str = "sqlite",
    connection_details: Any = None,  # noqa: ANN401
    connection: Gallery | None = None,
) -> dict[str, Any]:
    """Is a face of the image the registered one of that id?

    Args:
        img: one image; of several faces the closest decides.
        identity_id: as :func:`search` gives it in ``id``.
        model_name, detector_backend, distance_metric, enforce_detection, align, l2_normalize,
            expand_percentage, normalization, anti_spoofing, database_type, connection_details,
            connection: as for :func:`search`.

    Returns:
        What ``verify`` returns, with ``id`` and ``img_name``; ``facial_areas["img2"]`` is None.

    Raises:
        NotFound: no such face among those of these models.
        GalleryError, NoFaceFound, ImageError, InvalidArgument, ModelError: as for ``verify``.
    """
    begin = time.perf_counter()
    images, _ = split(img)
    if len(images) != 1:
        raise InvalidArgument(
            f"identify function expects a single image, but {len(images)} images are given. "
            "Call it once for each image."
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
    metric = _metric(distance_metric, l2_normalize)
    decision = decide(chosen, options, metric)
    with opened(chosen, database_type, connection_details, connection) as gallery:
        face, enrolled = registered(gallery, group_name(chosen, options), identity_id)
    photo = load(images[0], chosen.engine)
    seen = faces.look(chosen, photo, options)
    distances = find_distance(enrolled[None], faces.embed(chosen, photo, seen, options), metric)
    best = int(np.argmin(distances[:, 0]))
    return {
        **verdict(decision, float(distances[best, 0])),
        "id": face.id,
        "img_name": face.person,
        "facial_areas": {"img1": seen[best].area, "img2": None},
        "time": round(time.perf_counter() - begin, 2),
    }


@public("model")
def build_index(
    model_name: str | None = None,
    detector_backend: str | None = None,
    align: bool = True,
    l2_normalize: bool = False,
    database_type: str = "sqlite",
    connection: Gallery | None = None,
    connection_details: Any = None,  # noqa: ANN401
    max_neighbors_per_node: int = 32,
) -> None:
    """Load the registered faces into the search index of ``connection``, and check them.

    Mien keeps the index level by itself: there is nothing to build. Without a ``connection`` the
    call only says whether there is something to search.

    Args:
        model_name, detector_backend, align, l2_normalize, database_type, connection,
            connection_details: as for :func:`search`.
        max_neighbors_per_node: accepted; the index is exact.

    Raises:
        NotFound: nothing is registered for these models; also ``EmptyDatasource``.
        GalleryError, InvalidArgument, ModelError: as for ``verify``.
    """
    options = Options(model_name=model_name, detector_backend=detector_backend, align=align)
    chosen = backend(options)
    with opened(chosen, database_type, connection_details, connection) as gallery:
        searcher = Searcher(gallery, chosen, options, decide(chosen, options, "cosine"))
        searcher.nearest(np.eye(1, chosen.dim, dtype=np.float32)[0], 1)


def _metric(metric: str, l2_normalize: bool) -> str:
    if not isinstance(metric, str):
        raise InvalidArgument("distance_metric is the name of a metric here.")
    return "euclidean_l2" if l2_normalize and metric == "euclidean" else metric


def _prepared(
    chosen: Backend,
    options: Options,
    image: Any,  # noqa: ANN401
    img_name: str | None,
) -> tuple[str, Photo, list[faces.SeenFace], Embeddings]:
    photo = load(image, chosen.engine)
    seen = faces.look(chosen, photo, options)
    vectors = faces.embed(chosen, photo, seen, options)
    unit = faces.unit_length(vectors).astype(np.float32)
    norm = np.linalg.norm(vectors, axis=1).astype(np.float32)
    return img_name or _name_of(image), photo, seen, Embeddings(unit, norm)


def _name_of(image: Any) -> str:  # noqa: ANN401
    """The image's path, if that can be a name."""
    if isinstance(image, str | os.PathLike):
        path = os.fspath(image)
        fits = isinstance(path, str) and 0 < len(path) <= 255 and path.isprintable()
        if fits and path == path.strip() and "://" not in path and not path.startswith("data:"):
            return path
    return str(uuid.uuid4())


def _vectors(chosen: Backend, options: Options, image: Any) -> list[Any]:  # noqa: ANN401
    photo = load(image, chosen.engine)
    seen = faces.look(chosen, photo, options)
    return [*faces.embed(chosen, photo, seen, options)]
