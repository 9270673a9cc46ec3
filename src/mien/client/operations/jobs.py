"""Work that outlives its request."""

from __future__ import annotations

from os import PathLike

from mien.client import shapes
from mien.client.asking import Ask, Pages, asks, lists
from mien.client.wire import Request, delete, path, post

__all__ = ["JobOperations"]


class JobOperations:
    """Begin jobs, and see how far they are."""

    @asks
    def enroll_archive(
        self,
        group: str,
        archive: bytes | str | PathLike[str],
        *,
        idempotency_key: str | None = None,
    ) -> Ask[shapes.JobAnswer]:
        """Enrol a zip in the background: one folder per person, or a ``manifest.csv``."""
        files = [("archive", archive)]
        address = path("/v1/groups/{}/jobs/enroll", group)
        return Ask(post(address, files=files, key=idempotency_key))

    @asks
    def reembed(
        self,
        group: str,
        *,
        embedder: str | None = None,
        drop_missing: bool = False,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> Ask[shapes.JobAnswer]:
        """Move a group to another recognition model, in the background. Needs ``admin``."""
        body = {"embedder": embedder, "drop_missing": drop_missing, "dry_run": dry_run}
        address = path("/v1/groups/{}/jobs/reembed", group)
        return Ask(post(address, json=body, key=idempotency_key))

    @lists
    def jobs(self, *, limit: int = 100) -> Pages[shapes.JobShape]:
        """The application's jobs, oldest first."""
        return Pages("/v1/jobs", "jobs", {}, limit)

    @asks
    def job(self, job_id: str) -> Ask[shapes.JobAnswer]:
        """One job: its state and how far it is."""
        return Ask(Request("GET", path("/v1/jobs/{}", job_id)))

    @lists
    def job_items(self, job_id: str, *, limit: int = 100) -> Pages[shapes.JobItemShape]:
        """What became of each photo of a job."""
        return Pages(path("/v1/jobs/{}/items", job_id), "items", {}, limit)

    @asks
    def cancel_job(self, job_id: str) -> Ask[None]:
        """Cancel an unfinished job; delete the record of a finished one."""
        return Ask(delete(path("/v1/jobs/{}", job_id), None))
