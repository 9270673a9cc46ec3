"""Rows of faces: registering, listing, deleting."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa

from mien.errors import AlreadyExists, NotFound
from mien.gallery.model import GalleryLimits, StoredFace
from mien.gallery.policy import FaceImage
from mien.gallery.records import images
from mien.gallery.records.changes import announce
from mien.gallery.records.groups import GroupRow
from mien.gallery.records.persons import PersonRow
from mien.gallery.records.schema import faces, groups, members, persons
from mien.gallery.records.sealing import open_vectors, seal_vectors
from mien.types import Box, Embeddings

__all__ = [
    "FaceFacts",
    "FaceRow",
    "Source",
    "add",
    "box_of",
    "by_id",
    "delete",
    "find",
    "groups_with",
    "new_ids",
    "page",
    "same_face",
    "source_key",
    "templates",
    "update",
]

_SAME_FACE_IOU = 0.5  # one person has one face in a photo; detectors differ by a few pixels


@dataclass(frozen=True, slots=True)
class FaceFacts:
    """What the caller keeps with a face."""

    external_image_id: str | None = None
    user_data: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Where faces come from.

    Attributes:
        sha256: the photo's SHA-256 or None.
        boxes: a box (or None) for each face; qualities: a quality (or None) for each.
        facts: what the caller keeps with each.
        images: those that are kept with each face; empty: none are.
    """

    sha256: str | None
    boxes: Sequence[Box | None]
    qualities: Sequence[float | None]
    facts: FaceFacts
    images: Sequence[Sequence[FaceImage]] = ()

    def only(self, i: int) -> Source:
        """That of the i-th face alone."""
        return replace(
            self,
            boxes=[self.boxes[i]],
            qualities=[self.qualities[i]],
            images=self.images[i : i + 1],
        )


@dataclass(frozen=True, slots=True)
class FaceRow:
    """A face, its number, and that of its person."""

    seq: int
    person_seq: int
    face: StoredFace


_FACES = (
    sa.select(
        faces.c.seq,
        faces.c.id,
        members.c.name.label("person"),
        persons.c.id.label("person_id"),
        persons.c.seq.label("person_seq"),
        faces.c.norm,
        faces.c.source_sha256,
        faces.c.x0,
        faces.c.y0,
        faces.c.x1,
        faces.c.y1,
        faces.c.created_at,
        faces.c.external_image_id,
        faces.c.user_data,
        faces.c.quality,
    )
    .join(members, members.c.person_seq == faces.c.person_seq)
    .join(persons, persons.c.seq == faces.c.person_seq)
)


def add(
    connection: sa.Connection,
    row: GroupRow,
    person: PersonRow,
    embeddings: Embeddings,
    source: Source,
    *,
    limits: GalleryLimits,
) -> list[StoredFace]:
    """Register faces of a person; every group of the person with this contract gets them.

    Raises:
        AlreadyExists: the person has this face of this photo already.
        LimitExceeded: one of the groups is full, or an image is too long.
    """
    _refuse_known(connection, row, person, source)
    now = datetime.now(UTC)
    ids = new_ids(len(embeddings))
    stored = [
        StoredFace(
            ids[i],
            person.person.name,
            person.person.id,
            row.group.contract,
            None if math.isnan(norm) else float(norm),
            source.sha256,
            source.boxes[i],
            now,
            source.facts.external_image_id,
            source.facts.user_data,
            source.qualities[i],
        )
        for i, norm in enumerate(embeddings.norm)
    ]
    sealed = seal_vectors(connection, row.group.contract, person.seq, ids, embeddings.vector)
    values = [
        _values(face, blob, person.seq, row.contract_seq)
        for face, blob in zip(stored, sealed, strict=True)
    ]
    insert = faces.insert().returning(faces.c.seq, sort_by_parameter_order=True)
    seqs = connection.execute(insert, values).scalars().all()
    for seq, face, kept in zip(seqs, stored, source.images, strict=False):  # or there are none
        most = limits.image_bytes
        images.keep(connection, person.seq, seq, face.id, kept, most_bytes=most)
    pairs = [(person.seq, seq) for seq in seqs]
    for group_seq in groups_with(connection, person.seq, row.contract_seq):
        announce(connection, group_seq, pairs, faces_by=len(pairs), limits=limits)
    return stored


def update(connection: sa.Connection, face_seq: int, facts: FaceFacts) -> None:
    """Replace what the caller keeps with a face."""
    connection.execute(
        faces.update()
        .where(faces.c.seq == face_seq)
        .values(external_image_id=facts.external_image_id, user_data=facts.user_data)
    )


def page(
    connection: sa.Connection,
    row: GroupRow,
    person: PersonRow | None,
    *,
    after: str | None,
    limit: int | None,
    external_image_id: str | None = None,
    newest_first: bool = False,
) -> list[StoredFace]:
    """Faces of a group, or of one member or photo, by id; those after ``after``."""
    query = _of(row)
    if external_image_id is not None:
        query = query.where(faces.c.external_image_id == external_image_id)
    if person is not None:
        query = query.where(faces.c.person_seq == person.seq)
    if after is not None:
        query = query.where(faces.c.id < after if newest_first else faces.c.id > after)
    query = query.order_by(faces.c.id.desc() if newest_first else faces.c.id).limit(limit)
    return [_face(found, row) for found in connection.execute(query)]


