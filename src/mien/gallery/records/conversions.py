"""Rows of a group's move to another embedding contract.

Templates of the new contract are laid aside face by face (``conversions``), sealed as they will be,
while the group goes on under the old one. The move itself is one transaction.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from mien.gallery.model import GalleryLimits
from mien.gallery.policy import ImageKind
from mien.gallery.records import images
from mien.gallery.records.changes import announce, start_anew
from mien.gallery.records.faces import box_of, new_ids
from mien.gallery.records.groups import GroupRow
from mien.gallery.records.schema import conversions, faces, groups, members
from mien.gallery.records.sealing import open_vectors, seal_vectors
from mien.types import Box, EmbeddingContract, Embeddings

__all__ = ["Waiting", "count_laid", "drop_others", "lay_aside", "switch", "unlaid", "waiting"]

_AT_ONCE = 500
_Condition = sa.ColumnElement[bool]
_Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A face that has no template of the new contract yet.

    Attributes:
        id: of the face; person: name in the group.
        source_sha256: of the photo that it comes from, or None; box: where it is there, or None.
        kinds: images that are kept with it.
    """

    id: str
    person: str
    source_sha256: str | None
    box: Box | None
    kinds: tuple[ImageKind, ...]


def drop_others(connection: sa.Connection, row: GroupRow, target_seq: int) -> None:
    """Forget what an earlier attempt laid aside for another contract."""
    own = sa.select(faces.c.seq).where(*_own(row))
    connection.execute(
        conversions.delete().where(
            conversions.c.face_seq.in_(own), conversions.c.contract_seq != target_seq
        )
    )


def waiting(
    connection: sa.Connection, row: GroupRow, target_seq: int, *, after: str | None, limit: int
) -> list[Waiting]:
    """Faces of the group without a template of the new contract, by id; those after ``after``."""
    query = (
        sa.select(faces, members.c.name)
        .join(members, members.c.person_seq == faces.c.person_seq)
        .where(
            members.c.group_seq == row.seq,
            faces.c.contract_seq == row.contract_seq,
            ~_laid(target_seq),
        )
    )
    if after is not None:
        query = query.where(faces.c.id > after)
    found = connection.execute(query.order_by(faces.c.id).limit(limit)).all()
    kept = images.kinds_of(connection, [face.seq for face in found])
    return [Waiting(f.id, f.name, f.source_sha256, box_of(f), kept.get(f.seq, ())) for f in found]


def count_laid(connection: sa.Connection, row: GroupRow, target_seq: int) -> int:
    """How many of the group's faces have a template of the new contract."""
    query = sa.select(sa.func.count()).select_from(faces).where(*_own(row), _laid(target_seq))
    return int(connection.execute(query).scalar_one())


def unlaid(connection: sa.Connection, row: GroupRow, target_seq: int) -> set[str]:
    """Ids of the group's faces without a template of the new contract."""
    query = sa.select(faces.c.id).where(*_own(row), ~_laid(target_seq))
    return set(connection.execute(query).scalars())


def lay_aside(
    connection: sa.Connection,
    row: GroupRow,
    target_seq: int,
    contract: EmbeddingContract,
    face_ids: Sequence[str],
    templates: Embeddings,
) -> None:
    """Keep templates of the new contract of those faces that are still there and have none."""
    query = sa.select(faces.c.seq, faces.c.id, faces.c.person_seq).where(
        *_own(row), faces.c.id.in_(face_ids), ~_laid(target_seq)
    )
    there = {face.id: face for face in connection.execute(query)}
    for i, face_id in enumerate(face_ids):
        face = there.get(face_id)
        if face is None:  # deleted meanwhile, or another process was quicker
            continue
        vector = templates.vector[i : i + 1]
        (sealed,) = seal_vectors(connection, contract, face.person_seq, [face_id], vector)
        norm = float(templates.norm[i])
        connection.execute(
            conversions.insert().values(
                face_seq=face.seq,
                contract_seq=target_seq,
                vector=sealed,
                norm=None if math.isnan(norm) else norm,
            )
        )


def switch(
    connection: sa.Connection,
    row: GroupRow,
    target_seq: int,
    contract: EmbeddingContract,
    *,
    limits: GalleryLimits,
) -> int:
    """Move the group: its faces get the templates that were laid aside, those without are gone.

    A face keeps its id. Where its person is in another group of the old contract too, the face
    stays there as it was, and the moved group gets a copy. A face that the person has under the
    new contract already (the same photo and box) is not kept twice.

    Returns:
        How many faces the group has now.

    Raises:
        LimitExceeded: a group that sees more faces now is full.
    """
    alone = (*_own(row), faces.c.person_seq.not_in(_shared(row)))
    connection.execute(faces.delete().where(*alone, ~_laid(target_seq) | _known(target_seq)))
    watchers = _watchers(connection, row, target_seq)
    gained = _pairs_of(connection, watchers, alone)
    gained += _copy_shared(connection, row, target_seq, contract)
    staged = (conversions.c.face_seq == faces.c.seq, conversions.c.contract_seq == target_seq)
    connection.execute(
        faces.update()
        .where(*alone)
        .values(
            vector=sa.select(conversions.c.vector).where(*staged).scalar_subquery(),
            norm=sa.select(conversions.c.norm).where(*staged).scalar_subquery(),
            contract_seq=target_seq,
        )
    )
    inside = sa.select(members.c.person_seq).where(members.c.group_seq == row.seq)
    theirs = sa.select(faces.c.seq).where(faces.c.person_seq.in_(inside))
    connection.execute(conversions.delete().where(conversions.c.face_seq.in_(theirs)))
    moved = groups.update().where(groups.c.seq == row.seq)
    connection.execute(moved.values(contract_seq=target_seq))
    for group_seq, persons in watchers.items():
        pairs = [pair for pair in gained if pair[0] in persons]
        if pairs:
            announce(connection, group_seq, pairs, faces_by=len(pairs), limits=limits)
    return start_anew(connection, row, limits=limits)


