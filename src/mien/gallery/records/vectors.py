"""What the index needs of the records: vectors in, names out."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mien.errors import InvalidArgument
from mien.gallery.index import Entries
from mien.gallery.records.groups import GroupRow
from mien.gallery.records.schema import faces, members, persons
from mien.gallery.records.sealing import open_vectors
from mien.types import Embeddings

__all__ = [
    "Owner",
    "face_entries",
    "face_owners",
    "faces_of",
    "mean_template",
    "person_entries",
    "person_owners",
]

_T = TypeVar("_T")
_AT_ONCE = 500  # values of one IN (...): far below the limits of SQLite and PostgreSQL
_BATCH = 10_000  # rows of one batch of a rebuild


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose an entry of the index is."""

    person: str
    person_id: str
    face_id: str | None
    norm: float | None


# Outer joins, so that a database reads the few faces that were found and their persons: without
# statistics SQLite would rather go through all members of the group. Who is not a member has no
# name and is left out.
_OWNERS = (
    sa.select(
        faces.c.seq, faces.c.id, faces.c.norm, members.c.name, persons.c.id.label("person_id")
    )
    .select_from(faces)
    .outerjoin(persons, persons.c.seq == faces.c.person_seq)
    .outerjoin(
        members,
        sa.and_(
            members.c.group_seq == sa.bindparam("group_seq"),
            members.c.person_seq == faces.c.person_seq,
        ),
    )
    .where(faces.c.seq.in_(sa.bindparam("seqs", expanding=True)))
)
_MEAN_OWNERS = (
    sa.select(persons.c.seq, persons.c.id, members.c.name, sa.func.avg(faces.c.norm).label("norm"))
    .select_from(persons)
    .outerjoin(
        members,
        sa.and_(
            members.c.group_seq == sa.bindparam("group_seq"),
            members.c.person_seq == persons.c.seq,
        ),
    )
    .outerjoin(
        faces,
        sa.and_(
            faces.c.person_seq == persons.c.seq,
            faces.c.contract_seq == sa.bindparam("contract_seq"),
        ),
    )
    .where(persons.c.seq.in_(sa.bindparam("seqs", expanding=True)))
    .group_by(persons.c.seq, persons.c.id, members.c.name)
    .having(sa.func.count(faces.c.seq) > 0)
)


def face_entries(
    connection: sa.Connection, row: GroupRow, face_seqs: Sequence[int] | None = None
) -> Iterator[Entries]:
    """Vectors of a group's faces by number; of all, or of those of ``face_seqs`` still there."""
    with closing(_vectors(connection, row, faces.c.seq, face_seqs)) as batches:
        for found in batches:
            yield _entries(connection, found, row)


def person_entries(
    connection: sa.Connection, row: GroupRow, person_seqs: Sequence[int] | None = None
) -> Iterator[Entries]:
    """Mean templates of a group's persons by number; of all, or of those still with faces."""
    found = list(_vectors(connection, row, faces.c.person_seq, person_seqs))
    if not found:
        return
    of_faces = _entries(connection, [face for batch in found for face in batch], row)
    ids, inverse = np.unique(of_faces.owners, return_inverse=True)
    yield Entries(ids, ids, _means(of_faces.vectors, inverse, len(ids)))


def face_owners(
    connection: sa.Connection, row: GroupRow, face_seqs: Sequence[int]
) -> dict[int, Owner]:
    """Whose the faces are, without those that are no longer there."""
    owners: dict[int, Owner] = {}
    for part in _parts(face_seqs):
        for found in connection.execute(_OWNERS, {"group_seq": row.seq, "seqs": part}):
            if found.name is not None:
                owners[found.seq] = Owner(found.name, found.person_id, found.id, found.norm)
    return owners


def person_owners(
    connection: sa.Connection, row: GroupRow, person_seqs: Sequence[int]
) -> dict[int, Owner]:
    """The persons with the mean of their norms, without those that are no longer there."""
    owners: dict[int, Owner] = {}
    for part in _parts(person_seqs):
        scope = {"group_seq": row.seq, "contract_seq": row.contract_seq, "seqs": part}
        for found in connection.execute(_MEAN_OWNERS, scope):
            if found.name is not None:
                owners[found.seq] = Owner(found.name, found.id, None, found.norm)
    return owners


