"""JobRunner: does the jobs of all applications, one at a time, behind every request."""

from __future__ import annotations

import io
import itertools
import logging
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError
from typing import Any

from mien.config import Settings
from mien.engine import Engine, PhotoOutcome
from mien.engine.bulk import photos_in_zip
from mien.engine.enrolment import EnrolmentPhoto, enroll_each
from mien.errors import GalleryUnavailable, KeyMissing, MienError, NotFound
from mien.gallery import Gallery, Job
from mien.gallery.jobs import JobItem, Jobs, new_id, waiting_jobs
from mien.service.errors import log_unexpected
from mien.service.pool import Background, Pool
from mien.service.reembedding import REEMBED, Bearer, reembed_group
from mien.service.spool import Spool

__all__ = ["ENROLL", "JobRunner"]

logger = logging.getLogger("mien.service")

ENROLL = "enroll"
LOOK_S = 2.0  # jobs of a server that was killed are taken on when their lease has ended
TIDY_S = 3600.0
BATCH = 16  # photos that are written down at once,
BATCH_S = 1.0  # or those of so long
ALONE_FROM = 3  # times that a server began at a photo and died: now one photo after the other,
REFUSED_FROM = 5  # so that it is known which one it was
SERVER_DIED = "server_died"


class JobRunner:
    """Enrols uploads in the background. What is not finished when it stops, goes on later.

    Args:
        engine: it looks at the photos; :attr:`engine` may be replaced, and the next job gets it.
        gallery: a view of any application.
        settings: limits, and where uploads wait.
        pool: whose workers look at the photos when no request needs them.
    """

    def __init__(self, engine: Engine, gallery: Gallery, settings: Settings, pool: Pool) -> None:
        self.engine = engine
        self._gallery = gallery
        self._settings = settings
        self._threads = Background(pool)
        self._ahead = max(1, pool.workers - 1)
        self._spool = Spool(settings.data_dir / "spool")
        self._worker = uuid.uuid4().hex
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._tidied = 0.0

    # ------------------------------------------------------------------ for requests

    def enroll(self, gallery: Gallery, group: str, archive: bytes) -> Job:
        """Keep a zip and make a job of it.

        Raises:
            NotFound: no such group.
            InvalidArgument: a zip that cannot be used.
            LimitExceeded: too many unfinished jobs.
            GalleryUnavailable: it cannot be kept.
        """
        name = gallery.group(group).name
        total = len(photos_in_zip(io.BytesIO(archive), self._settings))
        jobs, job_id = Jobs(gallery), new_id()
        self._spool.put(job_id, archive, key=jobs.secret())
        try:
            job = jobs.create(
                ENROLL,
                options={"group": name},
                total=total,
                job_id=job_id,
                limit=self._settings.max_jobs,
            )
        except BaseException:
            self._spool.drop(job_id)
            raise
        self._wake.set()
        return job

    def reembed(self, gallery: Gallery, group: str, wanted: Mapping[str, Any]) -> Job:
        """Make a job that moves a group to another recognition model.

        Args:
            gallery, group: which.
            wanted: what a :class:`~mien.service.reembedding.Wanted` is made of.

        Raises:
            NotFound: no such group.
            UnknownModel: no such recognition model.
            LimitExceeded: too many unfinished jobs.
        """
        found = gallery.group(group)
        if wanted["embedder"] is not None:
            self.engine.models.card(wanted["embedder"], "embed")
        job = Jobs(gallery).create(
            REEMBED,
            options={"group": found.name, **wanted},
            total=found.faces,
            limit=self._settings.max_jobs,
        )
        self._wake.set()
        return job

    def cancel(self, gallery: Gallery, job_id: str) -> None:
        """Cancel a job, or delete the record of a finished one.

        Raises:
            NotFound: no such job.
        """
        Jobs(gallery).cancel(job_id)
        self._spool.drop(job_id)

    # ------------------------------------------------------------------ life

    def start(self) -> None:
        """Begin, once the models are there."""
        with self._starting:
            if self._thread is None and not self._stopped.is_set():
                self._thread = threading.Thread(target=self._run, name="mien-jobs", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Begin nothing new; the job at hand is left where it is."""
        self._stopped.set()
        self._wake.set()

    def close(self, *, timeout_s: float) -> None:
        """Stop, and wait until the job at hand has been let go of."""
        self.stop()
        with self._starting:  # the models may become ready in this moment
            thread = self._thread
        if thread is not None:
            thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.clear()
            try:
                self._tidy()
                worked = self._work_on_one()
            except MienError as error:
                logger.warning("jobs wait: %s", error.code)
                worked = False
            except Exception as error:
                log_unexpected(error, request_id="jobs")
                worked = False
            if not worked:
                self._wake.wait(LOOK_S)

    def _work_on_one(self) -> bool:
        for application, job_id in waiting_jobs(self._gallery):
            view = self._gallery.for_application(application, actor=f"job: {job_id}")
            jobs = Jobs(view)
            if not self._spool.has(job_id) and jobs.job(job_id).kind == ENROLL:
                continue  # it waits on another node
            job = jobs.claim(job_id, self._worker)
            if job is not None:
                self._do(view, job)
                return True
        return False

    def _tidy(self) -> None:
        """Delete old records, and uploads whose job has ended or never came to be."""
        now = time.time()
        if now - self._tidied < TIDY_S:
            return
        self._tidied = now
        keep_s = self._settings.job_keep_days * 86_400
        ended = set(self._spool.ids(older_than=now - TIDY_S))
        after = None
        while page := self._gallery.applications(after=after, limit=1000):
            for application in page:
                jobs = Jobs(self._gallery.for_application(application.name))
                jobs.purge(older_than_s=keep_s)
                ended -= {job_id for job_id in ended if _is_open(jobs, job_id)}
            after = page[-1].name
        for job_id in ended:
            self._spool.drop(job_id)

    # ------------------------------------------------------------------ one job

    def _do(self, gallery: Gallery, job: Job) -> None:
        jobs = Jobs(gallery)
        try:
            work = self._reembed if job.kind == REEMBED else self._enroll
            if work(gallery, jobs, job):
                jobs.finish(job.id, self._worker)
        except CancelledError:
            pass  # the pool is closing
        except (GalleryUnavailable, KeyMissing) as error:
            logger.warning("job %s waits: %s", job.id, error.code)
            self._stopped.wait(LOOK_S)
        except MienError as error:
            jobs.finish(job.id, self._worker, state="failed", error=error.message)
        except Exception as error:
            log_unexpected(error, request_id=f"job {job.id}")
            jobs.finish(job.id, self._worker, state="failed", error="Something went wrong.")
        finally:
            self._let_go(jobs, job.id)

    def _let_go(self, jobs: Jobs, job_id: str) -> None:
        try:
            if _is_open(jobs, job_id):
                self._spool.calm(job_id)
                jobs.release(job_id, self._worker)
            else:
                self._spool.drop(job_id)
        except MienError as error:  # the lease ends by itself
            logger.warning("job %s: %s", job_id, error.code)

    def _enroll(self, gallery: Gallery, jobs: Jobs, job: Job) -> bool:
        """Enrol what is left; False: it was cancelled, or this server is stopping."""
        data = self._spool.get(job.id, key=jobs.secret())
        photos = photos_in_zip(io.BytesIO(data), self._settings)
        begun = self._spool.begin(job.id, job.done)
        alone = begun >= ALONE_FROM
        left = itertools.islice(photos, job.done, None)
        if begun >= REFUSED_FROM and (deadly := next(left, None)) is not None:
            noted = jobs.record(job.id, self._worker, [_deadly(job.done, deadly)])
            if noted is None:
                return False
            job = noted
        outcomes = enroll_each(
            self.engine,
            gallery,
            str(job.options["group"]),
            left,
            threads=self._threads,
            ahead=1 if alone else self._ahead,
            create_group=False,
            job_id=job.id,
        )
        items = _items(gallery, jobs, job, outcomes)
        try:
            for batch in _batches(items, size=1 if alone else BATCH):
                if jobs.record(job.id, self._worker, batch) is None or self._stopped.is_set():
                    return False
        finally:
            outcomes.close()
        return True

    def _reembed(self, gallery: Gallery, jobs: Jobs, job: Job) -> bool:
        """Move a group; False: it was cancelled, or this server is stopping."""
        bearer = Bearer(jobs, job.id, self._worker, self._stopped)
        return reembed_group(self.engine, gallery, job, bearer, self._threads)


def _is_open(jobs: Jobs, job_id: str) -> bool:
    try:
        return jobs.job(job_id).finished_at is None
    except NotFound:
        return False


def _items(
    gallery: Gallery, jobs: Jobs, job: Job, outcomes: Iterator[PhotoOutcome]
) -> Iterator[JobItem]:
    """Outcomes as items. What a killed worker stored and did not write down is this job's."""
    told: set[str] = set()
    for number, outcome in enumerate(outcomes, job.done):
        rejection, face_id = outcome.rejection, outcome.face_id
        if outcome.known_face is not None and number < job.done + BATCH:
            told.update(item.face_id for item in _all_items(jobs, job.id) if item.face_id)
            if outcome.known_face not in told and _is_since(gallery, job, outcome.known_face):
                rejection, face_id = None, outcome.known_face
        if face_id is not None:
            told.add(face_id)
        why = rejection or outcome.warning
        yield JobItem(
            number,
            outcome.photo.name,
            outcome.photo.person,
            "enrolled" if rejection is None else "rejected",
            () if why is None else why.reasons,
            "" if why is None else why.message,
            outcome.sha256,
            face_id,
        )


def _is_since(gallery: Gallery, job: Job, face_id: str) -> bool:
    try:
        stored = gallery.face(str(job.options["group"]), face_id)
    except NotFound:  # deleted in this moment
        return False
    return stored.created_at >= job.created_at


def _all_items(jobs: Jobs, job_id: str) -> Iterator[JobItem]:
    after = -1
    while page := jobs.items(job_id, after=after, limit=1000):
        yield from page
        after = page[-1].number


def _deadly(number: int, photo: EnrolmentPhoto) -> JobItem:
    message = f"The server died {REFUSED_FROM - 1} times with this photo in hand."
    return JobItem(
        number, photo.name, photo.person, "rejected", (SERVER_DIED,), message, None, None
    )


def _batches(items: Iterator[JobItem], *, size: int) -> Iterator[list[JobItem]]:
    batch: list[JobItem] = []
    began = time.monotonic()
    for item in items:
        batch.append(item)
        if len(batch) >= size or time.monotonic() - began > BATCH_S:
            yield batch
            batch, began = [], time.monotonic()
    if batch:
        yield batch
