"""Likeness: what does not fit in a group. Faces unlike their person, persons like each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mien.match.calibration import Calibration
from mien.match.clustering import cluster
from mien.types import Embeddings, Result

if TYPE_CHECKING:
    from mien.gallery.gallery import Gallery
    from mien.gallery.model import Person

__all__ = ["GroupAudit", "LookAlikes", "Outlier", "audit_group", "limits_of", "suggest_persons"]

UNLIKE_FMR = 1e-2
ALIKE_FPIR = 1e-2
_PAGE = 200
_NEAREST = 3  # the person, and two others


@dataclass(frozen=True, slots=True)
class Outlier(Result):
    """A face that does not look like the person it is enrolled for.

    Attributes:
        face_id, person, person_id: which face, and whose it is said to be.
        similarity: to the person's other faces, the mean.
        like: name of the person that it is most like, where that is another one, or None.
        like_similarity: to that person's nearest face, or None.
    """

    face_id: str
    person: str
    person_id: str
    similarity: float
    like: str | None
    like_similarity: float | None

    def to_dict(self) -> dict[str, Any]:
        """The fields by name."""
        near = self.like_similarity
        return {
            "face_id": self.face_id,
            "person": self.person,
            "person_id": self.person_id,
            "similarity": round(self.similarity, 6),
            "like": self.like,
            "like_similarity": None if near is None else round(near, 6),
        }


@dataclass(frozen=True, slots=True)
class LookAlikes(Result):
    """Two persons with faces that are as alike as one person's: perhaps they are one.

    Attributes:
        a, b: names; a_id, b_id: ids, the smaller first.
        similarity: of the two faces that are most alike.
    """

    a: str
    a_id: str
    b: str
    b_id: str
    similarity: float

    def to_dict(self) -> dict[str, Any]:
        """The fields by name."""
        return {
            "a": self.a,
            "a_id": self.a_id,
            "b": self.b,
            "b_id": self.b_id,
            "similarity": round(self.similarity, 6),
        }


@dataclass(frozen=True, slots=True)
class GroupAudit(Result):
    """What somebody should look at in a group.

    Attributes:
        group: its name; persons, faces: how many were looked at.
        outliers: the least like their person first.
        look_alikes: the most alike first.
        unlike: mean similarity below which a face is an outlier.
        alike: similarity from which two persons are named.
    """

    group: str
    persons: int
    faces: int
    outliers: tuple[Outlier, ...]
    look_alikes: tuple[LookAlikes, ...]
    unlike: float
    alike: float

    def __str__(self) -> str:
        return (
            f"{self.group}: {self.persons} person(s), {self.faces} face(s): "
            f"{len(self.outliers)} unlike their person, {len(self.look_alikes)} pair(s) of "
            "persons alike"
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields by name."""
        return {
            "group": self.group,
            "persons": self.persons,
            "faces": self.faces,
            "outliers": [one.to_dict() for one in self.outliers],
            "look_alikes": [one.to_dict() for one in self.look_alikes],
            "unlike": round(self.unlike, 6),
            "alike": round(self.alike, 6),
        }


def limits_of(calibration: Calibration, faces: int) -> tuple[float, float]:
    """``unlike`` and ``alike`` of :func:`audit_group` for a group of so many faces.

    Unlike: what one pair of strangers in a hundred reaches. Alike: what identification demands in
    this group by default.
    """
    alike = calibration.identification_threshold(ALIKE_FPIR, faces).similarity
    return calibration.threshold(UNLIKE_FMR).similarity, alike


