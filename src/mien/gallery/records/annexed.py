"""Groups' rows as the dialects ask for them: ids of faces, groups of a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from mien.gallery.records.groups import GroupRow
from mien.gallery.records.schema import faces, groups, members, persons

__all__ = ["face_ids", "groups_of", "newest_face"]


def face_ids(
    connection: sa.Connection, row: GroupRow, person_ids: Sequence[str]
) -> dict[str, list[str]]:
    """Person's id -> ids of the faces in the group, oldest first; for every one asked for."""
    found: dict[str, list[str]] = {one: [] for one in person_ids}
    query = _faces(row).add_columns(persons.c.id.label("person_id"))
    query = query.where(persons.c.id.in_(person_ids)).order_by(faces.c.id)
    for face in connection.execute(query):
        found[face.person_id].append(face.id)
    return found


def newest_face(connection: sa.Connection, row: GroupRow) -> str:
    """The largest id of a face in the group, which is the newest; empty where there is none."""
    query = _faces(row).order_by(faces.c.id.desc()).limit(1)
    return connection.execute(query).scalar() or ""


def groups_of(connection: sa.Connection, application_seq: int, person_id: str) -> list[str]:
    """Names of the application's groups that a person is in."""
    query = (
        sa.select(groups.c.name)
        .join(members, members.c.group_seq == groups.c.seq)
        .join(persons, persons.c.seq == members.c.person_seq)
        .where(groups.c.application_seq == application_seq, persons.c.id == person_id)
        .order_by(groups.c.name)
    )
    return list(connection.execute(query).scalars())


def _faces(row: GroupRow) -> sa.Select[Any]:
    return (
        sa.select(faces.c.id)
        .join(members, members.c.person_seq == faces.c.person_seq)
        .join(persons, persons.c.seq == faces.c.person_seq)
        .where(members.c.group_seq == row.seq, faces.c.contract_seq == row.contract_seq)
    )
