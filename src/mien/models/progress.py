"""Progress: how a long fetch tells its caller how far it is."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress", "silent"]


class Progress(Protocol):
    """Called now and then during a fetch or a conversion, from the thread that does it."""

    def __call__(self, description: str, done: int, total: int | None) -> None:
        """``done`` of ``total`` bytes of ``description``; ``total`` None where it is not known.

        ``done == total`` ends it.
        """
        ...


def silent(description: str, done: int, total: int | None) -> None:
    """Tell nobody."""