def by_id(connection: sa.Connection, row: GroupRow, ids: Collection[str]) -> list[StoredFace]:
    """Those of the faces that are in the group."""
    return [_face(found, row) for found in connection.execute(_of(row).where(faces.c.id.in_(ids)))]


def find(connection: sa.Connection, row: GroupRow, face_id: str) -> FaceRow:
    """The face of that id.

    Raises:
        NotFound: the group has no such face.
    """
    found = _find(connection, row, face_id)
    return FaceRow(found.seq, found.person_seq, _face(found, row))


def delete(connection: sa.Connection, row: GroupRow, face_id: str) -> list[int]:
    """Delete a face in every group; returns those groups' numbers.

    Raises:
        NotFound: the group has no such face.
    """
    found = _find(connection, row, face_id)
    inside = groups_with(connection, found.person_seq, row.contract_seq)
    connection.execute(faces.delete().where(faces.c.seq == found.seq))
    for group_seq in inside:
        announce(connection, group_seq, [(found.person_seq, found.seq)], faces_by=-1)
    return inside


def groups_with(connection: sa.Connection, person_seq: int, contract_seq: int) -> list[int]:
    """Numbers of the person's groups in which faces of that contract are seen."""
    query = (
        sa.select(groups.c.seq)
        .join(members, members.c.group_seq == groups.c.seq)
        .where(members.c.person_seq == person_seq, groups.c.contract_seq == contract_seq)
        .order_by(groups.c.seq)
    )
    return list(connection.execute(query).scalars())


def templates(
    connection: sa.Connection, row: GroupRow, person: PersonRow
) -> tuple[list[StoredFace], Embeddings]:
    """All faces of a member and their templates, in the same order."""
    query = _of(row).add_columns(faces.c.vector).where(faces.c.person_seq == person.seq)
    found = connection.execute(query.order_by(faces.c.id)).all()
    norm = [math.nan if face.norm is None else face.norm for face in found]
    return [_face(face, row) for face in found], Embeddings(
        open_vectors(connection, row.group.contract, found), np.array(norm, np.float32)
    )


def _of(row: GroupRow) -> sa.Select[Any]:
    return _FACES.where(members.c.group_seq == row.seq, faces.c.contract_seq == row.contract_seq)


def _find(connection: sa.Connection, row: GroupRow, face_id: str) -> sa.Row[*tuple[Any, ...]]:
    found = connection.execute(_of(row).where(faces.c.id == face_id)).one_or_none()
    if found is None:
        raise NotFound(f"There is no face {face_id!r} in the group {row.group.name!r}.")
    return found


def _refuse_known(
    connection: sa.Connection, row: GroupRow, person: PersonRow, source: Source
) -> None:
    if source.sha256 is None:
        return
    query = sa.select(faces.c.x0, faces.c.y0, faces.c.x1, faces.c.y1).filter_by(
        person_seq=person.seq, contract_seq=row.contract_seq, source_sha256=source.sha256
    )
    seen = [box_of(found) for found in connection.execute(query)]
    for box in source.boxes:
        if any(same_face(box, other) for other in seen):
            raise AlreadyExists(
                f"This photo of {person.person.name!r} is enrolled already.",
                details={"person": person.person.name},
            )
        seen.append(box)


def same_face(a: Box | None, b: Box | None) -> bool:
    """Whether two boxes of one photo of a person are of one face; None: not known where."""
    if a is None or b is None:
        return True
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    shared = max(0.0, width) * max(0.0, height)
    return a == b or shared >= _SAME_FACE_IOU * (a.area + b.area - shared) > 0


def new_ids(n: int) -> list[str]:
    """N ids that sort by time, then in this order: 48 bits of milliseconds, 80 random bits."""
    stamp = time.time_ns() // 1_000_000
    return [f"{stamp:012x}{bits:020x}" for bits in sorted(secrets.randbits(80) for _ in range(n))]


def source_key(sha256: str | None, box: Box | None) -> str | None:
    """A photo and a place in it as one text; None without a photo."""
    return None if sha256 is None else f"{sha256}:{box and box.to_list()}"


def _values(face: StoredFace, sealed: bytes, person_seq: int, contract_seq: int) -> dict[str, Any]:
    box = face.box
    return {
        "id": face.id,
        "person_seq": person_seq,
        "contract_seq": contract_seq,
        "vector": sealed,
        "norm": face.norm,
        "source_sha256": face.source_sha256,
        "x0": None if box is None else box.x0,
        "y0": None if box is None else box.y0,
        "x1": None if box is None else box.x1,
        "y1": None if box is None else box.y1,
        "source_key": source_key(face.source_sha256, box),
        "created_at": face.created_at,
        "external_image_id": face.external_image_id,
        "user_data": face.user_data,
        "quality": face.quality,
    }


def _face(row: sa.Row[*tuple[Any, ...]], group: GroupRow) -> StoredFace:
    return StoredFace(
        row.id,
        row.person,
        row.person_id,
        group.group.contract,
        row.norm,
        row.source_sha256,
        box_of(row),
        row.created_at,
        row.external_image_id,
        row.user_data,
        row.quality,
    )


def box_of(row: sa.Row[*tuple[Any, ...]]) -> Box | None:
    """Where a stored face is in its photo."""
    return None if row.x0 is None else Box(row.x0, row.y0, row.x1, row.y1)