def faces_of(
    connection: sa.Connection, row: GroupRow, person_ids: Sequence[str]
) -> dict[str, tuple[list[str], Embeddings]]:
    """Ids and templates of the faces of those persons who are members and have some."""
    found: dict[str, tuple[list[str], Embeddings]] = {}
    for part in _parts(person_ids):
        query = (
            sa.select(
                persons.c.id.label("person_id"),
                members.c.name,
                faces.c.id,
                faces.c.person_seq,
                faces.c.vector,
                faces.c.norm,
            )
            .select_from(persons)  # outer joins: see _OWNERS
            .outerjoin(
                members,
                sa.and_(members.c.group_seq == row.seq, members.c.person_seq == persons.c.seq),
            )
            .outerjoin(
                faces,
                sa.and_(
                    faces.c.person_seq == persons.c.seq,
                    faces.c.contract_seq == row.contract_seq,
                ),
            )
            .where(persons.c.id.in_(part))
            .order_by(persons.c.id, faces.c.id)
        )
        rows = connection.execute(query)
        of_members = (one for one in rows if one.name is not None and one.id is not None)
        for person_id, own in groupby(of_members, key=lambda face: str(face.person_id)):
            of_one = list(own)
            norm = [math.nan if face.norm is None else face.norm for face in of_one]
            vector = open_vectors(connection, row.group.contract, of_one)
            templates = Embeddings(vector, np.array(norm, np.float32))
            found[person_id] = ([face.id for face in of_one], templates)
    return found


def mean_template(embeddings: Embeddings) -> Embeddings:
    """The one template that stands for a person in a group that scores by the mean.

    Args:
        embeddings: of the person's n faces, at least one.

    Returns:
        One template: the normalised mean of the vectors, and the mean of the norms that are known
        (NaN where none is).

    Raises:
        InvalidArgument: there is no face.

    Example:
        >>> vectors = np.array([[0.6, 0.8], [-0.6, 0.8]], np.float32)
        >>> mean = mean_template(Embeddings(vectors, np.array([4, np.nan], np.float32)))
        >>> mean.vector.tolist(), mean.norm.tolist()
        ([[0.0, 1.0]], [4.0])
    """
    if not len(embeddings):
        raise InvalidArgument("There is no face to take the mean of.")
    known = embeddings.norm[~np.isnan(embeddings.norm)]
    norm = known.mean(dtype=np.float64) if len(known) else math.nan
    vector = _means(embeddings.vector, np.zeros(len(embeddings), np.intp), 1)
    return Embeddings(vector, np.array([norm], np.float32))


def _means(
    vectors: NDArray[np.float32], owners: NDArray[np.intp], count: int
) -> NDArray[np.float32]:
    """Normalised mean ``(count, d)`` of the vectors of each owner, who are numbered from 0."""
    total = np.zeros((count, vectors.shape[1]))
    np.add.at(total, owners, vectors)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    means: NDArray[np.float32] = (total / np.maximum(length, 1e-12)).astype(np.float32)
    return means


def _vectors(
    connection: sa.Connection,
    row: GroupRow,
    number: sa.Column[int],
    wanted: Sequence[int] | None,
) -> Generator[Sequence[sa.Row[*tuple[Any, ...]]], None, None]:
    columns = (faces.c.seq, faces.c.person_seq, faces.c.id, faces.c.vector)
    of_contract = faces.c.contract_seq == row.contract_seq
    mine = sa.and_(members.c.group_seq == row.seq, members.c.person_seq == faces.c.person_seq)
    if wanted is None:
        everything = sa.select(*columns).join(members, mine).where(of_contract)
        # For this statement only: set on the connection, it would give every later statement a
        # cursor on the server too, and nobody closes those that are not read to their end.
        with connection.execute(everything, execution_options={"yield_per": _BATCH}) as result:
            yield from result.partitions()
        return
    # an outer join: see _OWNERS
    query = sa.select(*columns, members.c.group_seq).outerjoin(members, mine).where(of_contract)
    for part in _parts(wanted):
        result = connection.execute(query.where(number.in_(part)))
        found = [face for face in result if face.group_seq is not None]
        if found:
            yield found


def _entries(
    connection: sa.Connection, found: Sequence[sa.Row[*tuple[Any, ...]]], row: GroupRow
) -> Entries:
    return Entries(
        np.array([face.seq for face in found], np.int64),
        np.array([face.person_seq for face in found], np.int64),
        open_vectors(connection, row.group.contract, found),
    )


def _parts(seqs: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (seqs[i : i + _AT_ONCE] for i in range(0, len(seqs), _AT_ONCE))