def audit_group(gallery: Gallery, group: str, *, unlike: float, alike: float) -> GroupAudit:
    """Compare every face with its person's other faces and with everybody else's.

    Args:
        gallery, group: what to look at.
        unlike: mean similarity to the person's other faces below which a face is an outlier.
            A face is one also where another person's face is nearer than any of its own person's
            and reaches ``alike``.
        alike: similarity of two persons' nearest faces from which they are named.

    Raises:
        NotFound: no such group.
    """
    contract = gallery.group(group).contract
    outliers: list[Outlier] = []
    pairs: dict[tuple[str, str], LookAlikes] = {}
    persons = faces = 0
    for members, known in _pages(gallery, group):
        persons += len(members)
        for person in members:
            if person.id not in known:
                continue
            face_ids, own = known[person.id]
            faces += len(face_ids)
            hits = gallery.search(group, own.vector, k=_NEAREST, contract=contract)
            mean, nearest = _among_own(own.vector)
            for i, face_id in enumerate(face_ids):
                others = [hit for hit in hits[i] if hit.person_id != person.id]
                best = others[0] if others else None
                for hit in others:
                    if hit.similarity >= alike:
                        _remember(pairs, person, hit.person, hit.person_id, hit.similarity)
                nearer = best is not None and best.similarity >= max(alike, nearest[i])
                if len(face_ids) > 1 and (mean[i] < unlike or nearer):
                    like = best if nearer else None
                    outliers.append(
                        Outlier(
                            face_id,
                            person.name,
                            person.id,
                            float(mean[i]),
                            None if like is None else like.person,
                            None if like is None else like.similarity,
                        )
                    )
    return GroupAudit(
        group=group,
        persons=persons,
        faces=faces,
        outliers=tuple(sorted(outliers, key=lambda one: one.similarity)),
        look_alikes=tuple(sorted(pairs.values(), key=lambda one: -one.similarity)),
        unlike=unlike,
        alike=alike,
    )


def suggest_persons(gallery: Gallery, group: str, *, threshold: float) -> list[list[str]]:
    """Which unnamed persons of a group are one: faces that were registered without a person.

    Two faces of one photo are never put together.

    Args:
        gallery, group: what to look at.
        threshold: see :func:`mien.match.clustering.cluster`.

    Returns:
        Ids of anonymous persons that belong together, the largest set first; each can be made one
        person by :meth:`mien.gallery.Gallery.merge_persons`.

    Raises:
        NotFound: no such group.
    """
    owners: list[str] = []
    photos: list[str] = []
    parts: list[NDArray[np.float32]] = []
    for members, known in _pages(gallery, group, anonymous=True):
        for person in members:
            if person.id not in known:
                continue
            stored, own = gallery.embeddings(group, person.id)
            owners += [person.id] * len(stored)
            photos += [face.source_sha256 or face.id for face in stored]
            parts.append(own.vector)
    if not parts:
        return []
    numbers = {photo: i for i, photo in enumerate(dict.fromkeys(photos))}
    labels = cluster(
        np.concatenate(parts), threshold=threshold, photos=[numbers[photo] for photo in photos]
    )
    sets: dict[int, dict[str, None]] = {}
    for owner, label in zip(owners, labels.tolist(), strict=True):
        sets.setdefault(label, {})[owner] = None
    found = [list(one) for _, one in sorted(sets.items()) if len(one) > 1]
    return sorted(found, key=len, reverse=True)


def _pages(
    gallery: Gallery, group: str, *, anonymous: bool = False
) -> Iterator[tuple[list[Person], dict[str, tuple[list[str], Embeddings]]]]:
    """Persons of a group, some at a time, with their faces."""
    after = None
    while True:
        members = gallery.persons(group, after=after, limit=_PAGE, anonymous=anonymous)
        if not members:
            return
        yield members, gallery.faces_of(group, [person.id for person in members])
        after = members[-1].name


def _among_own(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and highest similarity of each face to the others of its person."""
    count = len(vectors)
    if count < 2:
        return np.ones(count, np.float32), np.ones(count, np.float32)
    alike = vectors @ vectors.T
    mean = (alike.sum(axis=1) - np.diagonal(alike)) / (count - 1)
    np.fill_diagonal(alike, -1.0)
    return mean.astype(np.float32), alike.max(axis=1)


def _remember(
    pairs: dict[tuple[str, str], LookAlikes],
    person: Person,
    name: str,
    person_id: str,
    similarity: float,
) -> None:
    (a_id, a), (b_id, b) = sorted([(person.id, person.name), (person_id, name)])
    known = pairs.get((a_id, b_id))
    if known is None or known.similarity < similarity:
        pairs[a_id, b_id] = LookAlikes(a, a_id, b, b_id, similarity)
