"""Repeats: a request that comes again under the same key gets the same answer; it is done once.

The key and the answer are rows of the database, so all servers that share a gallery agree.
"""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta

from mien.errors import IdempotencyConflict, InvalidArgument
from mien.gallery.gallery import Gallery
from mien.gallery.records import repeats as rows

__all__ = ["Repeats"]

_KEY = re.compile(r"[!-~]{1,255}")


class Repeats:
    """The keys of one application. Every method is one transaction.

    Args:
        gallery: the application's view.
        keep_s: seconds for which an answer is kept.
        lease_s: seconds after which a request that was never finished may be done again.
        max_keys: of the application; the oldest answers go first.
        max_bytes: of an answer that is kept, in UTF-8.
    """

    def __init__(
        self, gallery: Gallery, *, keep_s: float, lease_s: float, max_keys: int, max_bytes: int
    ) -> None:
        self._database = gallery._database
        self._seq = gallery._application.seq
        self._keep = timedelta(seconds=keep_s)
        self._lease = timedelta(seconds=lease_s)
        self._max_keys = max_keys
        self._max_bytes = max_bytes

    def begin(self, key: str, request: bytes) -> tuple[str, str | None]:
        """Whoever may do a request, or the answer that it got.

        Args:
            key: 1 to 255 visible ASCII characters.
            request: SHA-256 of all that the request says.

        Returns:
            A token for :meth:`finish` or :meth:`release`, and None; or any text and the answer.

        Raises:
            InvalidArgument: not a key.
            IdempotencyConflict: the key was used for another request, the request is being worked
                on, or its answer is not kept; ``details["reason"]`` says which.
        """
        if not _KEY.fullmatch(key):
            raise InvalidArgument("An Idempotency-Key has 1 to 255 visible ASCII characters.")
        now = datetime.now(UTC)
        holder = uuid.uuid4().hex
        with self._database.writing(self._seq) as connection:
            known = rows.find(connection, self._seq, key)
            if known is not None and known.expires_at > now:
                return holder, _answer(known, request)
            rows.upkeep(connection, self._seq, now=now, most=self._max_keys)
            rows.claim(
                connection, self._seq, key, request=request, holder=holder, until=now + self._lease
            )
        return holder, None

    def finish(self, key: str, holder: str, answer: str) -> None:
        """Keep the answer of a request that was done; one that is too long only as done."""
        if len(answer.encode("utf-8", "replace")) > self._max_bytes:
            answer = ""
        until = datetime.now(UTC) + self._keep
        with self._database.writing(self._seq) as connection:
            rows.finish(connection, self._seq, key, holder=holder, answer=answer, until=until)

    def release(self, key: str, holder: str) -> None:
        """The request was refused and changed nothing: it may come again."""
        with self._database.writing(self._seq) as connection:
            rows.release(connection, self._seq, key, holder=holder)


def _answer(known: rows.Row, request: bytes) -> str:
    if known.request != request:
        raise IdempotencyConflict(
            "This Idempotency-Key was used for another request: take a new one.",
            details={"reason": "other_request"},
        )
    if known.answer is None:
        raise IdempotencyConflict(
            "The request with this Idempotency-Key is being worked on: ask again in a moment.",
            details={"reason": "in_progress"},
        )
    if not known.answer:
        raise IdempotencyConflict(
            "The request with this Idempotency-Key was done; its answer is not kept.",
            details={"reason": "answer_not_kept"},
        )
    return known.answer
