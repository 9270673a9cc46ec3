"""Galleries of random faces, of any size and shape, with the truth beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.gallery import Gallery, GalleryLimits, Scoring
from mien.types import EmbeddingContract, Embeddings

__all__ = ["RandomGallery", "random_contract", "random_gallery", "unit_vectors"]


@dataclass(frozen=True, slots=True, eq=False)
class RandomGallery:
    """A gallery with one group, and what is in it.

    Attributes:
        gallery: open; close it.
        url: of the gallery.
        group: name of the group.
        contract: of its embeddings.
        names: ``n`` names, the person of each face.
        vectors: ``(n, d)`` float32, unit length.
        norms: ``(n,)`` float32.
    """

    gallery: Gallery
    url: str
    group: str
    contract: EmbeddingContract
    names: tuple[str, ...]
    vectors: NDArray[np.float32]
    norms: NDArray[np.float32]


def random_contract(dim: int = 128) -> EmbeddingContract:
    """A contract of no real model."""
    return EmbeddingContract("random", "0" * 64, 1, dim)


def unit_vectors(n: int, dim: int = 128, *, seed: int = 0) -> NDArray[np.float32]:
    """``(n, dim)`` float32 vectors of unit length, evenly spread, the same for a seed."""
    vectors = np.random.default_rng(seed).standard_normal((n, dim), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def random_gallery(
    place: Path | str,
    *,
    persons: int = 10,
    faces_per_person: int = 3,
    dim: int = 128,
    group: str = "people",
    scoring: Scoring = "max",
    seed: int = 0,
    limits: GalleryLimits | None = None,
) -> RandomGallery:
    """Make a gallery whose persons are ``person-00000``, ``person-00001``, ...

    Args:
        place: a folder for its SQLite file, or the URL of a gallery.
        persons: how many.
        faces_per_person: of each.
        dim: length of the vectors.
        group: name of the group.
        scoring: of the group.
        seed: of the vectors.
        limits: quotas.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     made = random_gallery(Path(folder), persons=2)
        ...     made.gallery.size("people")
        ...     made.gallery.close()
        6
    """
    url = place if isinstance(place, str) else f"sqlite:///{place / 'gallery.db'}"
    contract = random_contract(dim)
    vectors = unit_vectors(persons * faces_per_person, dim, seed=seed)
    norms = np.random.default_rng(seed).uniform(5, 15, len(vectors)).astype(np.float32)
    names = tuple(f"person-{i // faces_per_person:05}" for i in range(len(vectors)))
    gallery = Gallery.open(url, limits=limits)
    gallery.create_group(group, contract=contract, scoring=scoring)
    for start in range(0, len(vectors), faces_per_person or 1):
        own = slice(start, start + faces_per_person)
        gallery.add_faces(
            group,
            names[start],
            Embeddings(vectors[own], norms[own]),
            contract=contract,
            create_person=True,
        )
    return RandomGallery(gallery, url, group, contract, names, vectors, norms)
