"""Threads: an engine's pool, which works on the items of one call in parallel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["Threads"]

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Threads:
    """A pool that is made when it is first needed.

    Args:
        budget: how many threads at most.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._inside = threading.local()

    @property
    def pool(self) -> ThreadPoolExecutor:
        """The threads themselves."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._budget, "mien", initializer=self._enter)
            return self._pool

    def _enter(self) -> None:
        self._inside.yes = True

    def map(self, function: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer]:
        """``function`` of each item, in order; from inside such a function one after the other."""
        work = list(items)
        if len(work) < 2 or self._budget < 2 or getattr(self._inside, "yes", False):
            return [function(item) for item in work]
        return list(self.pool.map(function, work))

    def close(self) -> None:
        """Finish running work and let the threads go; they come again when they are needed."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()
