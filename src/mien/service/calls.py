"""Calls: how many requests each application made, written down every few seconds."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from datetime import UTC, datetime

from mien.errors import MienError, NotFound
from mien.gallery import Gallery
from mien.service.errors import log_unexpected

__all__ = ["CallCounter"]

logger = logging.getLogger("mien.service")

FLUSH_S = 10.0


class CallCounter:
    """Counts in memory and writes the sums by itself; a killed server loses those of 10 seconds.

    Args:
        gallery: a view of any application.
    """

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to write."""
        if self._thread is None and not self._stopped.is_set():
            self._thread = threading.Thread(target=self._run, name="mien-calls", daemon=True)
            self._thread.start()

    def count(self, application: str, kind: str) -> None:
        """One request more; writes nothing yet."""
        day = datetime.now(UTC).date().isoformat()
        with self._lock:
            self._counts[application, day, kind] += 1

    def flush(self) -> None:
        """Write what was counted (blocking); what cannot be written is counted on."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        for application in sorted({name for name, _, _ in counts}):
            own = {at: number for at, number in counts.items() if at[0] == application}
            try:
                view = self._gallery.for_application(application)
                view.count_calls({(day, kind): number for (_, day, kind), number in own.items()})
            except NotFound:
                continue  # the application has been deleted
            except MienError as error:
                logger.warning("calls cannot be counted: %s", error.code)
                with self._lock:
                    self._counts.update(own)

    def close(self, *, timeout_s: float) -> None:
        """Stop, and write the rest."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            self.flush()

    def _run(self) -> None:
        while not self._stopped.wait(FLUSH_S):
            try:
                self.flush()
            except Exception as error:
                log_unexpected(error, request_id="calls")
