"""Service: what one running server holds. One object per app, no module-level state."""

from __future__ import annotations

import logging
import threading

from mien.config import Settings, available_cores
from mien.config_exposure import MODELS, RELOADED
from mien.engine import Engine
from mien.errors import MienError
from mien.gallery import Gallery
from mien.service.auth import KeyCache
from mien.service.calls import CallCounter
from mien.service.errors import log_unexpected
from mien.service.fetch import Fetcher
from mien.service.guard import Guard
from mien.service.jobs import JobRunner
from mien.service.limits import ByteBudget, Places
from mien.service.metrics import Metrics
from mien.service.pool import Pool
from mien.service.retention import Retention
from mien.service.tidying import Tidying

__all__ = ["Service"]

logger = logging.getLogger("mien.service")

RECORD_WORKERS = 4
RECORD_QUEUE = 128
BODIES_IN_MEMORY = 4
BODIES_READ_AT_ONCE = 256
ARCHIVES_AT_ONCE = 2
RETRY_S = 30.0


class Service:
    """The engine, the gallery and the two pools of one app.

    Attributes:
        engine: the models for requests that come now; each keeps the one that it began with.
        inference: workers for photos (``settings.workers``, ``settings.queue_size``).
        records: workers for everything that only asks the database, so that listing groups and
            checking keys go on while all inference workers are busy.
        keys: what valid keys open; opened_by_id: what an application's id opens, where a dialect
            needs no more.
        reading: places for bodies that are being read, apart from the workers' queues.
        archives: places for archives that are being written or read.
        jobs: does what outlives its request, on the inference workers, behind all requests.
        calls: counts the requests of each application.
        tidying: gives memory back that photos have let go.
        retention: deletes at intervals what the groups' retention no longer allows.
        guard: how often addresses and keys may ask.
        budget: bytes of request bodies in memory (read, waiting or worked on), four of the
            largest.
        fetcher: photos by URL, for the dialects; used on the event loop only.
    """

    def __init__(self, engine: Engine, gallery: Gallery, settings: Settings) -> None:
        self.engine = engine
        self.gallery = gallery
        self.settings = settings
        self.inference = Pool(
            workers=settings.workers or available_cores(),
            queue_size=settings.queue_size,
            name="mien-inference",
        )
        self.records = Pool(workers=RECORD_WORKERS, queue_size=RECORD_QUEUE, name="mien-records")
        self.reading = Places(BODIES_READ_AT_ONCE)
        self.archives = Places(ARCHIVES_AT_ONCE)
        self.budget = ByteBudget(BODIES_IN_MEMORY * settings.max_request_bytes)
        self.metrics = Metrics(inference=self.inference, records=self.records)
        self.metrics.watch_bodies(self.reading, self.budget)
        self.keys = KeyCache()
        self.opened_by_id = KeyCache()
        self.guard = Guard(settings)
        self.jobs = JobRunner(engine, gallery, settings, self.inference)
        self.fetcher = Fetcher(settings)
        self.retention = Retention(
            gallery, interval_s=settings.purge_interval_s, metrics=self.metrics.purges
        )
        self.calls = CallCounter(gallery)
        self.tidying = Tidying()
        self._models_ready = threading.Event()
        self._stopped = threading.Event()

    @property
    def models_ready(self) -> bool:
        """The models have been loaded."""
        return self._models_ready.is_set()

    @property
    def stopping(self) -> bool:
        """New work is refused."""
        return self._stopped.is_set()

    def wait_for_stop(self, seconds: float) -> bool:
        """Wait until new work is refused, or so long (blocking); whether it is."""
        return self._stopped.wait(seconds)

    def warm_up(self) -> None:
        """Load the models in the background, so that the first request does not wait for them.

        Retention begins with it.
        """
        self.retention.start()
        self.calls.start()
        self.tidying.start()
        threading.Thread(target=self._load_models, name="mien-warm-up", daemon=True).start()

    def gallery_answers(self) -> bool:
        """Ask the database for anything (blocking)."""
        try:
            self.gallery.groups(limit=1)
        except MienError as error:
            logger.warning("the gallery does not answer: %s", error.code)
            return False
        return True

    def take_settings(self, fresh: Settings) -> tuple[list[str], list[str]]:
        """Take the settings that a running service can take; used on the event loop.

        Returns:
            Names of those that changed now, and of those that wait for a restart.
        """
        old = self.settings
        changed = [
            name for name in type(old).model_fields if getattr(old, name) != getattr(fresh, name)
        ]
        taken = [name for name in changed if name in RELOADED]
        self.settings = old.model_copy(update={name: getattr(fresh, name) for name in taken})
        self.guard.limits = self.settings
        return taken, [name for name in changed if name not in RELOADED]

    def take_engine(self, engine: Engine, fresh: Settings) -> Engine:
        """Give requests from now on other models; used on the event loop.

        Args:
            engine: loaded.
            fresh: the settings that it was opened with.

        Returns:
            The engine that was used so far, which requests may still be at work with.
        """
        old, self.engine = self.engine, engine
        self.jobs.engine = engine
        self.settings = self.settings.model_copy(
            update={name: getattr(fresh, name) for name in MODELS}
        )
        return old

    def stop(self) -> None:
        """Refuse new work from now on; what was accepted goes on."""
        self._stopped.set()
        self.jobs.stop()
        self.retention.stop()
        self.inference.refuse()
        self.records.refuse()

    def close(self) -> None:
        """Finish accepted work and end the threads (blocking)."""
        self.stop()
        self.jobs.close(timeout_s=self.settings.request_timeout_s)
        self.retention.close(timeout_s=self.settings.request_timeout_s)
        self.inference.close(timeout_s=self.settings.request_timeout_s)
        self.records.close(timeout_s=self.settings.request_timeout_s)
        self.tidying.close()
        self.fetcher.close()
        self.calls.close(timeout_s=self.settings.request_timeout_s)

    def _load_models(self) -> None:
        while not self._stopped.is_set():
            try:
                self.engine.load()
            except MienError as error:
                logger.error("the models cannot be loaded: %s: %s", error.code, error.message)
            except Exception as error:
                log_unexpected(error, request_id="start")
            else:
                self._models_ready.set()
                self.jobs.start()
                return
            self._stopped.wait(RETRY_S)
