"""Searching a gallery for what is in it: everybody must find themselves first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mien.gallery.gallery import Gallery
from mien.gallery.model import Group, StoredFace
from mien.gallery.records.vectors import mean_template
from mien.types import Embeddings

__all__ = ["self_searches"]

_PAGE = 1000
_UNIT = 1e-3  # nobody searches for another one
_TWIN = 1e-4  # whoever is so near to the probe has the same photo, or a copy of the template


def self_searches(gallery: Gallery, group: Group, *, count: int) -> tuple[int, int]:
    """Search for stored templates, and count those that find somebody else first.

    Args:
        gallery: the application's view.
        group: where; of one that scores by the mean, persons' mean templates are searched for.
        count: how many templates, evenly from all.

    Returns:
        How many were searched for, and how many of them found another person first.
    """
    tried = lost = 0
    for faces in _pages(gallery, group, count):
        templates = gallery.faces_of(group.name, {face.person_id for face in faces})
        probes = [(face.person_id, _probe(face, group, templates)) for face in faces]
        known = [(person, probe) for person, probe in probes if probe is not None]
        if not known:
            continue
        vectors = np.stack([probe for _, probe in known])
        found = gallery.search(group.name, vectors, k=1, contract=group.contract)
        for (person, _), hits in zip(known, found, strict=True):
            tried += 1
            if not hits or (hits[0].person_id != person and hits[0].similarity < 1 - _TWIN):
                lost += 1
    return tried, lost


def _pages(gallery: Gallery, group: Group, count: int) -> Iterator[list[StoredFace]]:
    """Some faces of each page of the group's, evenly from all."""
    step = max(1, group.faces // count) if count else 0
    after, number = None, 0
    while step and (page := gallery.faces(group.name, after=after, limit=_PAGE)):
        yield [face for i, face in enumerate(page, number) if i % step == 0 and i < step * count]
        after, number = page[-1].id, number + len(page)


def _probe(
    face: StoredFace, group: Group, templates: dict[str, tuple[list[str], Embeddings]]
) -> NDArray[np.float32] | None:
    """The template to search for; None where it was deleted meanwhile, or is none."""
    ids, own = templates.get(face.person_id, ([], None))
    if own is None or face.id not in ids:
        return None
    found = mean_template(own).vector[0] if group.scoring == "mean" else None
    probe = np.asarray(own.vector[ids.index(face.id)] if found is None else found, np.float32)
    return probe if abs(float(np.linalg.norm(probe)) - 1) <= _UNIT else None
