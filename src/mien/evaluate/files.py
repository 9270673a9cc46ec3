"""Files that an evaluation writes: asked about before the work, and written whole."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

from mien.errors import InvalidArgument

__all__ = ["check_target", "write_whole"]


def check_target(file: str | Path) -> None:
    """Ask whether a file can be written, before hours of work end in it.

    Raises:
        InvalidArgument: its folder is not there or may not be written to, or it is a folder.
    """
    path = Path(file)
    if path.is_dir():
        raise InvalidArgument(f"{path.name or file} is a folder: name a file in it.")
    if not path.parent.is_dir():
        raise InvalidArgument(f"{path.name} cannot be written: there is no such folder.")
    if not os.access(path if path.exists() and not path.is_file() else path.parent, os.W_OK):
        raise InvalidArgument(f"{path.name} cannot be written: you may not write there.")


def write_whole(text: str, file: str | Path) -> None:
    """Write a file in one step: at every moment it is the old one or the new one.

    What is no regular file (a pipe, a terminal) is written to as it is.

    Raises:
        InvalidArgument: the file cannot be written.
    """
    path = Path(file)
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
        else:
            _replace(path.resolve(), text.encode())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidArgument(f"{path.name} cannot be written: {reason}.") from None


def _replace(path: Path, data: bytes) -> None:
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if path.exists():
            shutil.copymode(path, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
