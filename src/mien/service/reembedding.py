"""The job that moves a group to another recognition model, while it is searched."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import Executor
from dataclasses import dataclass

from mien.engine import Engine
from mien.engine.reembedding import MissingFace, Options, Reembedding, reembed
from mien.errors import GalleryError
from mien.gallery import Gallery, Job
from mien.gallery.jobs import JobItem, Jobs

__all__ = ["REEMBED", "Bearer", "reembed_group"]

REEMBED = "reembed"
BATCH = 16  # faces between two signs of life: at the slowest one a second, within a lease

_WHY = {
    "no_image": "No image is kept with the face: enrol its photo again.",
    "no_face": "The detector finds no face in the image that is kept.",
    "image_unusable": "The image that is kept cannot be used.",
}


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who works on a job, and whether to go on.

    Attributes:
        jobs, job_id: of the application, and which.
        worker: whose lease it is.
        stopped: set when the server is stopping.
    """

    jobs: Jobs
    job_id: str
    worker: str
    stopped: threading.Event

    def go_on(self, done: int, total: int, rejected: int = 0) -> bool:
        """Say how far it is; False: it is not this worker's any more."""
        found = self.jobs.progress(
            self.job_id, self.worker, done=done, total=total, rejected=rejected
        )
        return found is not None and not self.stopped.is_set()


class _Stopped(Exception):  # noqa: N818 - not an error
    """The job is not this worker's any more."""


def reembed_group(
    engine: Engine, gallery: Gallery, job: Job, bearer: Bearer, threads: Executor
) -> bool:
    """Do a job of the kind :data:`REEMBED`; what a killed worker embedded is not done again.

    Args:
        engine: with the server's own model.
        gallery: the application's view.
        job: ``options``: ``group``, ``embedder`` (None: the server's own), ``drop_missing``,
            ``dry_run``.
        bearer: who works on it.
        threads: who looks at the images.

    Returns:
        False: it was cancelled, or the server is stopping.

    Raises:
        GalleryError: faces that cannot be embedded keep the group where it is; they are the job's
            items.
    """

    def watch(done: int, total: int) -> None:
        if not bearer.go_on(done, total):
            raise _Stopped

    wanted = Options(
        drop_missing=bool(job.options["drop_missing"]),
        dry_run=bool(job.options["dry_run"]),
        watch=watch,
        threads=threads,
        at_once=BATCH,
    )
    try:
        found = reembed(engine, gallery, str(job.options["group"]), job.options["embedder"], wanted)
    except _Stopped:
        return False
    return _written(found, bearer)


def _written(found: Reembedding, bearer: Bearer) -> bool:
    """The faces without a template as items, and how it ended."""
    items = (_item(number, one) for number, one in enumerate(found.missing))
    while batch := list(itertools.islice(items, BATCH)):
        if bearer.jobs.record(bearer.job_id, bearer.worker, batch) is None:
            return False
    missing = len(found.missing)
    total = found.embedded + found.resumed + missing
    if not bearer.go_on(total, max(total, found.faces), missing):
        return False
    if missing and not (found.moved or found.dry_run):
        raise GalleryError(
            f"{missing} face(s) cannot be embedded again, so the group stays as it is: the items "
            "say which. Enrol their photos again, delete them, or ask with drop_missing."
        )
    return True


def _item(number: int, face: MissingFace) -> JobItem:
    """A face that has no template; its own id stands where a photo's name would."""
    return JobItem(number, face.face_id, face.person, "rejected", (face.reason,), _WHY[face.reason])
