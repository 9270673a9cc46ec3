"""The command line ``mien``: one file per group of commands.

Command modules import nothing heavy at the top (no numpy, cv2, fastapi, sqlalchemy): a command
asks its :class:`~mien.cli.run.Run` for an engine or a gallery, and only that imports them, so
``mien --help`` answers at once.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mien.cli.run import Rooms

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None, *, rooms: Rooms | None = None) -> None:
    """Run the command line and leave the process with its exit code.

    Args:
        arguments: instead of ``sys.argv[1:]``.
        rooms: where the commands get their engine and gallery from (tests put others in).

    Raises:
        SystemExit: always; the codes are in :class:`mien.cli.exits.ExitCode`.
    """
    _occupy_standard_streams()
    from mien.cli.root import cli

    given = None if arguments is None else list(arguments)
    cli.main(given, prog_name="mien", obj=rooms)


def _occupy_standard_streams() -> None:
    """Give closed standard streams (``>&-``) a place, or the next file, a database, gets theirs.

    A library that prints would then write into it.
    """
    for stream in range(3):
        try:
            os.fstat(stream)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, so this one
