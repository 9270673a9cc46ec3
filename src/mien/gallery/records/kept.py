"""All rows that are kept of a person, and what retention takes away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from mien.gallery.policy import GroupSettings
from mien.gallery.records import groups as group_rows
from mien.gallery.records import persons as person_rows
from mien.gallery.records.changes import announce
from mien.gallery.records.groups import GroupRow
from mien.gallery.records.schema import (
    consents,
    contracts,
    face_images,
    faces,
    groups,
    members,
    persons,
)
from mien.gallery.records.sealing import open_vectors
from mien.gallery.records.vault import vault_of
from mien.types import EmbeddingContract

__all__ = [
    "counts",
    "face_ids",
    "faces_of",
    "image_context",
    "images_of",
    "mark_seen",
    "memberships",
    "not_seen_since",
    "person",
    "purge",
    "retaining",
    "take_out",
]

_AT_ONCE = 500  # persons or faces of one transaction of a purge


def counts(connection: sa.Connection, person_seq: int) -> tuple[int, int, int]:
    """How many faces, images and consents are kept of a person."""
    own = sa.select(faces.c.seq).where(faces.c.person_seq == person_seq)
    found = []
    for table, condition in (
        (faces, faces.c.person_seq == person_seq),
        (face_images, face_images.c.face_seq.in_(own)),
        (consents, consents.c.person_seq == person_seq),
    ):
        query = sa.select(sa.func.count()).select_from(table).where(condition)
        found.append(int(connection.execute(query).scalar_one()))
    return found[0], found[1], found[2]


def face_ids(connection: sa.Connection, person_seq: int) -> list[str]:
    """Ids of all faces of a person, oldest first."""
    query = sa.select(faces.c.id).where(faces.c.person_seq == person_seq).order_by(faces.c.id)
    return list(connection.execute(query).scalars())


def take_out(connection: sa.Connection, person_seq: int, group_seqs: Sequence[int]) -> list[int]:
    """Take a person out of groups; who is then in none is deleted. Groups that changed."""
    inside = sa.select(members.c.group_seq).where(members.c.person_seq == person_seq)
    of_person = set(connection.execute(inside).scalars())
    if group_seqs and of_person <= set(group_seqs):
        return person_rows.delete(connection, person_seq)
    for group_seq in group_seqs:
        row = group_rows.find_by_seq(connection, group_seq)
        if row is not None:
            person_rows.leave(connection, row, person_rows.find_by_seq(connection, row, person_seq))
    return list(group_seqs)


def person(connection: sa.Connection, person_seq: int) -> dict[str, Any]:
    """The person's own row."""
    row = connection.execute(sa.select(persons).where(persons.c.seq == person_seq)).one()
    return {
        "id": row.id,
        "anonymous": row.anonymous,
        "external_id": row.external_id,
        "user_data": row.user_data,
        "created_at": _iso(row.created_at),
        "last_seen_at": _iso(row.last_seen_at),
    }


def memberships(connection: sa.Connection, person_seq: int) -> list[dict[str, Any]]:
    """The groups that the person is in, and the name there."""
    query = (
        sa.select(groups.c.name.label("group"), members.c.name)
        .join(members, members.c.group_seq == groups.c.seq)
        .where(members.c.person_seq == person_seq)
        .order_by(groups.c.name)
    )
    return [{"group": row.group, "name": row.name} for row in connection.execute(query)]


def faces_of(connection: sa.Connection, person_seq: int) -> list[dict[str, Any]]:
    """All faces of a person with their templates, oldest first."""
    query = (
        sa.select(
            faces,
            contracts.c.model,
            contracts.c.source_sha256.label("model_sha256"),
            contracts.c.preprocessing,
            contracts.c.dim,
        )
        .join(contracts, contracts.c.seq == faces.c.contract_seq)
        .where(faces.c.person_seq == person_seq)
        .order_by(faces.c.id)
    )
    found = []
    for row in connection.execute(query).all():
        contract = EmbeddingContract(row.model, row.model_sha256, row.preprocessing, row.dim)
        box = None if row.x0 is None else [row.x0, row.y0, row.x1, row.y1]
        found.append(
            {
                "id": row.id,
                "contract": str(contract),
                "template": open_vectors(connection, contract, [row])[0].tolist(),
                "norm": row.norm,
                "quality": row.quality,
                "box": box,
                "source_sha256": row.source_sha256,
                "external_image_id": row.external_image_id,
                "user_data": row.user_data,
                "created_at": _iso(row.created_at),
            }
        )
    return found


