"""Who is asking: ``Authorization: Bearer KEY``, checked against the gallery, cached briefly."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

from mien.errors import Forbidden, Unauthorized
from mien.gallery import DEFAULT_APPLICATION, ApiKey, Gallery, Scope

__all__ = [
    "CACHE_S",
    "Access",
    "KeyCache",
    "bearer",
    "ensure_first_key",
    "permit",
]

CACHE_S = 0.5
"""Seconds for which a key that was valid is not looked up again: a revoked one ends within it."""
CACHE_KEYS = 1000
REMEMBERED_S = 10.0
"""Seconds for which the application of a key is known, for whoever is refused for lack of room."""


@dataclass(frozen=True, slots=True)
class Access:
    """A valid key and its application's view of the gallery."""

    key: ApiKey
    gallery: Gallery

    @classmethod
    def of(cls, gallery: Gallery, secret: str) -> Access:
        """Check a key against the database (blocking).

        Raises:
            Unauthorized: unknown, revoked or expired.
        """
        key = gallery.authenticate(secret)
        return cls(key, gallery.for_application(key.application, actor=f"key {key.id}"))


class KeyCache:
    """Valid keys of the last moment, by the hash of their secret; used on the event loop only."""

    def __init__(self) -> None:
        self._keys: dict[bytes, tuple[Access, float]] = {}

    def find(self, secret: str) -> Access | None:
        """What the key opens, when it was valid within :data:`CACHE_S`."""
        return self._within(secret, CACHE_S)

    def remembered(self, secret: str) -> Access | None:
        """What the key opened within :data:`REMEMBERED_S`; it may have been revoked since."""
        return self._within(secret, REMEMBERED_S)

    def add(self, secret: str, access: Access) -> None:
        """Remember a key that has just been found valid."""
        if len(self._keys) >= CACHE_KEYS:
            self._keys.clear()
        self._keys[_digest(secret)] = (access, time.monotonic())

    def forget(self, secret: str) -> None:
        """Drop a key that was found not valid any more."""
        self._keys.pop(_digest(secret), None)

    def _within(self, secret: str, seconds: float) -> Access | None:
        found = self._keys.get(_digest(secret))
        return found[0] if found is not None and time.monotonic() < found[1] + seconds else None


def permit(key: ApiKey, scope: Scope) -> None:
    """Check that a key may do ``scope``.

    Raises:
        Forbidden: it may not.
    """
    if not key.allows(scope):
        raise Forbidden(
            f"This key lacks the scope {scope.value!r}.", details={"scope": scope.value}
        )


def bearer(header: str | None) -> str:
    """The key in an ``Authorization`` header.

    Raises:
        Unauthorized: there is none.
    """
    kind, _, secret = (header or "").partition(" ")
    if kind.lower() != "bearer" or not secret.strip():
        raise Unauthorized("Send an API key: Authorization: Bearer KEY.")
    return secret.strip()


def ensure_first_key(gallery: Gallery) -> str | None:
    """Create a key in the application ``default`` when the gallery has none at all.

    Returns:
        The secret, to be shown once, or None where there is a key already.
    """
    after = None
    while page := gallery.applications(after=after):
        if any(gallery.keys(application.name) for application in page):
            return None
        after = page[-1].name
    _, secret = gallery.create_key(DEFAULT_APPLICATION)
    return secret


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
