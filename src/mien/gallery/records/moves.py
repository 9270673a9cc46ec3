"""Faces that change hands: from one person to another, with what is sealed for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from mien.errors import AlreadyExists
from mien.gallery.model import GalleryLimits
from mien.gallery.records.changes import announce
from mien.gallery.records.faces import box_of, groups_with, same_face, source_key
from mien.gallery.records.kept import image_context
from mien.gallery.records.schema import contracts, conversions, face_images, faces
from mien.gallery.records.sealing import open_vectors, seal_vectors
from mien.gallery.records.vault import vault_of
from mien.types import EmbeddingContract

__all__ = ["faces_by_id", "hand_over", "refuse_same_photo"]

_AT_ONCE = 500
_Rows = Sequence[sa.Row[*tuple[Any, ...]]]


def faces_by_id(
    connection: sa.Connection, owner_seq: int, face_ids: Iterable[str] | None = None
) -> list[str]:
    """Ids of those faces that a person has, of any contract; of all without ``face_ids``."""
    query = sa.select(faces.c.id).where(faces.c.person_seq == owner_seq).order_by(faces.c.id)
    own = list(connection.execute(query).scalars())
    if face_ids is None:
        return own
    wanted = set(face_ids)
    return [one for one in own if one in wanted]


def hand_over(
    connection: sa.Connection,
    face_ids: Sequence[str],
    source_seq: int,
    target_seq: int,
    *,
    limits: GalleryLimits,
) -> set[int]:
    """Make faces of one person another's: they are seen where the new owner is a member.

    What was sealed for the one is sealed for the other. A photo that both have is kept twice.

    Args:
        connection: of a transaction that writes.
        face_ids: faces of ``source_seq``.
        source_seq: number of the owner; target_seq: of the new one.
        limits: the gallery's.

    Returns:
        Numbers of the groups that changed.

    Raises:
        LimitExceeded: a group of the new owner's is full.
    """
    touched: set[int] = set()
    taken = _source_keys(connection, target_seq)
    for start in range(0, len(face_ids), _AT_ONCE):
        rows = _rows(connection, face_ids[start : start + _AT_ONCE])
        for contract_seq, same in groupby(rows, key=lambda row: int(row.contract_seq)):
            own = list(same)
            pairs = [(source_seq, row.seq) for row in own]
            lost = groups_with(connection, source_seq, contract_seq)
            for group_seq in lost:
                announce(connection, group_seq, pairs, faces_by=-len(own))
            _reseal(connection, own, target_seq, taken)
            gained = groups_with(connection, target_seq, contract_seq)
            pairs = [(target_seq, row.seq) for row in own]
            for group_seq in gained:
                announce(connection, group_seq, pairs, faces_by=len(own), limits=limits)
            touched.update(lost, gained)
    return touched


def refuse_same_photo(connection: sa.Connection, face_seq: int, target_seq: int, name: str) -> None:
    """Refuse a face of a photo that the new owner has already.

    Raises:
        AlreadyExists: the same photo, and about the same place in it.
    """
    columns = (faces.c.x0, faces.c.y0, faces.c.x1, faces.c.y1)
    mine = sa.select(faces.c.source_sha256, faces.c.contract_seq, *columns)
    face = connection.execute(mine.where(faces.c.seq == face_seq)).one()
    if face.source_sha256 is None:
        return
    others = sa.select(*columns).filter_by(
        person_seq=target_seq, contract_seq=face.contract_seq, source_sha256=face.source_sha256
    )
    if any(same_face(box_of(face), box_of(other)) for other in connection.execute(others)):
        raise AlreadyExists(
            f"{name!r} has this face of this photo already: delete one of the two.",
            details={"person": name},
        )


def _rows(connection: sa.Connection, face_ids: Sequence[str]) -> _Rows:
    query = (
        sa.select(
            faces,
            contracts.c.model,
            contracts.c.source_sha256.label("model_sha256"),
            contracts.c.preprocessing,
            contracts.c.dim,
        )
        .join(contracts, contracts.c.seq == faces.c.contract_seq)
        .where(faces.c.id.in_(face_ids))
        .order_by(faces.c.contract_seq, faces.c.id)
    )
    return connection.execute(query).all()


def _reseal(
    connection: sa.Connection, rows: _Rows, target_seq: int, taken: set[tuple[int, str | None]]
) -> None:
    first = rows[0]
    contract = EmbeddingContract(first.model, first.model_sha256, first.preprocessing, first.dim)
    vectors = open_vectors(connection, contract, rows)
    ids = [row.id for row in rows]
    sealed = seal_vectors(connection, contract, target_seq, ids, vectors)
    _reseal_images(connection, rows, target_seq)
    # what was converted is sealed for the one who had it: it is converted again
    seqs = [row.seq for row in rows]
    connection.execute(conversions.delete().where(conversions.c.face_seq.in_(seqs)))
    for row, blob in zip(rows, sealed, strict=True):
        key = source_key(row.source_sha256, box_of(row))
        if (row.contract_seq, key) in taken:
            key = None  # the photo is kept twice; its hash still says which it is
        elif key is not None:
            taken.add((row.contract_seq, key))
        connection.execute(
            faces.update()
            .where(faces.c.seq == row.seq)
            .values(person_seq=target_seq, vector=blob, source_key=key)
        )


def _reseal_images(connection: sa.Connection, rows: _Rows, target_seq: int) -> None:
    vault, table = vault_of(connection), face_images
    owners = {row.seq: row for row in rows}
    kept = sa.select(table.c.face_seq, table.c.kind).where(table.c.face_seq.in_(list(owners)))
    for face_seq, kind in connection.execute(kept).all():  # one at a time: they may be large
        which = (table.c.face_seq == face_seq, table.c.kind == kind)
        sealed = bytes(connection.execute(sa.select(table.c.sealed).where(*which)).scalar_one())
        owner = owners[face_seq]
        context = image_context(owner.id, kind)
        (plain,) = vault.open_for(connection, [(owner.person_seq, sealed, context)])
        (again,) = vault.seal_for(connection, target_seq, [(plain, context)])
        connection.execute(table.update().where(*which).values(sealed=again))


def _source_keys(connection: sa.Connection, person_seq: int) -> set[tuple[int, str | None]]:
    query = sa.select(faces.c.contract_seq, faces.c.source_key).where(
        faces.c.person_seq == person_seq, faces.c.source_key.is_not(None)
    )
    return {(contract, key) for contract, key in connection.execute(query)}
