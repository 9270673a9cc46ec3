"""Sealing: authenticated encryption of short secrets, such as a template or a key.

AES-256-GCM (NIST SP 800-38D) with a random nonce. A sealed value is ::

    format (1 byte) | nonce (12) | ciphertext (as long as the secret) | tag (16)

and opens only with the same key and the same *context*: bytes that say what it is and whose, so
that a sealed value which was copied to another row does not open there.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mien.errors import KeyMismatch

__all__ = ["KEY_BYTES", "OVERHEAD", "new_key", "open_sealed", "seal"]

KEY_BYTES = 32
FORMAT = 1
NONCE_BYTES = 12
TAG_BYTES = 16
OVERHEAD = 1 + NONCE_BYTES + TAG_BYTES


def new_key() -> bytes:
    """A random key of 256 bits."""
    return AESGCM.generate_key(KEY_BYTES * 8)


def seal(secret: bytes, *, key: bytes, context: bytes) -> bytes:
    """``secret`` encrypted, :data:`OVERHEAD` bytes longer.

    Args:
        secret: any bytes.
        key: 32 bytes; at most 2**32 secrets may be sealed with one (random nonces of 96 bits).
        context: what the secret is and whose; not secret, and needed to open it again.

    Example:
        >>> key = new_key()
        >>> open_sealed(seal(b"template", key=key, context=b"face 1"), key=key, context=b"face 1")
        b'template'
    """
    nonce = os.urandom(NONCE_BYTES)
    return bytes([FORMAT]) + nonce + AESGCM(key).encrypt(nonce, secret, context)


def open_sealed(sealed: bytes, *, key: bytes, context: bytes) -> bytes:
    """The secret inside ``sealed``.

    Raises:
        KeyMismatch: another key or context, or bytes that were changed.
    """
    if len(sealed) < OVERHEAD or sealed[0] != FORMAT:
        raise KeyMismatch("A stored secret is damaged, or was sealed by a newer Mien.")
    nonce, body = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    try:
        return AESGCM(key).decrypt(nonce, body, context)
    except InvalidTag:
        raise KeyMismatch(
            "A stored secret does not open: the key is not the one that it was sealed with, or "
            "the gallery was changed from outside. Nothing has been changed. Name the right "
            "master key (MIEN_MASTER_KEY or MIEN_MASTER_KEY_FILE)."
        ) from None
