"""Bodies under limits: counted while they stream, whatever Content-Length claims."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import ClientDisconnect, Request

from mien.errors import DeadlineExceeded, InvalidArgument, Overloaded, RequestTooLarge
from mien.service.pool import ClientGoneError
from mien.stages import stage

__all__ = ["RECORD_BYTES", "ByteBudget", "Holding", "Places", "deadline_s", "read_body"]

RECORD_BYTES = 64 * 1024
"""Bytes of a request that carries no photo."""

GRACE_S = 5.0
"""Seconds that every body has, however short it is."""

BYTES_PER_S = 16 * 1024
"""What a body must bring on average, once the grace is over."""


DEADLINE_HEADER = "X-Deadline-S"


def deadline_s(request: Request, most_s: float) -> float:
    """Seconds that a request may take: what its ``X-Deadline-S`` says, at most ``most_s``.

    Raises:
        InvalidArgument: not a number above 0.
    """
    given = request.headers.get(DEADLINE_HEADER)
    if given is None:
        return most_s
    try:
        wanted = float(given) if len(given) <= 32 else math.nan
    except ValueError:
        wanted = math.nan
    if not 0 < wanted < math.inf:
        raise InvalidArgument(f"{DEADLINE_HEADER} must be seconds above 0, such as 2.5.")
    return min(wanted, most_s)


class Places:
    """Places for bodies that are being read; used on the event loop only.

    A client that sends slowly keeps one of these busy, never a worker or a place in its queue.

    Args:
        count: bodies that may be read at once; one more is refused with 503.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.taken = 0

    @contextmanager
    def hold(self) -> Iterator[None]:
        """One place.

        Raises:
            Overloaded: none is left.
        """
        if self.taken >= self.count:
            raise Overloaded("Too many requests are being read at once; try again later.")
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


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
    """The whole body, at most ``limit`` bytes, of a client that does not dawdle.

    Args:
        request: its body has not been touched.
        limit: bytes.
        timeout_s: seconds until the request's deadline, however fast the body comes.
        holding: what its bytes are counted in.

    Raises:
        RequestTooLarge: declared or really longer.
        Overloaded: the byte budget is used up.
        DeadlineExceeded: it did not arrive in time, or came at less than ``BYTES_PER_S`` after
            ``GRACE_S``.
        ClientGoneError: the client hung up.
    """
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
        raise _too_large(limit)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise InvalidArgument("Content-Encoding is not taken: send the body as it is.")
    try:
        async with asyncio.timeout(0) as clock:
            with stage("read"):
                return await _collect(request, limit, holding, _Pace(clock, timeout_s))
    except TimeoutError:
        raise DeadlineExceeded(
            "The request body did not arrive in time: send a smaller photo, or faster."
        ) from None
    except ClientDisconnect:
        raise ClientGoneError("The client hung up.") from None


class _Pace:
    """Moves a timeout on as bytes arrive, never beyond the deadline."""

    def __init__(self, clock: asyncio.Timeout, timeout_s: float) -> None:
        self._clock = clock
        self._began = asyncio.get_running_loop().time()
        self._deadline = self._began + max(0.0, timeout_s)
        self.arrived(0)

    def arrived(self, size: int) -> None:
        """So many bytes are here in all."""
        due = self._began + GRACE_S + size / BYTES_PER_S
        self._clock.reschedule(min(due, self._deadline))


async def _collect(request: Request, limit: int, holding: Holding | None, pace: _Pace) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        pace.arrived(size)
        if holding is not None:
            holding.take(len(chunk))
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(
        f"The request body may have at most {limit} bytes.", details={"limit": limit}
    )
