"""How a template lies in the database: the one place where vectors become bytes and come back.

The first byte is the format: 0 is the vector as it is, float32, little-endian. Rows of the first
schema have no such byte and are as long as the bare vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mien.errors import GalleryUnavailable
from mien.types import EmbeddingContract

__all__ = ["open_vectors", "seal_vectors"]

_PLAIN = b"\x00"


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
    """
    return [_PLAIN + vector.astype("<f4").tobytes() for vector in vectors]


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
        GalleryUnavailable: bytes that are no vector of this contract.
    """
    length = 4 * contract.dim
    blobs = [bytes(row.vector) for row in rows]
    if any(len(blob) != length + 1 for blob in blobs):
        blobs = [_PLAIN + blob if len(blob) == length else blob for blob in blobs]
    if any(len(blob) != length + 1 or blob[:1] != _PLAIN for blob in blobs):
        raise GalleryUnavailable("A template of the gallery is damaged: restore a backup.")
    table = np.frombuffer(b"".join(blobs), np.uint8).reshape(len(blobs), length + 1)
    return np.ascontiguousarray(table[:, 1:]).view("<f4").astype(np.float32, copy=False)
