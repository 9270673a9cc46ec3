"""Spool: uploads that wait for their job, sealed, in a folder that only this user can open."""

from __future__ import annotations

import os
import re
from pathlib import Path

from mien.errors import GalleryUnavailable
from mien.gallery.protect import open_sealed, seal

__all__ = ["Spool"]

_NAME = re.compile(r"[0-9a-f]{32}\.sealed")


class Spool:
    """Files by the id of their job.

    Args:
        folder: made with mode 0700 when it is first needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, job_id: str, data: bytes, *, key: bytes) -> None:
        """Keep an upload, encrypted (AES-256-GCM); it is there whole or not at all.

        Raises:
            GalleryUnavailable: the folder cannot be written, or the disk is full.
        """
        part = self._folder / f".{job_id}.part"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(seal(data, key=key, context=_context(job_id)))
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._file(job_id))
        except OSError as error:
            part.unlink(missing_ok=True)
            raise GalleryUnavailable(
                f"The upload cannot be kept for its job ({error.strerror}): make room in the "
                "server's data folder, or let it be written."
            ) from None

    def get(self, job_id: str, *, key: bytes) -> bytes:
        """The upload of a job.

        Raises:
            GalleryUnavailable: it cannot be read.
            KeyMismatch: it was changed, or the key is another one.
        """
        try:
            sealed = self._file(job_id).read_bytes()
        except OSError:
            raise GalleryUnavailable("The upload of the job cannot be read.") from None
        return open_sealed(sealed, key=key, context=_context(job_id))

    def has(self, job_id: str) -> bool:
        """Whether the upload is on this machine."""
        return self._file(job_id).is_file()

    def drop(self, job_id: str) -> None:
        """Delete an upload, if it is there."""
        self._file(job_id).unlink(missing_ok=True)
        self.calm(job_id)

    def begin(self, job_id: str, place: int) -> int:
        """Note that work on a job begins at a photo, in case the process does not survive it.

        Args:
            job_id: which.
            place: number of the first photo that is not done.

        Returns:
            How many times in a row it has begun there, this time included, without
            :meth:`calm` in between. 1 where that cannot be written down.
        """
        file = self._begun(job_id)
        try:
            before, times = map(int, file.read_text().split())
        except (OSError, ValueError):
            before, times = place, 0
        times = times + 1 if before == place else 1
        try:
            with file.open("w") as out:
                out.write(f"{place} {times}")
                out.flush()
                os.fsync(out.fileno())
        except OSError:
            return 1
        return times

    def calm(self, job_id: str) -> None:
        """Note that the process has survived its work on a job."""
        self._begun(job_id).unlink(missing_ok=True)

    def ids(self, *, older_than: float = float("inf")) -> list[str]:
        """Jobs that have an upload here, written before that time (seconds since 1970)."""
        if not self._folder.is_dir():
            return []
        files = [file for file in self._folder.iterdir() if _NAME.fullmatch(file.name)]
        return [file.stem for file in files if file.stat().st_mtime < older_than]

    def _begun(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.begun"

    def _file(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.sealed"


def _context(job_id: str) -> bytes:
    return f"upload of job {job_id}".encode()
