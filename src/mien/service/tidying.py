"""Tidying: memory that photos have let go is given back to the system, every minute.

The C library keeps freed memory of each thread's arena for the next photo, of whatever size that
will be: a server that is sent photos of all sizes holds twice what it uses, and holds it overnight.
"""

from __future__ import annotations

import threading

from mien.models.memory import give_back

__all__ = ["INTERVAL_S", "Tidying"]

INTERVAL_S = 60.0


class Tidying:
    """A thread that gives memory back at intervals; nothing where the C library is not glibc."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        if self._thread is None and not self._stopped.is_set():
            self._thread = threading.Thread(target=self._run, name="mien-tidying", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop, and wait for it."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(INTERVAL_S):
            give_back()