def images_of(connection: sa.Connection, person_seq: int) -> list[tuple[dict[str, Any], bytes]]:
    """All crops and photos that are kept of a person, opened."""
    query = (
        sa.select(face_images, faces.c.id)
        .join(faces, faces.c.seq == face_images.c.face_seq)
        .where(faces.c.person_seq == person_seq)
        .order_by(faces.c.id, face_images.c.kind)
    )
    rows = connection.execute(query).all()
    sealed = [(person_seq, bytes(row.sealed), image_context(row.id, row.kind)) for row in rows]
    opened = vault_of(connection).open_for(connection, sealed) if sealed else []
    return [
        ({"face_id": row.id, "kind": row.kind, "media_type": row.media_type}, data)
        for row, data in zip(rows, opened, strict=True)
    ]


def image_context(face_id: str, kind: str) -> bytes:
    """What an image is bound to when it is sealed."""
    return f"mien {kind} of face {face_id}".encode()


# ---------------------------------------------------------------- retention


def retaining(connection: sa.Connection, application_seq: int) -> list[GroupRow]:
    """The groups of an application that do not keep everything for ever."""
    query = sa.select(groups.c.seq, groups.c.settings).where(
        groups.c.application_seq == application_seq
    )
    limited = [
        row.seq
        for row in connection.execute(query)
        if (settings := GroupSettings.from_stored(row.settings)).retain_age_s is not None
        or settings.retain_idle_s is not None
    ]
    rows = [group_rows.find_by_seq(connection, seq) for seq in limited]
    return [row for row in rows if row is not None]


def purge(connection: sa.Connection, row: GroupRow, *, now: datetime) -> tuple[int, int, list[int]]:
    """Delete some of what a group's retention no longer allows.

    A face that is too old goes from every group that its person is in. A person who was not seen
    for too long leaves the group, and is deleted where it was the only one.

    Returns:
        Faces and persons that are gone, at most 500 of each, and the groups that changed.
    """
    settings = row.group.settings
    touched: set[int] = set()
    old = idle = 0
    if settings.retain_age_s is not None:
        until = now - timedelta(seconds=settings.retain_age_s)
        old, changed = _purge_old(connection, row, until)
        touched |= changed
    if settings.retain_idle_s is not None:
        until = now - timedelta(seconds=settings.retain_idle_s)
        query = (
            sa.select(persons.c.seq)
            .join(members, members.c.person_seq == persons.c.seq)
            .where(
                members.c.group_seq == row.seq,
                sa.func.coalesce(persons.c.last_seen_at, persons.c.created_at) <= until,
            )
            .limit(_AT_ONCE)
        )
        for person_seq in connection.execute(query).scalars().all():
            touched.update(take_out(connection, person_seq, [row.seq]))
            idle += 1
    return old, idle, sorted(touched)


def _purge_old(connection: sa.Connection, row: GroupRow, until: datetime) -> tuple[int, set[int]]:
    query = (
        sa.select(faces.c.seq, faces.c.person_seq)
        .join(members, members.c.person_seq == faces.c.person_seq)
        .where(
            members.c.group_seq == row.seq,
            faces.c.contract_seq == row.contract_seq,
            faces.c.created_at <= until,
        )
        .limit(_AT_ONCE)
    )
    found = connection.execute(query).all()
    touched: set[int] = set()
    for face in found:
        inside = (
            sa.select(groups.c.seq)
            .join(members, members.c.group_seq == groups.c.seq)
            .where(
                members.c.person_seq == face.person_seq,
                groups.c.contract_seq == row.contract_seq,
            )
        )
        for group_seq in connection.execute(inside).scalars().all():
            announce(connection, group_seq, [(face.person_seq, face.seq)], faces_by=-1)
            touched.add(group_seq)
        connection.execute(faces.delete().where(faces.c.seq == face.seq))
    return len(found), touched


def not_seen_since(
    connection: sa.Connection, application_seq: int, person_ids: Sequence[str], moment: datetime
) -> list[int]:
    """Numbers of those persons whose last recognition was written down before ``moment``."""
    query = sa.select(persons.c.seq).where(
        persons.c.application_seq == application_seq,
        persons.c.id.in_(list(person_ids)[:_AT_ONCE]),
        sa.or_(persons.c.last_seen_at.is_(None), persons.c.last_seen_at < moment),
    )
    return list(connection.execute(query).scalars())


def mark_seen(connection: sa.Connection, person_seqs: Sequence[int], moment: datetime) -> None:
    """Write down when persons were recognised last."""
    connection.execute(
        persons.update().where(persons.c.seq.in_(person_seqs)).values(last_seen_at=moment)
    )


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
