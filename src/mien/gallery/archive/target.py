"""The file that an archive or a backup is written to: whole, durable and private, or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mien.errors import ArchiveUnusable

__all__ = ["new_file", "open_file"]


@contextmanager
def new_file(path: str | Path, *, force: bool = False) -> Iterator[BinaryIO]:
    """A file to write, which gets its name when the block ends well; mode 0600.

    When the block raises, or the process is killed, nothing of that name has appeared or changed.

    Args:
        path: its name.
        force: replace a file that is there.

    Raises:
        ArchiveUnusable: there is a file and ``force`` is False, or it cannot be written.
    """
    target = Path(path)
    if not force and os.path.lexists(target):
        raise _there(target)
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            yield file
            os.fsync(file.fileno())
        _name(part, target, force=force)
    except OSError as error:
        raise ArchiveUnusable(f"{target.name!r} cannot be written: {error.strerror}.") from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def open_file(path: str | Path) -> Iterator[BinaryIO]:
    """A file to read.

    Raises:
        ArchiveUnusable: it is not there or cannot be read.
    """
    name = Path(path).name
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise ArchiveUnusable(f"{name!r} cannot be read: {error.strerror}.") from None
    with file:
        yield file


def _name(part: Path, target: Path, *, force: bool) -> None:
    if force:
        part.replace(target)
    else:
        try:
            os.link(part, target)  # unlike a rename it never replaces what somebody else just made
        except FileExistsError:
            raise _there(target) from None
        except OSError:  # a file system without links
            if os.path.lexists(target):
                raise _there(target) from None
            part.replace(target)
    if os.name == "posix":
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _there(target: Path) -> ArchiveUnusable:
    return ArchiveUnusable(f"There is a file {target.name!r} already: name another, or --force.")
