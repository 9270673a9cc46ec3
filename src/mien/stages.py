"""Stages: how long each step of a piece of work took, for whoever listens.

A room says ``with stage("detect"):`` around what it does. Nobody listening costs next to nothing;
the service listens, for its metrics and traces.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["Stage", "listen", "note", "stage"]


@dataclass(frozen=True, slots=True)
class Stage:
    """One step: its name, and when it began and ended (``time.monotonic``, seconds)."""

    name: str
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began


_HEARD: ContextVar[list[Stage] | None] = ContextVar("mien_stages", default=None)


@contextmanager
def listen() -> Iterator[list[Stage]]:
    """Collect the stages of what is done in this context, in the order in which they end.

    Example:
        >>> with listen() as heard, stage("detect"):
        ...     pass
        >>> [one.name for one in heard]
        ['detect']
    """
    heard: list[Stage] = []
    token = _HEARD.set(heard)
    try:
        yield heard
    finally:
        _HEARD.reset(token)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Time what is done here, where somebody listens; also where it fails."""
    heard = _HEARD.get()
    if heard is None:
        yield
        return
    began = time.monotonic()
    try:
        yield
    finally:
        heard.append(Stage(name, began, time.monotonic()))


def note(name: str, began: float) -> None:
    """A stage that began then (``time.monotonic``, seconds) and ends now."""
    heard = _HEARD.get()
    if heard is not None:
        heard.append(Stage(name, began, time.monotonic()))
