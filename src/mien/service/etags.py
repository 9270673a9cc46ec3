"""ETags: whether a record is still what a client saw (RFC 9110, 13.1)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from mien.errors import PreconditionFailed
from mien.types import Result

__all__ = ["names", "only_if", "tag_of"]


def tag_of(content: Mapping[str, Any]) -> str:
    """The tag of what an answer says, without the request's id."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return f'"{hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]}"'


def names(header: str, tag: str) -> bool:
    """Whether ``If-None-Match`` names the tag (weak comparison)."""
    given = [one.strip().removeprefix("W/") for one in header.split(",")]
    return tag in given or given == ["*"]


def only_if(header: str | None) -> Callable[[Result], None] | None:
    """A check of the record that is to be changed, for ``If-Match``; None without the header.

    The check raises ``PreconditionFailed`` where no tag is the record's (strong comparison).
    """
    if header is None:
        return None
    given = [one.strip() for one in header.split(",")]

    def check(record: Result) -> None:
        if given != ["*"] and tag_of(record.to_dict()) not in given:
            raise PreconditionFailed(
                "It has been changed since: read it again, and send its ETag as If-Match."
            )

    return check
