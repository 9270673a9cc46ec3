"""AsyncClient: the operations of ``/v1``, each sent and awaited."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import AsyncIterator, Sequence
from os import PathLike
from typing import Self, TypeVar

import httpx

from mien.client import shapes
from mien.client.asking import Ask, Pages
from mien.client.operations import Operations
from mien.client.wire import (
    Request,
    Retries,
    Wishes,
    async_blocks_of,
    error_of,
    new_file,
    sending,
    unsent,
)
from mien.errors import DeadlineExceeded

__all__ = ["AsyncClient"]

T = TypeVar("T")


class AsyncClient(Operations):
    """Talks to ``mien serve``. For one event loop; close it after use.

    Answers are the JSON of the server, as typed dictionaries. What the server refuses is raised as
    the class of :mod:`mien.errors` that has the answer's ``code``. Photos are bytes, or paths of
    files on this side, which are streamed. Options that are None are the server's own.

    Args:
        url: of the server, such as ``http://127.0.0.1:8000``.
        key: an API key, or a liveness session's token; None: the server has ``MIEN_AUTH=false``.
        timeout_s: for connecting, and between two pieces of an answer.
        retries: when a request is sent again; None: three times.
        transport: instead of the network, for tests.

    Example:
        >>> async with AsyncClient("http://127.0.0.1:8000", "mien_...") as client:  # doctest: +SKIP
        ...     await client.create_group("staff")
        ...     await client.create_person("staff", "Ann")
        ...     await client.enroll("staff", "Ann", ["ann.jpg"])
        ...     (await client.identify("staff", "door.jpg"))["faces"]
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout_s: float = 60.0,
        retries: Retries | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._wishes = Wishes(retries or Retries())
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={} if key is None else {"Authorization": f"Bearer {key}"},
            timeout=timeout_s,
            transport=transport,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def with_options(
        self,
        *,
        timeout_s: float | None = None,
        deadline_s: float | None = None,
        request_id: str | None = None,
        retries: Retries | None = None,
    ) -> Self:
        """This client with other options; both share their connections, and are closed as one.

        Args:
            timeout_s: for connecting, and between two pieces of an answer.
            deadline_s: within which the server has to answer, or stops working on it.
            request_id: of its requests, in the server's log.
            retries: when a request is sent again.
        """
        other = copy.copy(self)
        other._wishes = self._wishes.changed(
            timeout_s=timeout_s, deadline_s=deadline_s, request_id=request_id, retries=retries
        )
        return other

    async def wait_for(
        self, job_id: str, *, timeout_s: float = 3600.0, every_s: float = 1.0
    ) -> shapes.JobAnswer:
        """Ask for a job until it is done, failed or cancelled.

        Raises:
            DeadlineExceeded: it is not after ``timeout_s``; it goes on.
        """
        until = time.monotonic() + timeout_s
        while True:
            job = await self.job(job_id)
            if job["state"] not in ("queued", "running"):
                return job
            if time.monotonic() >= until:
                raise DeadlineExceeded(f"The job {job_id} is not done yet; it goes on.")
            await asyncio.sleep(every_s)

    async def export_archive(
        self,
        file: str | PathLike[str],
        *,
        passphrase: str,
        groups: Sequence[str] | None = None,
        log: bool = False,
    ) -> None:
        """Write the application's groups into a new file, encrypted. Needs the scope ``admin``.

        Raises:
            ArchiveUnusable: there is a file already, or it cannot be written; a file that was
                begun is deleted.
        """
        request = self._archive(passphrase, groups, log=log)
        try:
            with sending(request, self._wishes, async_blocks_of) as arguments:
                async with self._http.stream(**arguments) as answer:
                    if not answer.is_success:
                        await answer.aread()
                        raise error_of(answer)
                    with new_file(file) as archive:
                        async for block in answer.aiter_bytes():
                            archive.write(block)
        except httpx.TransportError as error:
            raise unsent(error) from None

    async def _ask(self, ask: Ask[T]) -> T:
        return ask.read(await self._send(ask.request))

    async def _list(self, pages: Pages[T]) -> AsyncIterator[T]:
        entries, after = pages.read(await self._send(pages.page()))
        for one in entries:
            yield one
        while after is not None:
            entries, after = pages.read(await self._send(pages.page(after)))
            for one in entries:
                yield one

    async def _send(self, request: Request) -> httpx.Response:
        attempt = 0
        while True:
            answer = None
            try:
                with sending(request, self._wishes, async_blocks_of) as arguments:
                    answer = await self._http.request(**arguments)
            except httpx.TransportError as error:
                failure = unsent(error)
            else:
                if answer.is_success:
                    return answer
                failure = error_of(answer)
            pause = self._wishes.retries.pause(attempt, answer, request)
            if pause < 0:
                raise failure
            await asyncio.sleep(pause)
            attempt += 1
