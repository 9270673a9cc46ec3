"""Progress on stderr: a bar on a terminal, a line for each step where there is none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from mien.cli.output import tell

if TYPE_CHECKING:
    from mien.models.progress import Progress

__all__ = ["download_progress", "on_terminal", "photo_progress"]

MEGABYTE = 1_000_000
WIDTH = 30

Amount = Callable[[int], str]


def download_progress() -> Progress:
    """A progress that counts megabytes."""
    return _progress(lambda count: f"{count / MEGABYTE:.1f} MB")


def photo_progress() -> Progress:
    """A progress that counts photos."""
    return _progress(str)


def on_terminal() -> bool:
    """Whether stderr is a terminal; a closed one is not."""
    return sys.stderr is not None and sys.stderr.isatty()


def _progress(amount: Amount) -> Progress:
    return _Bar(amount) if on_terminal() else _Lines(amount)


class _Bar:
    """Rewrites one line of a terminal."""

    def __init__(self, amount: Amount) -> None:
        self._amount = amount

    def __call__(self, description: str, done: int, total: int | None) -> None:
        text = self._amount(done)
        if total:
            filled = round(WIDTH * min(done, total) / total)
            bar = "#" * filled + "-" * (WIDTH - filled)
            text = f"[{bar}] {text} of {self._amount(total)}"
        ended = total is not None and done >= total
        tell(f"\r\x1b[K{description} {text}", err=True, nl=ended)


class _Lines:
    """Says once that something begins, and once that it is done."""

    def __init__(self, amount: Amount) -> None:
        self._amount = amount
        self._begun: set[str] = set()

    def __call__(self, description: str, done: int, total: int | None) -> None:
        if total is not None and done >= total:
            self._begun.discard(description)
            tell(f"{description}: done", err=True)
        elif description not in self._begun:
            self._begun.add(description)
            size = "" if total is None else f" ({self._amount(total)})"
            tell(f"{description}{size}", err=True)
