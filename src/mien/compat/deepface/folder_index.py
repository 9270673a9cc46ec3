"""The faces of a folder's photos, level with the folder: what ``find`` searches."""

from __future__ import annotations

import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mien.compat.deepface import faces
from mien.compat.deepface.engines import Backend
from mien.compat.deepface.exceptions import EmptyDatasource, PathNotFound, UnimplementedError, error
from mien.compat.deepface.folder import Known, Stamp, images_of, read, sha256_of, write
from mien.compat.deepface.images import load
from mien.compat.deepface.options import Options
from mien.errors import FaceError, ImageError, InvalidArgument, NotFound

__all__ = ["FolderIndex", "folder_index"]

_LOG = logging.getLogger("mien.compat.deepface")

SAVED_EVERY = 500
"""Photos that are embedded before they are written down."""

KEPT = 8
"""Folders that are kept in memory; the least lately searched makes room."""


@dataclass(frozen=True, slots=True, eq=False)
class _Embedded:
    """The faces of one photo."""

    embedding: faces.Vectors
    area: list[tuple[int, int, int, int]]


class FolderIndex:
    """One folder, embedded in one way. Safe to use from several threads.

    Args:
        folder: with the photos.
        backend, options: how they are embedded.
    """

    def __init__(self, folder: str, backend: Backend, options: Options) -> None:
        self.folder = folder
        self._backend = backend
        self._options = options
        self._known: Known | None = None
        self._lock = threading.Lock()

    def known(self, *, refresh: bool) -> Known:
        """What the folder holds; without ``refresh``, what was known of it last.

        Raises:
            NotFound: nothing is known, or the folder has no photos; also ``EmptyDatasource``.
            ModelError: a model cannot be had or run.
        """
        with self._lock:
            dim = self._backend.dim
            known = self._known or read(self._file, self._key, dim) or Known.nothing(dim)
            if refresh:
                known = self._refreshed(known)
            self._known = known
        if not known.photos:
            name = os.path.basename(os.path.normpath(self.folder))  # noqa: PTH119
            raise error(NotFound, EmptyDatasource, f"No item found in {name!r}: it has no photos.")
        return known

    @property
    def _key(self) -> dict[str, Any]:
        options = self._options
        return {
            "contract": str(self._backend.engine.embedder.contract),
            "detector": self._backend.detector,
            "align": options.align,
            "expand_percentage": options.expand_percentage,
            "normalization": options.normalization,
            "enforce_detection": options.enforce_detection,
        }

    @property
    def _file(self) -> Path:
        options = self._options
        parts = [
            "mien_ds_model",
            self._backend.recogniser,
            "detector",
            self._backend.detector,
            "aligned" if options.align else "unaligned",
            "normalization",
            (options.normalization or "own").lower(),
            "expand",
            str(options.expand_percentage),
            *([] if options.enforce_detection else ["unenforced"]),
        ]
        return Path(self.folder, "_".join(parts) + ".npz")

    def _refreshed(self, known: Known) -> Known:
        """``known`` brought level with the folder, and written down."""
        present = dict(images_of(self.folder))
        if present == {path: stamp for path, (stamp, _) in known.photos.items()}:
            return known
        hashes = self._hashes(present, known)
        places = known.faces_by_photo()
        known_by_hash = {sha256: path for path, (_, sha256) in known.photos.items()}
        found = {
            path: _faces_at(known, places[known_by_hash[sha256]])
            for path, sha256 in hashes.items()
            if sha256 in known_by_hash
        }
        waiting = [path for path in hashes if path not in found]
        _LOG.info("%d of %d photos are new or changed.", len(waiting), len(hashes))
        result = _joined(present, hashes, found, self._backend.dim)
        if result.photos == known.photos and not waiting:  # only what cannot be read is different
            return known
        for start in range(0, len(waiting), SAVED_EVERY):
            part = waiting[start : start + SAVED_EVERY]
            found |= dict(zip(part, self._embedded(part), strict=True))
            result = _joined(present, hashes, found, self._backend.dim)
            if len(waiting) > start + SAVED_EVERY:
                write(self._file, self._key, result)
        if not write(self._file, self._key, result):
            _LOG.warning("The folder cannot be written to: its index is kept in memory only.")
        return result

    def _hashes(self, present: dict[str, Stamp], known: Known) -> dict[str, str]:
        """SHA-256 of every photo; those whose stamp is as it was are not read."""
        hashes: dict[str, str] = {}
        for path, stamp in present.items():
            before = known.photos.get(path)
            if before is not None and before[0] == stamp:
                hashes[path] = before[1]
            elif sha256 := sha256_of(os.path.join(self.folder, path)):  # noqa: PTH118
                hashes[path] = sha256
        return hashes

    def _embedded(self, paths: Sequence[str]) -> list[_Embedded]:
        return self._backend.engine.map(self._embed_one, paths)

    def _embed_one(self, path: str) -> _Embedded:
        try:
            photo = load(Path(self.folder, path), self._backend.engine)
            seen = faces.look(self._backend, photo, self._options, on_spoof="ignore")
            vectors = faces.embed(self._backend, photo, seen, self._options)
        except (ImageError, FaceError, InvalidArgument) as caught:
            _LOG.warning("%s is left out: %s", os.path.basename(path), caught)  # noqa: PTH119
            return _Embedded(np.zeros((0, self._backend.dim), np.float32), [])
        areas = [tuple(one.area[side] for side in ("x", "y", "w", "h")) for one in seen]
        return _Embedded(vectors, areas)


def _faces_at(known: Known, places: np.ndarray[Any, np.dtype[np.intp]]) -> _Embedded:
    area = [tuple(row) for row in known.area[places].tolist()]
    return _Embedded(known.embedding[places], area)


def _joined(
    present: dict[str, Stamp], hashes: dict[str, str], found: dict[str, _Embedded], dim: int
) -> Known:
    """The photos that have been looked at, and their faces."""
    photos = {path: (present[path], hashes[path]) for path in hashes if path in found}
    if not photos:
        return Known.nothing(dim)
    counts = [len(found[path].area) for path in photos]
    return Known(
        photos,
        np.repeat(np.arange(len(photos), dtype=np.int64), counts),
        np.concatenate([found[path].embedding for path in photos]),
        np.array([row for path in photos for row in found[path].area], np.int64).reshape(-1, 4),
    )


_KEPT: OrderedDict[tuple[object, ...], FolderIndex] = OrderedDict()
_KEPT_LOCK = threading.Lock()


def folder_index(folder: Any, backend: Backend, options: Options) -> FolderIndex:  # noqa: ANN401
    """The index of a folder for this way of embedding; the same one while it is kept.

    Raises:
        NotFound: no such folder; also ``PathNotFound``.
        InvalidArgument: a place that is no folder here; also ``UnimplementedError``.
    """
    path = os.fspath(folder)
    if isinstance(path, str) and path.lower().startswith(("s3://", "ftp://")):
        raise error(
            InvalidArgument,
            UnimplementedError,
            "db_path must be a folder of this machine: fetch the photos first.",
        )
    if not isinstance(path, str) or not os.path.isdir(path):  # noqa: PTH112
        raise error(NotFound, PathNotFound, "db_path is no folder that can be read.")
    key = (os.path.realpath(path), backend.engine, backend.detector, backend.recogniser, options)
    with _KEPT_LOCK:
        index = _KEPT.pop(key, None) or FolderIndex(path, backend, options)
        _KEPT[key] = index
        while len(_KEPT) > KEPT:
            _KEPT.popitem(last=False)
    return index
