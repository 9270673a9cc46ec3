"""Leases: of all processes that share a gallery, one does a piece of upkeep."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mien.gallery.gallery import Gallery
from mien.gallery.records import jobs as rows

__all__ = ["lease", "release"]


def lease(gallery: Gallery, what: str, worker: str, *, seconds: float) -> bool:
    """Take a piece of upkeep of the whole gallery; False: another worker has it.

    Args:
        gallery: any view of it.
        what: is done, such as ``purge``.
        worker: a name that no other worker has.
        seconds: that it is taken for, by the machines' clocks.

    Raises:
        GalleryUnavailable: the database cannot be used.
    """
    now = datetime.now(UTC)
    with gallery._database.writing() as connection:
        if rows.leased_by(connection, what, now) not in (None, worker):
            return False
        rows.lease(connection, what, worker, now + timedelta(seconds=seconds))
        return True


def release(gallery: Gallery, what: str, worker: str) -> None:
    """Let another worker take it at once.

    Raises:
        GalleryUnavailable: the database cannot be used.
    """
    with gallery._database.writing() as connection:
        if rows.leased_by(connection, what, datetime.now(UTC)) == worker:
            rows.release(connection, what)
