"""Snapshots: a folder with one file a group, so that a large index is there soon after a start.

A snapshot is a convenience. Whatever is wrong with one (damaged, cut off, of another version,
written with another key), it is deleted and the index is rebuilt from the records.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from mien.errors import GalleryUnavailable, MienError
from mien.gallery.index.shelf import View
from mien.gallery.index.snapshot import Facts, erase, facts_of, read, write

__all__ = ["Snapshots"]

_log = logging.getLogger(__name__)

_END = ".index"
_UNFINISHED = (".next", ".next.new")
_WAIT_S = 30.0


class Snapshots:
    """The snapshots of one database. Safe to use from several threads and processes.

    Args:
        folder: where they are; made (mode 0700) when the first is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def groups(self) -> list[int]:
        """The groups that have one."""
        if not self._folder.is_dir():
            return []
        names = [path.name[: -len(_END)] for path in self._folder.glob(f"*{_END}")]
        return sorted(int(name) for name in names if name.isdecimal())

    def exists(self, group: int) -> bool:
        """Whether there is one of the group."""
        return self._path(group).exists()

    def load(
        self, group: int, *, key: bytes, fits: Callable[[Facts], bool]
    ) -> tuple[Facts, View] | None:
        """The snapshot of a group, if there is one that can be read and ``fits``.

        One that cannot be read or does not fit is deleted. What ``fits`` raises goes on: that the
        database cannot be asked says nothing of the snapshot.
        """
        if not self.exists(group):
            return None
        path, context = self._path(group), _context(group)
        reason = "it is out of date"
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(self.alone(group, reading=True))
                facts = facts_of(path, key=key, context=context)
            except Exception as error:  # whatever it is, the records are whole
                reason = _reason(error)
            else:
                if fits(facts):
                    try:
                        return read(path, key=key, context=context)
                    except Exception as error:
                        reason = _reason(error)
        _log.warning("The index's snapshot of group %d is not used: %s", group, reason)
        with contextlib.suppress(GalleryUnavailable):
            self.drop(group)
        return None

    def look(self, group: int, *, key: bytes) -> tuple[Facts, View]:
        """The snapshot of a group as it is; unlike :meth:`load` it never deletes it.

        Raises:
            KeyMismatch, GalleryUnavailable: it cannot be read.
        """
        with self.alone(group, reading=True):
            return read(self._path(group), key=key, context=_context(group))

    @contextlib.contextmanager
    def alone(self, group: int, *, reading: bool = False) -> Iterator[None]:
        """Nobody else reads, exchanges or overwrites the group's file meanwhile.

        Raises:
            GalleryUnavailable: somebody else has had it for too long.
            OSError: the folder cannot be written, and it is not only for reading.
        """
        lock = FileLock(self._path(group, ".lock"), timeout=_WAIT_S)
        try:
            lock.acquire()
        except Timeout:
            raise GalleryUnavailable("The index's snapshot is locked by another program.") from None
        except OSError:
            if not reading:
                raise
        try:
            yield
        finally:
            lock.release()

    def facts(self, group: int, *, key: bytes) -> Facts | None:
        """The facts of a group's snapshot; None: there is none, or it cannot be read.

        To be asked :meth:`alone`.
        """
        try:
            return facts_of(self._path(group), key=key, context=_context(group))
        except (MienError, ValueError, KeyError, TypeError):
            return None

    def save(
        self,
        group: int,
        view: View,
        facts: Facts,
        *,
        key: bytes,
        then: Callable[[], None],
    ) -> bool:
        """Write a group's snapshot, and call ``then`` while still :meth:`alone` with it.

        Returns:
            False where it could not be written, such as on a full disk, or is being written by
            somebody else. Nothing is wrong then, but the next start is slower.
        """
        ready = self._path(group, ".next")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with FileLock(self._path(group, ".saving"), timeout=0):
                try:
                    write(ready, view, facts, key=key, context=_context(group))
                    with self.alone(group):
                        ready.replace(self._path(group))
                        then()
                finally:
                    ready.unlink(missing_ok=True)
        except Timeout:
            return False
        except (GalleryUnavailable, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            _log.warning("The index's snapshot of group %d is not written: %s", group, reason)
            return False
        return True

    def erase(self, group: int, ids: NDArray[np.int64], *, upto: int, key: bytes) -> None:
        """Overwrite the vectors of some ids in a group's snapshot, or else delete it.

        To be done :meth:`alone`.

        Raises:
            GalleryUnavailable: neither can be done.
        """
        try:
            erase(self._path(group), ids, upto=upto, key=key, context=_context(group))
        except (MienError, ValueError, KeyError, TypeError) as error:
            _log.warning("The index's snapshot of group %d is deleted: %s", group, error)
            self.drop(group)

    def sweep(self, group: int) -> None:
        """Delete what a writer left behind that was killed; one that is writing is left alone.

        Raises:
            GalleryUnavailable: it cannot be deleted.
        """
        left = [self._path(group, end) for end in _UNFINISHED]
        if not any(path.exists() for path in left):
            return
        try:
            with FileLock(self._path(group, ".saving"), timeout=0):
                self._unlink(left)
        except Timeout:
            return
        except OSError as error:
            raise self._left(error) from None

    def drop(self, group: int) -> None:
        """Delete a group's snapshot, if there is one.

        Raises:
            GalleryUnavailable: it cannot be deleted.
        """
        self._unlink([self._path(group, end) for end in ("", *_UNFINISHED)])

    def _unlink(self, paths: list[Path]) -> None:
        try:
            for path in paths:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise self._left(error) from None

    def _left(self, error: OSError) -> GalleryUnavailable:
        return GalleryUnavailable(
            f"The index's snapshot of a group cannot be deleted ({error.strerror}): it still "
            f"holds what was deleted from the group. Delete the folder {self._folder.name!r}."
        )

    def _path(self, group: int, end: str = "") -> Path:
        return self._folder / f"{group}{_END}{end}"


def _context(group: int) -> bytes:
    return f"mien index snapshot {group}".encode()


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
