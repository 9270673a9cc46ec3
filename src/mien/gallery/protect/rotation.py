"""Rotation: a secret orthogonal matrix for the vectors that another system stores.

Inner products, and so every similarity and ranking, survive it; templates of two applications
cannot be linked, and a stolen index cannot be compared with a face without the seed (ISO/IEC
24745: unlinkability, renewability). It hides directions only, not the similarities inside one
index, so it complements encryption and does not replace it.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from numpy.typing import NDArray
from scipy.special import ndtri

from mien.errors import InvalidArgument

__all__ = ["MAX_DIM", "SEED_BYTES", "rotation"]

SEED_BYTES = 32
MAX_DIM = 8192


@lru_cache(maxsize=8)
def rotation(seed: bytes, dim: int) -> NDArray[np.float32]:
    """The orthogonal matrix ``(dim, dim)`` of ``seed``; ``vectors @ matrix`` rotates rows.

    Uniform over all rotations and reflections: the Q of a QR decomposition of a matrix of normal
    numbers, its signs fixed by R's diagonal (Mezzadri 2007, "How to generate random matrices from
    the classical compact groups"). The numbers come from ChaCha20 keyed by the seed, so that two
    nodes with the same seed agree to rounding, and nobody without it can guess them.

    Args:
        seed: 32 secret bytes.
        dim: length of the vectors, 1 to 8192.

    Raises:
        InvalidArgument: a seed or a dimension that cannot be.
    """
    if len(seed) != SEED_BYTES or not 1 <= dim <= MAX_DIM:
        raise InvalidArgument(f"A rotation needs {SEED_BYTES} bytes and 1 to {MAX_DIM} dimensions.")
    basis, triangle = np.linalg.qr(_normals(seed, dim))
    matrix = np.ascontiguousarray(basis * np.sign(np.diagonal(triangle)), np.float32)
    matrix.flags.writeable = False  # it is shared by all callers
    return matrix


def _normals(seed: bytes, dim: int) -> NDArray[np.float64]:
    key = hashlib.sha256(b"mien rotation 1" + dim.to_bytes(4, "little") + seed).digest()
    stream = Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor()
    words = np.frombuffer(stream.update(bytes(8 * dim * dim)), "<u8")
    uniform = ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    return np.asarray(ndtri(uniform), np.float64).reshape(dim, dim)
