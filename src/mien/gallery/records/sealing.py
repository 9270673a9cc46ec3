"""How a template lies in the database: the one place where vectors become bytes and come back.

The first byte is the format: 1 is sealed under the person's key (:mod:`mien.gallery.protect`), the
vector as float32, little-endian. Galleries that were made before templates were sealed hold the
bare vector, which :mod:`mien.gallery.records.seal_old` seals when they are first opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mien.errors import GalleryUnavailable
from mien.gallery.protect.sealing import OVERHEAD, seal
from mien.gallery.records.vault import vault_of
from mien.types import EmbeddingContract

__all__ = ["open_vectors", "seal_vector", "seal_vectors", "sealed_bytes"]


def seal_vectors(
    connection: sa.Connection,
    contract: EmbeddingContract,
    person_seq: int,
    face_ids: Sequence[str],
    vectors: NDArray[np.float32],
) -> list[bytes]:
    """Vectors ``(n, d)`` of one person's faces as they are stored.

    Args:
        connection: of the transaction that stores them.
        contract: of the vectors.
        person_seq: whose faces they are.
        face_ids: n ids, which a vector is bound to.
        vectors: ``(n, d)`` float32.

    Raises:
        KeyMissing, KeyMismatch: the master key is not the gallery's; nothing is written.
    """
    secrets = [
        (vector.astype("<f4").tobytes(), _context(contract, face_id))
        for vector, face_id in zip(vectors, face_ids, strict=True)
    ]
    return vault_of(connection).seal_for(connection, person_seq, secrets)


def seal_vector(
    contract: EmbeddingContract, face_id: str, vector: NDArray[np.float32], *, key: bytes
) -> bytes:
    """A vector ``(d,)`` as it is stored, under its person's key."""
    return seal(vector.astype("<f4").tobytes(), key=key, context=_context(contract, face_id))


def open_vectors(
    connection: sa.Connection,
    contract: EmbeddingContract,
    rows: Sequence[sa.Row[*tuple[Any, ...]]],
) -> NDArray[np.float32]:
    """Vectors ``(n, d)`` float32 of stored faces, in their order.

    Args:
        connection: of the transaction that reads them.
        contract: of the vectors.
        rows: with ``id``, ``person_seq`` and ``vector`` of each face.

    Raises:
        KeyMissing, KeyMismatch: the master key is not the gallery's, or a template was changed.
        GalleryUnavailable: bytes that are no vector of this contract.
    """
    length = sealed_bytes(contract)
    blobs = [bytes(row.vector) for row in rows]
    if any(len(blob) not in (length, 4 * contract.dim) for blob in blobs):
        raise GalleryUnavailable("A template of the gallery is damaged: restore a backup.")
    sealed = [i for i, blob in enumerate(blobs) if len(blob) == length]
    wanted = [(rows[i].person_seq, blobs[i], _context(contract, rows[i].id)) for i in sealed]
    opened = vault_of(connection).open_for(connection, wanted) if wanted else []
    for i, plain in zip(sealed, opened, strict=True):
        blobs[i] = plain
    return np.frombuffer(b"".join(blobs), "<f4").reshape(-1, contract.dim).astype(np.float32)


def sealed_bytes(contract: EmbeddingContract) -> int:
    """How long a sealed vector of the contract is; a bare one has ``4 * dim`` bytes."""
    return 4 * contract.dim + OVERHEAD


def _context(contract: EmbeddingContract, face_id: str) -> bytes:
    return f"mien face {face_id} {contract}".encode()
