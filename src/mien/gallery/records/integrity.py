"""Integrity: whether a database holds what it should, read from the first row to the last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import sqlalchemy as sa

from mien.errors import GalleryUnavailable, KeyMismatch
from mien.gallery.records.kept import image_context
from mien.gallery.records.schema import (
    contracts,
    face_images,
    faces,
    groups,
    members,
    metadata,
)
from mien.gallery.records.sealing import open_vectors
from mien.gallery.records.vault import vault_of
from mien.types import EmbeddingContract

__all__ = ["Fault", "count_faults", "database_faults", "image_faults", "reference_faults",
           "template_faults"]  # fmt: skip

_FACES = 500
_IMAGES = 8
_UNIT = 1e-3  # as what is enrolled is checked (checks.py)
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong.

    Attributes:
        where: ``database``, ``references``, ``counts``, ``templates``, ``images``, ``index``,
            ``search`` or ``audit``.
        what: what is wrong, in words; never a name of a person.
        subject: id or name of what it is about, or empty.
    """

    where: str
    what: str
    subject: str = ""


def database_faults(connection: sa.Connection) -> Iterator[Fault]:
    """What the database itself finds wrong with its file: SQLite only.

    A PostgreSQL server checks its pages when they are read, if it was made with checksums.
    """
    if connection.dialect.name == "sqlite":
        for (said,) in connection.exec_driver_sql(f"PRAGMA integrity_check({_SHOWN})"):
            if said != "ok":
                yield Fault("database", str(said))


def reference_faults(connection: sa.Connection) -> Iterator[Fault]:
    """Rows that refer to rows that are not there."""
    for table in metadata.sorted_tables:
        for key in table.foreign_keys:
            other = key.column.table.alias()
            query = (
                sa.select(sa.func.count())
                .select_from(table.outerjoin(other, key.parent == other.c[key.column.name]))
                .where(key.parent.is_not(None), other.c[key.column.name].is_(None))
            )
            count = connection.execute(query).scalar_one()
            if count:
                yield Fault(
                    "references",
                    f"{count} row(s) without their {key.column.table.name}",
                    table.name,
                )


def count_faults(connection: sa.Connection) -> Iterator[Fault]:
    """Groups whose numbers of persons or faces are not those of their rows."""
    inside = (
        sa.select(members.c.group_seq, sa.func.count().label("count"))
        .group_by(members.c.group_seq)
        .subquery()
    )
    seen = (
        sa.select(members.c.group_seq, sa.func.count().label("count"))
        .join(groups, groups.c.seq == members.c.group_seq)
        .join(
            faces,
            sa.and_(
                faces.c.person_seq == members.c.person_seq,
                faces.c.contract_seq == groups.c.contract_seq,
            ),
        )
        .group_by(members.c.group_seq)
        .subquery()
    )
    query = (
        sa.select(
            groups.c.name,
            groups.c.persons,
            groups.c.faces,
            sa.func.coalesce(inside.c.count, 0).label("members"),
            sa.func.coalesce(seen.c.count, 0).label("seen"),
        )
        .outerjoin(inside, inside.c.group_seq == groups.c.seq)
        .outerjoin(seen, seen.c.group_seq == groups.c.seq)
    )
    for row in connection.execute(query):
        if (row.persons, row.faces) != (row.members, row.seen):
            yield Fault(
                "counts",
                f"counts {row.persons} persons and {row.faces} faces, and has {row.members} and "
                f"{row.seen}",
                row.name,
            )


def template_faults(connection: sa.Connection) -> Iterator[Fault | int]:
    """Templates that do not open, or are not of unit length; between them, how many are good.

    Raises:
        KeyMissing: the master key is not at hand.
    """
    query = sa.select(
        faces.c.id,
        faces.c.person_seq,
        faces.c.vector,
        contracts.c.model,
        contracts.c.source_sha256,
        contracts.c.preprocessing,
        contracts.c.dim,
    ).join(contracts, contracts.c.seq == faces.c.contract_seq)
    with connection.execution_options(yield_per=_FACES).execute(query) as result:
        for part in result.partitions():
            for facts, own in groupby(
                part, lambda r: (r.model, r.source_sha256, r.preprocessing, r.dim)
            ):
                yield from _wrong(connection, EmbeddingContract(*facts), list(own))


def image_faults(connection: sa.Connection) -> Iterator[Fault | int]:
    """Crops and photos that do not open; between them, how many are good."""
    query = sa.select(face_images, faces.c.id, faces.c.person_seq).join(
        faces, faces.c.seq == face_images.c.face_seq
    )
    with connection.execution_options(yield_per=_IMAGES).execute(query) as result:
        for row in result:
            sealed = (row.person_seq, bytes(row.sealed), image_context(row.id, row.kind))
            try:
                vault_of(connection).open_for(connection, [sealed])
            except KeyMismatch as error:
                yield Fault("images", error.message, row.id)
            else:
                yield 1


def _wrong(
    connection: sa.Connection,
    contract: EmbeddingContract,
    rows: Sequence[sa.Row[*tuple[Any, ...]]],
) -> Iterator[Fault | int]:
    try:
        vectors = open_vectors(connection, contract, rows)
    except (KeyMismatch, GalleryUnavailable) as error:
        if len(rows) == 1:
            yield Fault("templates", error.message, rows[0].id)
            return
        for row in rows:
            yield from _wrong(connection, contract, [row])
        return
    length = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))
    good = np.abs(length - 1) <= _UNIT  # NaN is not
    yield int(good.sum())
    for i in np.flatnonzero(~good).tolist():
        yield Fault("templates", "is not a vector of unit length", rows[i].id)
