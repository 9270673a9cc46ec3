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
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from mien.service.dialects.nhn.codes import Refused, Result

__all__ = ["KEEP_S", "Page", "read_token", "token_of"]

KEEP_S = 24 * 3600
"""Seconds for which a token is good."""

_HASH_BYTES = 12

MAX_LIMIT = 200
"""Entries of a page, as the guide has it."""

Text = Annotated[str, StringConstraints(max_length=1024)] | None


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


class _Pinned(BaseModel):
    """A page as a token has it, which anybody can make: the hash needs no secret."""

    model_config = ConfigDict(extra="forbid", strict=True)

    limit: int = Field(ge=1, le=MAX_LIMIT)
    after: Text
    face_id: Text
    image_id: Text
    external_image_id: Text

    @property
    def page(self) -> Page:
        """It, checked."""
        return Page(**self.model_dump())


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
        if not 0 <= (time.time() if now is None else now) - int(issued) + 60 <= KEEP_S + 60:
            raise Refused(Result.INVALID_TOKEN)
        return _Pinned.model_validate(page).page
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
        raise Refused(Result.INVALID_TOKEN) from None


def _hash(text: bytes, of: str) -> bytes:
    return hashlib.sha256(of.encode() + b"\0" + text).digest()[:_HASH_BYTES]
