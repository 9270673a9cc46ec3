"""Rows of an application as an archive holds them: without numbers of this database, opened.

Everything is read in batches, so that any number of rows needs no more memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from mien.gallery.records.groups import GroupRow
from mien.gallery.records.kept import image_context
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

__all__ = ["PERSONS", "FaceBatch", "face_batches", "group_facts", "images", "person_batches"]

PERSONS = 500
"""Persons of one batch."""

_FACES = 500
_IMAGES = 8


@dataclass(frozen=True, slots=True)
class FaceBatch:
    """Faces of one contract.

    Attributes:
        contract: theirs.
        rows: as they are archived.
        vectors: the templates, float32, little-endian.
        numbers: numbers of the faces here, and of their persons; ids: the faces' ids.
    """

    contract: EmbeddingContract
    rows: list[dict[str, Any]]
    vectors: list[bytes]
    numbers: list[tuple[int, int]]
    ids: list[str]


def group_facts(row: GroupRow) -> dict[str, Any]:
    """A group as it is archived."""
    group = row.group
    return {
        "name": group.name,
        "contract": asdict(group.contract),
        "scoring": group.scoring,
        "created_at": group.created_at.isoformat(),
        "settings": group.settings.to_dict(),
        "user_data": group.user_data,
    }


def person_batches(
    connection: sa.Connection, application_seq: int, inside: dict[int, str], *, everybody: bool
) -> Iterator[tuple[list[int], list[dict[str, Any]]]]:
    """Persons with their memberships and consents, and their numbers here.

    Args:
        connection: that sees one state.
        application_seq: whose.
        inside: names of the groups that are archived, by number.
        everybody: all groups are; else only those persons who are in one of ``inside``.
    """
    query = sa.select(persons).where(persons.c.application_seq == application_seq)
    if not everybody:
        member = sa.select(members.c.person_seq).where(members.c.group_seq.in_(inside))
        query = query.where(persons.c.seq.in_(member))
    after = 0
    while True:
        found = connection.execute(
            query.where(persons.c.seq > after).order_by(persons.c.seq).limit(PERSONS)
        ).all()
        if not found:
            return
        seqs = [row.seq for row in found]
        where = _memberships(connection, seqs, inside)
        agreed = _consents(connection, seqs, inside)
        yield (
            seqs,
            [
                {
                    "id": row.id,
                    "anonymous": row.anonymous,
                    "created_at": _iso(row.created_at),
                    "last_seen_at": _iso(row.last_seen_at),
                    "user_data": row.user_data,
                    "external_id": row.external_id,
                    "groups": where.get(row.seq, []),
                    "consents": agreed.get(row.seq, []),
                }
                for row in found
            ],
        )
        after = seqs[-1]


def face_batches(
    connection: sa.Connection, person_seqs: Sequence[int], contract_seqs: Sequence[int] | None
) -> Iterator[FaceBatch]:
    """Faces of those persons, opened; of those contracts, or all."""
    query = (
        sa.select(
            faces,
            persons.c.id.label("person_id"),
            contracts.c.model,
            contracts.c.source_sha256.label("model_sha256"),
            contracts.c.preprocessing,
            contracts.c.dim,
        )
        .join(contracts, contracts.c.seq == faces.c.contract_seq)
        .join(persons, persons.c.seq == faces.c.person_seq)
        .where(faces.c.person_seq.in_(person_seqs))
        .order_by(faces.c.person_seq, faces.c.contract_seq)  # as their index is: nothing is sorted
    )
    if contract_seqs is not None:
        query = query.where(faces.c.contract_seq.in_(contract_seqs))
    with connection.execution_options(yield_per=_FACES).execute(query) as result:
        for part in result.partitions():
            for facts, own in groupby(
                part, lambda r: (r.model, r.model_sha256, r.preprocessing, r.dim)
            ):
                rows = list(own)
                contract = EmbeddingContract(*facts)
                vectors = open_vectors(connection, contract, rows).astype("<f4")
                yield FaceBatch(
                    contract,
                    [_face(row) for row in rows],
                    [vector.tobytes() for vector in vectors],
                    [(row.seq, row.person_seq) for row in rows],
                    [row.id for row in rows],
                )


def images(
    connection: sa.Connection, batch: FaceBatch
) -> Iterator[tuple[list[dict[str, Any]], list[bytes]]]:
    """Crops and photos of those faces, opened, a few at a time."""
    owners = dict(batch.numbers)
    names = dict(zip(owners, batch.ids, strict=True))
    after: tuple[int, str] = (0, "")
    while True:
        later = sa.tuple_(face_images.c.face_seq, face_images.c.kind) > sa.tuple_(
            *map(sa.literal, after)
        )
        query = (
            sa.select(face_images)
            .where(face_images.c.face_seq.in_(owners), later)
            .order_by(face_images.c.face_seq, face_images.c.kind)
            .limit(_IMAGES)
        )
        found = connection.execute(query).all()
        if not found:
            return
        sealed = [
            (
                owners[row.face_seq],
                bytes(row.sealed),
                image_context(names[row.face_seq], row.kind),
            )
            for row in found
        ]
        opened = vault_of(connection).open_for(connection, sealed)
        rows = [
            {
                "face": names[row.face_seq],
                "kind": row.kind,
                "media_type": row.media_type,
                "data": len(data),
            }
            for row, data in zip(found, opened, strict=True)
        ]
        yield rows, opened
        after = (found[-1].face_seq, found[-1].kind)


def _memberships(
    connection: sa.Connection, person_seqs: Sequence[int], inside: dict[int, str]
) -> dict[int, list[tuple[str, str]]]:
    query = (
        sa.select(members)
        .where(members.c.person_seq.in_(person_seqs))
        .order_by(members.c.group_seq)
    )
    found: dict[int, list[tuple[str, str]]] = {}
    for row in connection.execute(query):
        if row.group_seq in inside:
            found.setdefault(row.person_seq, []).append((inside[row.group_seq], row.name))
    return found


def _consents(
    connection: sa.Connection, person_seqs: Sequence[int], inside: dict[int, str]
) -> dict[int, list[dict[str, Any]]]:
    """Those for one of the groups, or for every group."""
    query = (
        sa.select(consents, groups.c.name.label("group"))
        .outerjoin(groups, groups.c.seq == consents.c.group_seq)
        .where(consents.c.person_seq.in_(person_seqs))
        .order_by(consents.c.seq)
    )
    found: dict[int, list[dict[str, Any]]] = {}
    for row in connection.execute(query):
        if row.group_seq is not None and row.group_seq not in inside:
            continue
        found.setdefault(row.person_seq, []).append(
            {
                "id": row.id,
                "group": row.group,
                "purpose": row.purpose,
                "text_version": row.text_version,
                "language": row.language,
                "evidence": row.evidence,
                "given_at": _iso(row.given_at),
                "expires_at": _iso(row.expires_at),
                "withdrawn_at": _iso(row.withdrawn_at),
            }
        )
    return found


def _face(row: sa.Row[*tuple[Any, ...]]) -> dict[str, Any]:
    return {
        "id": row.id,
        "person": row.person_id,
        "norm": row.norm,
        "source_sha256": row.source_sha256,
        "box": None if row.x0 is None else [row.x0, row.y0, row.x1, row.y1],
        "quality": row.quality,
        "external_image_id": row.external_image_id,
        "user_data": row.user_data,
        "created_at": _iso(row.created_at),
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
