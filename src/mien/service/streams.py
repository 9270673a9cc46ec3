"""Streams: bodies and answers that are larger than what a server holds in memory."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Callable
from typing import IO, Any, BinaryIO, cast

from starlette.requests import ClientDisconnect, Request

from mien.errors import (
    ArchiveUnusable,
    DeadlineExceeded,
    GalleryUnavailable,
    InvalidArgument,
    RequestTooLarge,
)
from mien.service.limits import BYTES_PER_S, GRACE_S
from mien.service.pool import ClientGoneError

__all__ = ["STALL_S", "receive_into", "stream_of"]

STALL_S = 60.0
"""Seconds for which a client may take nothing of a stream."""

BLOCKS = 4
WRITTEN_AT_ONCE = 1 << 20


async def receive_into(file: IO[bytes], request: Request, *, limit: int) -> None:
    """Write a request's body into a file, however long it takes, unless the client dawdles.

    Args:
        file: on the disk; written by another thread.
        request: its body has not been touched.
        limit: bytes.

    Raises:
        RequestTooLarge: longer.
        DeadlineExceeded: slower than the limits of every body allow.
        ClientGoneError: the client hung up.
        GalleryUnavailable: the disk is full.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise InvalidArgument("Content-Encoding is not taken: send the body as it is.")
    loop = asyncio.get_running_loop()
    began, size, waiting = loop.time(), 0, bytearray()
    try:
        async with asyncio.timeout(GRACE_S) as clock:
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise RequestTooLarge(
                        f"The archive may have at most {limit} bytes.", details={"limit": limit}
                    )
                waiting += chunk
                if len(waiting) >= WRITTEN_AT_ONCE:
                    await asyncio.to_thread(_write, file, bytes(waiting))
                    waiting.clear()
                clock.reschedule(max(began + GRACE_S + size / BYTES_PER_S, loop.time() + GRACE_S))
    except TimeoutError:
        raise DeadlineExceeded("The archive came too slowly: send it again.") from None
    except ClientDisconnect:
        raise ClientGoneError("The client hung up.") from None
    await asyncio.to_thread(_write, file, bytes(waiting))
    file.seek(0)


async def stream_of(write: Callable[[BinaryIO], object]) -> AsyncGenerator[bytes, None]:
    """What ``write`` writes into a file, block by block; it runs on a thread and never far ahead.

    An error before the first block is raised before anything is given; a later one ends the
    stream without its end, which whoever reads an archive sees. When nobody reads any more,
    ``write`` is ended by an error at its next block.
    """
    pipe = _Pipe(asyncio.get_running_loop())
    task = asyncio.create_task(asyncio.to_thread(write, cast("BinaryIO", pipe)))
    task.add_done_callback(pipe.end)
    try:
        while (block := await pipe.blocks.get()) is not None:
            pipe.room.release()
            yield block
        await task
    finally:
        pipe.abandon()
        await asyncio.wait({task})


class _Pipe(io.RawIOBase):
    """A file that an event loop reads what is written into."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.blocks: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.room = asyncio.Semaphore(BLOCKS)
        self._loop = loop
        self._abandoned = False

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401 - whatever has bytes
        block = bytes(data)
        waiting = asyncio.run_coroutine_threadsafe(self._put(block), self._loop)
        try:
            waiting.result(STALL_S)
        except TimeoutError:
            waiting.cancel()
            self._abandoned = True
        if self._abandoned:
            raise ArchiveUnusable("Nobody reads the archive any more.")
        return len(block)

    def end(self, writer: asyncio.Task[object]) -> None:
        """The writer has ended (called on the loop)."""
        if not writer.cancelled():
            writer.exception()  # looked at, so that one that nobody awaits any more is no complaint
        self.blocks.put_nowait(None)

    def abandon(self) -> None:
        """Nobody reads any more (called on the loop)."""
        self._abandoned = True
        self.room.release()  # for the block that waits

    async def _put(self, block: bytes) -> None:
        await self.room.acquire()
        self.blocks.put_nowait(block)


def _write(file: IO[bytes], data: bytes) -> None:
    try:
        file.write(data)
        file.flush()
    except OSError:
        raise GalleryUnavailable("The server has no room for the upload: make some.") from None
