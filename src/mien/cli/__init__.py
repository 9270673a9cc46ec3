"""The command line ``mien``: one file per group of commands.

Command modules import nothing heavy at the top (no numpy, cv2, fastapi, sqlalchemy): a command
asks its :class:`~mien.cli.run.Run` for an engine or a gallery, and only that imports them, so
``mien --help`` answers at once.
"""

from __future__ import annotations

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
    from mien.cli.root import cli

    given = None if arguments is None else list(arguments)
    cli.main(given, prog_name="mien", obj=rooms)
