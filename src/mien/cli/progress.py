"""Progress on stderr: a bar on a terminal, a line for each step where there is none."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mien.models.progress import Progress

__all__ = ["download_progress"]

MEGABYTE = 1_000_000
WIDTH = 30


def download_progress() -> Progress:
    """A progress that prints on stderr: a bar on a terminal, else the begin and the end."""
    return _Bar() if sys.stderr.isatty() else _Lines()


class _Bar:
    def __call__(self, description: str, done: int, total: int | None) -> None:
        size = f"{done / MEGABYTE:.1f} MB"
        if total:
            filled = round(WIDTH * min(done, total) / total)
            size = f"[{'#' * filled}{'-' * (WIDTH - filled)}] {size} of {total / MEGABYTE:.1f} MB"
        ended = total is not None and done >= total
        click.echo(f"\r\x1b[K{description} {size}", err=True, nl=ended)


class _Lines:
    def __init__(self) -> None:
        self._begun: set[str] = set()

    def __call__(self, description: str, done: int, total: int | None) -> None:
        ended = total is not None and done >= total
        if ended:
            self._begun.discard(description)
            click.echo(f"{description}: {done / MEGABYTE:.1f} MB, done", err=True)
        elif description not in self._begun:
            self._begun.add(description)
            size = "" if total is None else f" ({total / MEGABYTE:.1f} MB)"
            click.echo(f"{description}{size}", err=True)