def _own(row: GroupRow) -> tuple[_Condition, ...]:
    """The faces that the group sees."""
    inside = sa.select(members.c.person_seq).where(members.c.group_seq == row.seq)
    return faces.c.contract_seq == row.contract_seq, faces.c.person_seq.in_(inside)


def _laid(target_seq: int) -> _Condition:
    """There is a template of the new contract for the face."""
    return sa.exists().where(
        conversions.c.face_seq == faces.c.seq, conversions.c.contract_seq == target_seq
    )


def _known(target_seq: int) -> _Condition:
    """The person has this face of this photo under the new contract already."""
    other = faces.alias()
    return sa.exists().where(
        other.c.person_seq == faces.c.person_seq,
        other.c.contract_seq == target_seq,
        other.c.source_key == faces.c.source_key,
    )


def _shared(row: GroupRow) -> sa.Select[tuple[int]]:
    """Persons who are in another group of the old contract."""
    return (
        sa.select(members.c.person_seq)
        .join(groups, groups.c.seq == members.c.group_seq)
        .where(groups.c.contract_seq == row.contract_seq, groups.c.seq != row.seq)
    )


def _watchers(connection: sa.Connection, row: GroupRow, target_seq: int) -> dict[int, set[int]]:
    """Other groups of the new contract, and which of this group's persons are in each."""
    inside = sa.select(members.c.person_seq).where(members.c.group_seq == row.seq)
    query = (
        sa.select(members.c.group_seq, members.c.person_seq)
        .join(groups, groups.c.seq == members.c.group_seq)
        .where(
            groups.c.contract_seq == target_seq,
            groups.c.seq != row.seq,
            members.c.person_seq.in_(inside),
        )
    )
    found: defaultdict[int, set[int]] = defaultdict(set)
    for group_seq, person_seq in connection.execute(query):
        found[group_seq].add(person_seq)
    return found


def _pairs_of(
    connection: sa.Connection, watchers: dict[int, set[int]], which: Sequence[_Condition]
) -> list[_Pair]:
    """Persons whom other groups see, with their faces."""
    seen = sorted(set().union(*watchers.values()))
    found: list[_Pair] = []
    for start in range(0, len(seen), _AT_ONCE):
        query = sa.select(faces.c.person_seq, faces.c.seq).where(
            *which, faces.c.person_seq.in_(seen[start : start + _AT_ONCE])
        )
        found += [(person, face) for person, face in connection.execute(query)]
    return found


def _copy_shared(
    connection: sa.Connection, row: GroupRow, target_seq: int, contract: EmbeddingContract
) -> list[_Pair]:
    """Copies, under the new contract, of faces that stay in another group too."""
    query = sa.select(faces.c.seq).where(
        *_own(row), faces.c.person_seq.in_(_shared(row)), _laid(target_seq), ~_known(target_seq)
    )
    seqs = list(connection.execute(query.order_by(faces.c.id)).scalars())
    copied: list[_Pair] = []
    for start in range(0, len(seqs), _AT_ONCE):
        copied += _copies(connection, seqs[start : start + _AT_ONCE], target_seq, contract)
    return copied


def _copies(
    connection: sa.Connection, seqs: Sequence[int], target_seq: int, contract: EmbeddingContract
) -> list[_Pair]:
    kept = [column for column in faces.c if column.name not in ("vector", "norm")]
    query = (
        sa.select(*kept, conversions.c.vector, conversions.c.norm)
        .join(conversions, conversions.c.face_seq == faces.c.seq)
        .where(faces.c.seq.in_(seqs), conversions.c.contract_seq == target_seq)
        .order_by(faces.c.id)
    )
    rows = connection.execute(query).all()
    vectors = open_vectors(connection, contract, rows)
    ids = new_ids(len(rows))
    copied: list[_Pair] = []
    for i, row in enumerate(rows):
        person_seq = row.person_seq
        (sealed,) = seal_vectors(connection, contract, person_seq, [ids[i]], vectors[i : i + 1])
        values = {column.name: getattr(row, column.name) for column in kept if column.name != "seq"}
        values |= {"id": ids[i], "contract_seq": target_seq, "vector": sealed, "norm": row.norm}
        insert = faces.insert().values(**values).returning(faces.c.seq)
        seq = int(connection.execute(insert).scalar_one())
        images.copy(connection, row.seq, seq, ids[i])
        copied.append((person_seq, seq))
    return copied
