"""Jobs: pieces of work that outlive the request that asked for them, and the process too.

A job is done by one worker at a time, who holds it by a lease. Who is killed does not renew the
lease, and the next worker goes on after the last item that was written down. Times of a lease are
those of the machines' clocks: nodes that share a gallery need clocks that agree to some seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from mien.gallery.access import page_size
from mien.gallery.gallery import Gallery
from mien.gallery.ledger import Job, JobState
from mien.gallery.records import jobs as rows
from mien.gallery.records.jobs import JobItem, new_id

__all__ = ["LEASE_S", "JobItem", "Jobs", "new_id", "waiting_jobs"]

LEASE_S = 20.0
"""Seconds that a worker holds a job without a sign of life."""


def waiting_jobs(gallery: Gallery) -> list[tuple[str, str]]:
    """Application's name and id of the unfinished jobs that nobody works on, of all applications.

    Raises:
        GalleryUnavailable: the database cannot be used.
    """
    with gallery._database.reading() as connection:
        return rows.unfinished_anywhere(connection, datetime.now(UTC))


class Jobs:
    """The jobs of one application. Every method is one transaction.

    Args:
        gallery: the application's view.
        lease_s: seconds that a worker holds a job without a sign of life.
    """

    def __init__(self, gallery: Gallery, *, lease_s: float = LEASE_S) -> None:
        self._gallery = gallery
        self._database = gallery._database
        self._seq = gallery._application.seq
        self._lease = timedelta(seconds=lease_s)

    def create(
        self,
        kind: str,
        *,
        options: Mapping[str, Any],
        total: int,
        job_id: str | None = None,
        limit: int | None = None,
    ) -> Job:
        """A new job, which waits for a worker.

        Args:
            kind: what it does.
            options: as it was asked for, JSON values only.
            total: items that it has.
            job_id: from :func:`new_id`, for who needs it before; None: a new one.
            limit: unfinished jobs that the application may have; None: any number.

        Raises:
            LimitExceeded: it has so many.
        """
        job = Job(job_id or new_id(), kind, "queued", dict(options), total, 0, 0, datetime.now(UTC))
        with self._database.writing(self._seq) as connection:
            rows.create(connection, self._seq, job, limit=limit)
            self._gallery._log(connection, "job.create", job.id, kind=kind, items=total)
        return job

    def job(self, job_id: str) -> Job:
        """The job of that id.

        Raises:
            NotFound: there is none.
        """
        with self._database.reading() as connection:
            return rows.find(connection, self._seq, job_id).job

    def jobs(self, *, after: str | None = None, limit: int = 100) -> list[Job]:
        """Jobs, oldest first, those after the id ``after``; ``limit`` 1 to 1000."""
        limit = page_size(limit)
        with self._database.reading() as connection:
            return rows.page(connection, self._seq, after=after, limit=limit)

    def items(self, job_id: str, *, after: int = -1, limit: int = 100) -> list[JobItem]:
        """What became of a job's items, those after the number ``after``; ``limit`` 1 to 1000.

        Raises:
            NotFound: no such job.
        """
        limit = page_size(limit)
        with self._database.reading() as connection:
            row = rows.find(connection, self._seq, job_id)
            return rows.items(connection, row, after=after, limit=limit)

    def claim(self, job_id: str, worker: str) -> Job | None:
        """Take a job; None: it is finished, or another worker has it.

        Args:
            job_id: which.
            worker: a name that no other worker has.

        Raises:
            NotFound: no such job.
        """
        now = datetime.now(UTC)
        with self._database.writing(self._seq) as connection:
            row = rows.find(connection, self._seq, job_id)
            holder = rows.leased_by(connection, job_id, now)
            if not rows.unfinished(connection, row) or holder not in (None, worker):
                return None
            rows.lease(connection, job_id, worker, now + self._lease)
            return rows.start(connection, row, now).job

    def record(self, job_id: str, worker: str, items: Sequence[JobItem]) -> Job | None:
        """Write down finished items and renew the lease.

        An item that is there already stays as it is. None: the job was cancelled, or another
        worker has taken it; nothing was written down then.
        """
        now = datetime.now(UTC)
        with self._database.writing(self._seq) as connection:
            row = rows.find(connection, self._seq, job_id)
            mine = rows.leased_by(connection, job_id, now) == worker
            if not (mine and rows.unfinished(connection, row)):
                return None
            rows.lease(connection, job_id, worker, now + self._lease)
            return rows.add_items(connection, row, items)

    def progress(
        self, job_id: str, worker: str, *, done: int, total: int, rejected: int
    ) -> Job | None:
        """Say how far a job is that has not an item for everything, and renew the lease.

        None: the job was cancelled, or another worker has taken it.
        """
        now = datetime.now(UTC)
        with self._database.writing(self._seq) as connection:
            row = rows.find(connection, self._seq, job_id)
            mine = rows.leased_by(connection, job_id, now) == worker
            if not (mine and rows.unfinished(connection, row)):
                return None
            rows.lease(connection, job_id, worker, now + self._lease)
            return rows.set_progress(connection, row, done=done, total=total, rejected=rejected)

    def finish(
        self, job_id: str, worker: str, *, state: JobState = "done", error: str | None = None
    ) -> Job | None:
        """End a job; None: it is not this worker's any more."""
        now = datetime.now(UTC)
        with self._database.writing(self._seq) as connection:
            row = rows.find(connection, self._seq, job_id)
            mine = rows.leased_by(connection, job_id, now) == worker
            if not (mine and rows.unfinished(connection, row)):
                return None
            self._gallery._log(connection, f"job.{state}", job_id, done=row.job.done)
            return rows.finish(connection, row, state, now, error)

    def release(self, job_id: str, worker: str) -> None:
        """Let go of a job that is not finished, so that another worker need not wait."""
        with self._database.writing(self._seq) as connection:
            if rows.leased_by(connection, job_id, datetime.now(UTC)) == worker:
                rows.release(connection, job_id)

    def cancel(self, job_id: str) -> Job:
        """End an unfinished job: what it has enrolled stays. Delete a finished one's record.

        Raises:
            NotFound: no such job.
        """
        now = datetime.now(UTC)
        with self._database.writing(self._seq) as connection:
            row = rows.find(connection, self._seq, job_id)
            if rows.unfinished(connection, row):
                self._gallery._log(connection, "job.cancelled", job_id, done=row.job.done)
                return rows.finish(connection, row, "cancelled", now, None)
            rows.delete(connection, self._seq, job_seq=row.seq, before=now)
            self._gallery._log(connection, "job.delete", job_id)
            return row.job

    def purge(self, *, older_than_s: float) -> int:
        """Delete the records of jobs that ended so long ago; how many those were."""
        before = datetime.now(UTC) - timedelta(seconds=older_than_s)
        with self._database.writing(self._seq) as connection:
            return rows.delete(connection, self._seq, job_seq=None, before=before)

    def secret(self) -> bytes:
        """The application's key for what waits outside of the gallery to be worked on."""
        with self._database.writing(self._seq) as connection:
            return self._database.vault.secret(connection, self._seq, "spool")
