"""Retention: purges all applications at intervals, one server of a gallery at a time."""

from __future__ import annotations

import logging
import random
import threading
import time
import uuid
from contextlib import suppress

from mien.errors import MienError
from mien.gallery import Gallery
from mien.gallery.leases import lease, release
from mien.service.errors import log_unexpected
from mien.service.metrics import PurgeMetrics

__all__ = ["Retention"]

logger = logging.getLogger("mien.service")

ACTOR = "retention"
RETRY_S = 60.0
JITTER = 0.1  # servers that were started together do not ask at the same moment for ever


class Retention:
    """A thread that deletes what the groups' retention no longer allows.

    Args:
        gallery: a view of any application.
        interval_s: seconds from one purge to the next; 0: none.
        metrics: where it is counted.
    """

    def __init__(self, gallery: Gallery, *, interval_s: float, metrics: PurgeMetrics) -> None:
        self._gallery = gallery
        self._interval_s = interval_s
        self._metrics = metrics
        self._worker = uuid.uuid4().hex
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; nothing happens where the interval is 0."""
        if self._interval_s and self._thread is None and not self._stopped.is_set():
            self._thread = threading.Thread(target=self._run, name="mien-retention", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Begin no other purge."""
        self._stopped.set()

    def close(self, *, timeout_s: float) -> None:
        """Stop, and wait for a purge that runs."""
        self.stop()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def purge(self) -> bool:
        """Purge now, unless another server has done so within the interval; whether it went well.

        The lease is kept for most of the interval, so that all servers together purge once in it.
        """
        try:
            if not lease(
                self._gallery, "purge", self._worker, seconds=(1 - JITTER) * self._interval_s
            ):
                return True
            if not self._purge_all():
                release(self._gallery, "purge", self._worker)
                return False
        except Exception as error:
            if isinstance(error, MienError):
                logger.warning("the retention purge failed: %s", error.code)
            else:
                log_unexpected(error, request_id="retention")
            self._metrics.runs.labels("failed").inc()
            with suppress(MienError):
                release(self._gallery, "purge", self._worker)
            return False
        self._metrics.runs.labels("done").inc()
        self._metrics.last.set(time.time())
        return True

    def _purge_all(self) -> bool:
        """Every application; False: this server is stopping."""
        after = None
        while page := self._gallery.applications(after=after, limit=1000):
            for application in page:
                if self._stopped.is_set():
                    return False
                view = self._gallery.for_application(application.name, actor=ACTOR)
                purged = view.privacy.purge()
                self._metrics.faces.inc(purged.faces)
                self._metrics.persons.inc(purged.persons)
            after = page[-1].name
        return True

    def _run(self) -> None:
        wait_s = random.uniform(0, JITTER) * self._interval_s  # noqa: S311 - no secret
        while not self._stopped.wait(wait_s):
            went_well = self.purge()
            jitter = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
            wait_s = jitter * (self._interval_s if went_well else min(RETRY_S, self._interval_s))
