"""A small disk of a test's own, which can really be full, grow, and be read-only."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Disk", "DiskNotAllowed", "mounted"]


class DiskNotAllowed(Exception):  # noqa: N818 - a reason to skip a test, not an error
    """Nobody but root mounts."""


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system in memory.

    Attributes:
        folder: where it is mounted.
    """

    folder: Path

    def resize(self, size: str) -> None:
        """Make room, or take it: ``2m`` is two MiB."""
        _mount("-o", f"remount,size={size}", str(self.folder))

    def freeze(self, *, frozen: bool = True) -> None:
        """Make it read-only, or no longer; nobody may have a file open for writing."""
        _mount("-o", f"remount,{'ro' if frozen else 'rw'}", str(self.folder))

    def fill(self, *, but: int = 0) -> Path:
        """A file that takes all the room but so many bytes."""
        path, block = self.folder / "filling", b"x" * 4096
        with path.open("wb", buffering=0) as file:
            try:
                while file.write(block) == len(block):
                    pass
            except OSError:
                pass
            file.truncate(max(0, file.tell() - but))
        return path


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Disk]:
    """Mount a disk on an empty folder.

    Raises:
        DiskNotAllowed: this process may not.
    """
    try:
        _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    except (OSError, subprocess.CalledProcessError):
        raise DiskNotAllowed("Only root mounts a disk.") from None
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S603, S607


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)  # noqa: S603, S607
