"""What a database must be able to do that SQLite and PostgreSQL do each in their own way."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

from mien.errors import GalleryUnavailable

__all__ = ["BRIEF_S", "Backend", "Engines"]

BRIEF_S = 0.1
"""How long a write waits that may as well be left out."""


@dataclass(frozen=True, slots=True)
class Engines:
    """One pool of connections in four manners of use.

    Attributes:
        reading: every statement sees the newest committed state.
        snapshots: all statements of a transaction see one state.
        writes: transactions that write.
        brief: the same, which hardly wait for another writer.
    """

    reading: sa.Engine
    snapshots: sa.Engine
    writes: sa.Engine
    brief: sa.Engine


class Backend(Protocol):
    """One database, of one kind.

    Attributes:
        name: what messages call it: never a path, a host or a user.
        file: where it lies, or None where it is not a file of this machine.
        engines: its connections.
        makes_tables: whether a database without tables is given some.
    """

    name: str
    file: Path | None
    engines: Engines
    makes_tables: bool

    def turn(self, application: int | None, *, brief: bool = False) -> AbstractContextManager[None]:
        """Wait for the other threads of this process that write; ``brief``: hardly.

        Raises:
            GalleryUnavailable: they took too long.
        """
        ...

    def begin(self, connection: sa.Connection, application: int | None) -> None:
        """Take the locks of a transaction that writes."""
        ...

    def prepare(self) -> None:
        """Make a database without tables ready for them."""
        ...

    def forget_deleted(self) -> None:
        """Empty the log that deleted content may still be in, where that is in our hands."""
        ...

    def check(self) -> None:
        """Refuse a database that is no longer the one that was opened.

        Raises:
            GalleryUnavailable: it is another one, or gone.
        """
        ...

    def unavailable(self, reason: str) -> GalleryUnavailable:
        """An error that names the database; ``reason`` is the end of the sentence."""
        ...

    def reason_of(self, error: BaseException | None) -> str:
        """What an error of the driver's means for the user, as the end of a sentence."""
        ...
