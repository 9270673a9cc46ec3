"""Rows of faces: registering, listing, deleting."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa

from mien.errors import AlreadyExists, LimitExceeded, NotFound
from mien.gallery.model import StoredFace
from mien.gallery.records.changes import announce
from mien.gallery.records.groups import GroupRow
from mien.gallery.records.persons import PersonRow
from mien.gallery.records.schema import faces, groups, members, persons
from mien.gallery.records.sealing import open_vectors, seal_vectors
from mien.types import Box, Embeddings

__all__ = ["Source", "add", "delete", "find", "page", "templates"]

_SAME_FACE_IOU = 0.5  # one person has one face in a photo; detectors differ by a few pixels


@dataclass(frozen=True, slots=True)
class Source:
    """Where faces come from: the photo's SHA-256 or None, and a box (or None) for each face."""

    sha256: str | None
    boxes: Sequence[Box | None]


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
    limit: int,
) -> list[StoredFace]:
    """Register faces of a person; every group of the person with this contract gets them.

    Raises:
        AlreadyExists: the person has this face of this photo already.
        LimitExceeded: one of the groups would have more than ``limit`` faces.
    """
    _refuse_known(connection, row, person, source)
    now = datetime.now(UTC)
    ids = _new_ids(len(embeddings))
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
    pairs = [(person.seq, seq) for seq in seqs]
    for group_seq, name in _groups_of(connection, person.seq, row.contract_seq):
        _, count = announce(connection, group_seq, pairs, faces_by=len(pairs))
        if count > limit:
            raise LimitExceeded(
                f"The group {name!r} may have {limit} faces: delete some first.",
                details={"limit": limit},
            )
    return stored


def page(
    connection: sa.Connection,
    row: GroupRow,
    person: PersonRow | None,
    *,
    after: str | None,
    limit: int | None,
) -> list[StoredFace]:
    """Faces of a group, or of one member, by id; those after ``after``."""
    query = _of(row)
    if person is not None:
        query = query.where(faces.c.person_seq == person.seq)
    if after is not None:
        query = query.where(faces.c.id > after)
    query = query.order_by(faces.c.id).limit(limit)
    return [_face(found, row) for found in connection.execute(query)]


def find(connection: sa.Connection, row: GroupRow, face_id: str) -> StoredFace:
    """The face of that id.

    Raises:
        NotFound: the group has no such face.
    """
    return _face(_find(connection, row, face_id), row)


def delete(connection: sa.Connection, row: GroupRow, face_id: str) -> list[int]:
    """Delete a face in every group; returns those groups' numbers.

    Raises:
        NotFound: the group has no such face.
    """
    found = _find(connection, row, face_id)
    inside = [seq for seq, _ in _groups_of(connection, found.person_seq, row.contract_seq)]
    connection.execute(faces.delete().where(faces.c.seq == found.seq))
    for group_seq in inside:
        announce(connection, group_seq, [(found.person_seq, found.seq)], faces_by=-1)
    return inside


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


def _groups_of(
    connection: sa.Connection, person_seq: int, contract_seq: int
) -> list[tuple[int, str]]:
    query = (
        sa.select(groups.c.seq, groups.c.name)
        .join(members, members.c.group_seq == groups.c.seq)
        .where(members.c.person_seq == person_seq, groups.c.contract_seq == contract_seq)
    )
    return [(seq, name) for seq, name in connection.execute(query)]


def _refuse_known(
    connection: sa.Connection, row: GroupRow, person: PersonRow, source: Source
) -> None:
    if source.sha256 is None:
        return
    query = sa.select(faces.c.x0, faces.c.y0, faces.c.x1, faces.c.y1).filter_by(
        person_seq=person.seq, contract_seq=row.contract_seq, source_sha256=source.sha256
    )
    seen = [_box(found) for found in connection.execute(query)]
    for box in source.boxes:
        if any(_same_face(box, other) for other in seen):
            raise AlreadyExists(
                f"This photo of {person.person.name!r} is enrolled already.",
                details={"person": person.person.name},
            )
        seen.append(box)


def _same_face(a: Box | None, b: Box | None) -> bool:
    if a is None or b is None:
        return True
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    shared = max(0.0, width) * max(0.0, height)
    return a == b or shared >= _SAME_FACE_IOU * (a.area + b.area - shared) > 0


def _new_ids(n: int) -> list[str]:
    """N ids that sort by time, then in this order: 48 bits of milliseconds, 80 random bits."""
    stamp = time.time_ns() // 1_000_000
    return [f"{stamp:012x}{bits:020x}" for bits in sorted(secrets.randbits(80) for _ in range(n))]


def _values(face: StoredFace, sealed: bytes, person_seq: int, contract_seq: int) -> dict[str, Any]:
    box = face.box
    key = None if face.source_sha256 is None else f"{face.source_sha256}:{box and box.to_list()}"
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
        "source_key": key,
        "created_at": face.created_at,
    }


def _face(row: sa.Row[*tuple[Any, ...]], group: GroupRow) -> StoredFace:
    return StoredFace(
        row.id,
        row.person,
        row.person_id,
        group.group.contract,
        row.norm,
        row.source_sha256,
        _box(row),
        row.created_at,
        row.external_image_id,
        row.user_data,
        row.quality,
    )


def _box(row: sa.Row[*tuple[Any, ...]]) -> Box | None:
    return None if row.x0 is None else Box(row.x0, row.y0, row.x1, row.y1)
