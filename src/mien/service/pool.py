"""A bounded pool of worker threads: what does not fit is refused at once, never queued.

A request takes a :class:`Slot` when its body is there, so that a slow client cannot keep a worker
idle; one that would not fit is refused before its body is read (:meth:`Pool.refuse_if_full`).

Applications take turns: each has a lane of its own, and free workers go round the lanes. Any lane
may fill the whole queue; one that has fewer places than the longest takes the last one of that.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import partial
from typing import Any, Generic, ParamSpec, TypeVar

from mien.errors import DeadlineExceeded, Overloaded, ServiceError
from mien.stages import note, stage

__all__ = ["Background", "ClientGoneError", "Pool", "Slot"]

PATIENCE_S = 1.0
"""Work in the background that has waited so long gets the next free worker."""

P = ParamSpec("P")
T = TypeVar("T")


class ClientGoneError(ServiceError):
    """The client hung up before its answer was ready; nobody reads this error."""

    code = "client_gone"


class _Job(Generic[T]):
    """A call that waits for a worker. ``call`` is dropped as soon as it is not needed."""

    def __init__(self, call: Callable[[], T], slot: Slot, loop: asyncio.AbstractEventLoop) -> None:
        self.call: Callable[[], T] | None = call
        self.slot = slot
        self.loop = loop
        self.result: asyncio.Future[T] = loop.create_future()
        self._context = contextvars.copy_context()
        self._since = time.monotonic()

    def run(self) -> None:
        call, self.call = self.call, None
        if call is None:
            return
        try:
            value = self._context.run(_timed, call, self._since)
        except BaseException as error:  # handed to the waiting request
            del call
            self._tell(partial(self._fail, error))
        else:
            del call
            self._tell(partial(self._succeed, value))

    def displace(self) -> None:
        """Give the place to somebody else, before any worker has begun."""
        self.call = None
        busy = Overloaded("Others wait too, and this application has most places: try again later.")
        self._tell(partial(self._fail, busy))

    def _tell(self, outcome: Callable[[], None]) -> None:
        self.slot.release()
        with suppress(RuntimeError):  # the loop has closed: nobody waits any more
            self.loop.call_soon_threadsafe(outcome)

    def _succeed(self, value: T) -> None:
        if not self.result.done():
            self.result.set_result(value)

    def _fail(self, error: BaseException) -> None:
        if not self.result.done():
            self.result.set_exception(error)


def _timed(call: Callable[[], T], since: float) -> T:
    note("wait", since)
    with stage("work"):
        return call()


class Slot:
    """A place in the pool, held from admission until the job has ended. Release is idempotent."""

    def __init__(self, pool: Pool, lane: str) -> None:
        self.lane = lane
        self._pool = pool
        self._held = True
        self._job: _Job[Any] | None = None

    def release(self) -> None:
        """Give the place back."""
        if self._held:
            self._held = False
            self._pool._released(self.lane)

    def abandon(self) -> None:
        """Give the place back unless a worker is at it (then it ends with the job)."""
        if self._job is None or self._pool._withdraw(self._job):
            self.release()

    async def run(
        self,
        call: Callable[[], T],
        *,
        timeout_s: float,
        gone: Callable[[], Awaitable[None]] | None = None,
    ) -> T:
        """Run ``call`` on a worker and wait for its value.

        Args:
            call: the work; it must not touch the event loop.
            timeout_s: seconds until the deadline.
            gone: returns when the client has hung up.

        Raises:
            DeadlineExceeded: not done in time; queued work is dropped, running work ends unread.
            Overloaded: the place in the queue went to an application that has fewer.
            ClientGoneError: ``gone`` returned first; queued work is dropped.
        """
        loop = asyncio.get_running_loop()
        job = _Job(call, self, loop)
        del call
        self._job = job
        self._pool._enqueue(job)
        watch = None if gone is None else asyncio.ensure_future(gone())
        waiting: set[asyncio.Future[Any]] = {job.result}
        if watch is not None:
            waiting.add(watch)
        try:
            await asyncio.wait(
                waiting, timeout=max(0.0, timeout_s), return_when=asyncio.FIRST_COMPLETED
            )
            if job.result.done():
                return job.result.result()
            if watch is not None and watch.done():
                raise ClientGoneError("The client hung up.")
            raise DeadlineExceeded(
                "The answer took longer than the deadline; try again, or send less at a time."
            )
        finally:
            self.abandon()
            job.result.cancel()
            if watch is not None:
                watch.cancel()


class Background(Executor):
    """Work that nobody waits for, on a pool's workers, behind all requests.

    It runs while a worker would be idle, and leaves one of several workers alone. Where there is
    always a request, a piece of it runs each :data:`PATIENCE_S`, on one worker: it goes on slowly.

    Args:
        pool: whose workers.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue a call; its future is cancelled where the pool is closing."""
        future: Future[T] = Future()
        if not self._pool._later(_Later(partial(fn, *args, **kwargs), future)):
            future.cancel()
        return future


class _Later(Generic[T]):
    """A call in the background."""

    def __init__(self, call: Callable[[], T], future: Future[T]) -> None:
        self.call = call
        self.future = future
        self.since = time.monotonic()

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            value = self.call()
        except BaseException as error:  # handed to whoever asks for the result
            self.future.set_exception(error)
        else:
            self.future.set_result(value)


class Pool:
    """``workers`` threads and ``queue_size`` places to wait.

    Args:
        workers: threads, at least 1.
        queue_size: requests that may wait beside those that run.
        name: prefix of the threads' names.
    """

    def __init__(self, *, workers: int, queue_size: int, name: str) -> None:
        self.workers = workers
        self.capacity = workers + queue_size
        self._lanes: OrderedDict[str, deque[_Job[Any]]] = OrderedDict()  # in the order of turns
        self._held: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._background: deque[_Later[Any]] = deque()
        self._helping = 0
        self._helped_at = 0.0
        self._taken = 0
        self._running = 0
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{i}", daemon=True)
            for i in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def taken(self) -> int:
        """Slots in use: requests that wait or run."""
        return self._taken

    @property
    def full(self) -> bool:
        """No place is free; an application that has fewer than others may still get one."""
        return self._taken >= self.capacity

    @property
    def waiting(self) -> int:
        """Jobs that wait for a worker."""
        with self._changed:
            return sum(map(len, self._lanes.values()))

    @property
    def running(self) -> int:
        """Workers that are busy."""
        return self._running

    def admit(self, lane: str = "") -> Slot:
        """Take a place.

        Args:
            lane: whose work it is.

        Raises:
            Overloaded: none is left, or the pool is closing.
        """
        with self._changed:
            self.refuse_if_full(lane)
            if self._taken >= self.capacity:
                longest = self._longest()
                if longest is not None:
                    self._pop(longest, last=True).displace()
            self._taken += 1
            self._held[lane] += 1
        return Slot(self, lane)

    def refuse_if_full(self, lane: str = "") -> None:
        """Take no place, but say now that there would be none.

        Args:
            lane: whose work it is.

        Raises:
            Overloaded: none is left, or the pool is closing.
        """
        if self._closed:
            raise Overloaded("The server is stopping; try again in a moment.")
        if self._taken < self.capacity:
            return
        with self._changed:
            longest = self._longest()
            if longest is None or self._held[longest] <= self._held[lane] + 1:
                raise Overloaded("All workers are busy and the queue is full; try again later.")

    def close(self, *, timeout_s: float) -> None:
        """Refuse new work, finish what has been accepted, stop the threads (blocking)."""
        with self._changed:
            self._closed = True
            while self._background:
                self._background.popleft().future.cancel()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout_s)

    def refuse(self) -> None:
        """Refuse new work from now on; what has been accepted goes on."""
        self._closed = True

    def _enqueue(self, job: _Job[Any]) -> None:
        with self._changed:
            self._lanes.setdefault(job.slot.lane, deque()).append(job)
            self._changed.notify()

    def _withdraw(self, job: _Job[Any]) -> bool:
        with self._changed:
            lane = job.slot.lane
            try:
                self._lanes[lane].remove(job)
            except (KeyError, ValueError):
                return False
            if not self._lanes[lane]:
                del self._lanes[lane]
            job.call = None
            return True

    def _released(self, lane: str) -> None:
        with self._changed:
            self._taken -= 1
            self._held[lane] -= 1
            if not self._held[lane]:
                del self._held[lane]

    def _longest(self) -> str | None:
        """Of the lanes that have work waiting, the one with the most places."""
        return max(self._lanes, key=self._held.__getitem__, default=None)

    def _pop(self, lane: str, *, last: bool = False) -> _Job[Any]:
        """Take the first job out of a lane, or its last; the lane goes behind all others."""
        jobs = self._lanes[lane]
        job = jobs.pop() if last else jobs.popleft()
        if not jobs:
            del self._lanes[lane]
        elif not last:
            self._lanes.move_to_end(lane)
        return job

    def _later(self, work: _Later[Any]) -> bool:
        with self._changed:
            if self._closed:
                return False
            self._background.append(work)
            self._changed.notify()
            return True

    def _work(self) -> None:
        while True:
            with self._changed:
                while (work := self._next()) is None:
                    if self._closed and self._taken == 0:
                        return
                    self._changed.wait(0.5 if self._closed else None)
                self._running += 1
                self._helping += isinstance(work, _Later)
            try:
                work.run()
            finally:
                with self._changed:
                    self._running -= 1
                    self._helping -= isinstance(work, _Later)
                    if self._background:
                        self._changed.notify()
                del work

    def _next(self) -> _Job[Any] | _Later[Any] | None:
        """What a free worker does now: a request, or else something in the background."""
        if self._background and not self._closed:
            now = time.monotonic()
            overdue = now - max(self._background[0].since, self._helped_at) > PATIENCE_S
            most = 1 if self._lanes else max(1, self.workers - 1)
            if self._helping < most and (overdue or not self._lanes):
                self._helped_at = now
                return self._background.popleft()
        return self._pop(next(iter(self._lanes))) if self._lanes else None
