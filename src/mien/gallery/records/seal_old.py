"""Seals the templates of galleries that were made before templates were sealed."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import sqlalchemy as sa

from mien.gallery.records.database import Database
from mien.gallery.records.schema import contracts, faces, meta
from mien.gallery.records.sealing import seal_vectors
from mien.types import EmbeddingContract

__all__ = ["is_sealed", "seal_old"]

_FACT = "templates_sealed"
_BATCH = 1_000

_BARE = (
    sa.select(
        faces.c.seq,
        faces.c.id,
        faces.c.person_seq,
        faces.c.vector,
        contracts.c.model,
        contracts.c.source_sha256,
        contracts.c.preprocessing,
        contracts.c.dim,
    )
    .join(contracts, contracts.c.seq == faces.c.contract_seq)
    .where(sa.func.length(faces.c.vector) == 4 * contracts.c.dim)
    .order_by(faces.c.person_seq, faces.c.contract_seq, faces.c.seq)
    .limit(_BATCH)
)


def is_sealed(connection: sa.Connection) -> bool:
    """Whether no bare template can be left."""
    return connection.execute(sa.select(meta.c.value).filter_by(name=_FACT)).scalar() is not None


def seal_old(database: Database) -> None:
    """Seal what lies bare, a thousand templates a transaction, and empty the log that had them.

    It can be killed at any moment and goes on where it was; both forms can be read meanwhile.

    Raises:
        KeyMissing, KeyMismatch, ConfigurationError: there is no usable master key.
        GalleryUnavailable: the database cannot be written.
    """
    sealed_any = False
    while True:
        with database.writing() as connection:
            if is_sealed(connection):
                break
            if _seal_some(connection):
                sealed_any = True
                continue
            connection.execute(meta.insert().values(name=_FACT, value="1"))
    if sealed_any:
        database.forget_deleted()


def _seal_some(connection: sa.Connection) -> bool:
    """Seal up to a thousand bare templates; False: there was none."""
    rows = connection.execute(_BARE).all()
    for (person_seq, *facts), own in groupby(
        rows, lambda r: (r.person_seq, r.model, r.source_sha256, r.preprocessing, r.dim)
    ):
        bare = list(own)
        contract = EmbeddingContract(*facts)
        vectors = np.frombuffer(b"".join(bytes(row.vector) for row in bare), "<f4")
        sealed = seal_vectors(
            connection,
            contract,
            person_seq,
            [row.id for row in bare],
            vectors.reshape(len(bare), contract.dim),
        )
        for row, value in zip(bare, sealed, strict=True):
            connection.execute(faces.update().where(faces.c.seq == row.seq).values(vector=value))
    return bool(rows)
