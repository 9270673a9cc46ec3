"""Quarantine: many work at once, and whoever is under suspicion alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Quarantine"]


class Quarantine:
    """Lets many threads work together, or one of them alone. Who waits to be alone goes first.

    Example:
        >>> quarantine = Quarantine()
        >>> with quarantine.together(), quarantine.together():
        ...     pass
        >>> with quarantine.alone():
        ...     pass
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._together = 0
        self._waiting = 0  # to be alone
        self._is_alone = False

    @contextmanager
    def together(self) -> Iterator[None]:
        """Work beside others; wait while somebody is alone, or wants to be."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_alone and not self._waiting)
            self._together += 1
        try:
            yield
        finally:
            with self._changed:
                self._together -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Work when all others have done theirs, and let nobody begin."""
        with self._changed:
            self._waiting += 1
            try:
                self._changed.wait_for(lambda: not self._is_alone and not self._together)
                self._is_alone = True
            finally:
                self._waiting -= 1
        try:
            yield
        finally:
            with self._changed:
                self._is_alone = False
                self._changed.notify_all()
