"""Timings: where the time of one request went, for whoever asks (``?timings=true``)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from starlette.requests import Request

from mien.errors import InvalidArgument

__all__ = ["OPTION", "Timings"]

OPTION = "timings"

T = TypeVar("T")


class Timings:
    """The stages of one request: ``read`` (the body), ``wait`` (for a worker), ``work``.

    Args:
        request: whose they are.
    """

    def __init__(self, request: Request) -> None:
        self._request = request

    @property
    def wanted(self) -> bool:
        """The request asks for them.

        Raises:
            InvalidArgument: neither ``true`` nor ``false``.
        """
        given = self._request.query_params.get(OPTION, "false")
        if given not in ("true", "false"):
            raise InvalidArgument("timings is true or false.", details={"field": OPTION})
        return given == "true"

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure a stage; one that comes twice is summed."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._add(name, time.perf_counter() - began)

    def of(self, work: Callable[[], T]) -> Callable[[], T]:
        """``work``, whose waiting (from now) and working are measured."""
        asked = time.perf_counter()

        def measured() -> T:
            self._add("wait", time.perf_counter() - asked)
            with self.stage("work"):
                return work()

        return measured

    def header(self) -> str:
        """``Server-Timing`` (W3C): milliseconds of each stage, and in all."""
        stages = dict(self._stages)
        stages["total"] = time.monotonic() - self._request.state.started
        return ", ".join(f"{name};dur={1000 * seconds:.1f}" for name, seconds in stages.items())

    @property
    def _stages(self) -> dict[str, float]:
        state = self._request.state
        if not hasattr(state, "timed"):
            state.timed = {}
        stages: dict[str, float] = state.timed  # state.stages is the edge's
        return stages

    def _add(self, name: str, seconds: float) -> None:
        self._stages[name] = self._stages.get(name, 0.0) + seconds
