"""Sample photos of three people, for demonstrations and tests, from pinned package archives.

They are fetched as model files are (cache, mirror, offline) and never shipped with Mien. The
portraits come from the source archive of the ``face_recognition`` package (official portraits of
two presidents of the United States), the astronaut from a wheel of scikit-image (NASA).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mien.config import Settings
from mien.models.card import ArchiveSource
from mien.models.sample_sources import PARTIAL, SAMPLES
from mien.models.store import ModelStore

__all__ = ["partial_photos", "sample_photos"]


def sample_photos(source: ModelStore | Settings) -> dict[str, tuple[Path, ...]]:
    """Photos by person: whole faces, one a photo.

    Args:
        source: a store, or the settings of one.

    Raises:
        ModelUnavailable, ChecksumMismatch: they cannot be had.
    """
    return _fetch(source, SAMPLES)


def partial_photos(source: ModelStore | Settings) -> dict[str, tuple[Path, ...]]:
    """Photos by person of which a part of the face is cut off; raises as above."""
    return _fetch(source, PARTIAL)


def _fetch(
    source: ModelStore | Settings, photos: Mapping[str, tuple[ArchiveSource, ...]]
) -> dict[str, tuple[Path, ...]]:
    store = source if isinstance(source, ModelStore) else ModelStore(source)
    return {
        person: tuple(store.fetch([photo]) for photo in files) for person, files in photos.items()
    }
