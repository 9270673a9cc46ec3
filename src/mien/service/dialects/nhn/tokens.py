"""Next-tokens: where a list goes on, and the parameters that were pinned when it began.

A token holds no secret and opens nothing that its bearer may not read, so it is not encrypted. A
hash over it and the list that it belongs to tells what was changed, cut off or meant for another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from dataclasses import asdict, dataclass

from mien.service.dialects.nhn.codes import Refused, Result

__all__ = ["KEEP_S", "Page", "read_token", "token_of"]

KEEP_S = 24 * 3600
"""Seconds for which a token is good."""

_HASH_BYTES = 12


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list.

    Attributes:
        limit: entries of a page.
        after: the last entry of the page before; None on the first.
        face_id, image_id, external_image_id: only faces that have it.
    """

    limit: int
    after: str | None = None
    face_id: str | None = None
    image_id: str | None = None
    external_image_id: str | None = None


def token_of(page: Page, *, of: str, now: float | None = None) -> str:
    """The token for a page of the list ``of``."""
    issued = int(time.time() if now is None else now)
    text = json.dumps([issued, asdict(page)], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_hash(text, of) + text).decode().rstrip("=")


def read_token(token: str, *, of: str, now: float | None = None) -> Page:
    """The page that a token stands for.

    Raises:
        Refused: not a token of this list, or an old one (-40040).
    """
    try:
        raw = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        told, text = raw[:_HASH_BYTES], raw[_HASH_BYTES:]
        if not hmac.compare_digest(told, _hash(text, of)):
            raise Refused(Result.INVALID_TOKEN)
        issued, page = json.loads(text)
    except (ValueError, binascii.Error):
        raise Refused(Result.INVALID_TOKEN) from None
    if not 0 <= (time.time() if now is None else now) - issued + 60 <= KEEP_S + 60:
        raise Refused(Result.INVALID_TOKEN)
    return Page(**page)


def _hash(text: bytes, of: str) -> bytes:
    return hashlib.sha256(of.encode() + b"\0" + text).digest()[:_HASH_BYTES]
