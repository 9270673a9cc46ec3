"""Bodies under limits: counted while they stream, whatever Content-Length claims."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import ClientDisconnect, Request

from mien.errors import DeadlineExceeded, InvalidArgument, Overloaded, RequestTooLarge
from mien.service.pool import ClientGoneError

__all__ = ["RECORD_BYTES", "ByteBudget", "read_body"]

RECORD_BYTES = 64 * 1024
"""Bytes of a request that carries no photo."""


class ByteBudget:
    """Bytes of all request bodies that are in memory at once; used on the event loop only.

    Args:
        total: bytes; what would go beyond is refused with 503.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.used = 0

    @contextmanager
    def hold(self) -> Iterator[Holding]:
        """What one request takes from the budget; all of it goes back at the end."""
        holding = Holding(self)
        try:
            yield holding
        finally:
            self.used -= holding.bytes


class Holding:
    """The share of one request."""

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self.bytes = 0

    def take(self, count: int) -> None:
        """Take ``count`` more bytes.

        Raises:
            Overloaded: the budget is used up.
        """
        if self._budget.used + count > self._budget.total:
            raise Overloaded("Too many large requests at once; try again later.")
        self._budget.used += count
        self.bytes += count


async def read_body(
    request: Request, *, limit: int, timeout_s: float, holding: Holding | None = None
) -> bytes:
    """The whole body, at most ``limit`` bytes.

    Raises:
        RequestTooLarge: declared or really longer.
        Overloaded: the byte budget is used up.
        DeadlineExceeded: it did not arrive in time.
        ClientGoneError: the client hung up.
    """
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
        raise _too_large(limit)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise InvalidArgument("Content-Encoding is not taken: send the body as it is.")
    try:
        async with asyncio.timeout(max(0.0, timeout_s)):
            return await _collect(request, limit, holding)
    except TimeoutError:
        raise DeadlineExceeded("The request body did not arrive in time.") from None
    except ClientDisconnect:
        raise ClientGoneError("The client hung up.") from None


async def _collect(request: Request, limit: int, holding: Holding | None) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        if holding is not None:
            holding.take(len(chunk))
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(
        f"The request body may have at most {limit} bytes.", details={"limit": limit}
    )
