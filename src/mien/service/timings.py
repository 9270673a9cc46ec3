"""Timings: where the time of one request went, for whoever asks (``?timings=true``)."""

from __future__ import annotations

import time

from starlette.requests import Request

from mien.errors import InvalidArgument
from mien.stages import Stage

__all__ = ["OPTION", "server_timing", "wanted"]

OPTION = "timings"


def wanted(request: Request) -> bool:
    """Whether the request asks for its timings.

    Raises:
        InvalidArgument: neither ``true`` nor ``false``.
    """
    given = request.query_params.get(OPTION, "false")
    if given not in ("true", "false"):
        raise InvalidArgument("timings is true or false.", details={"field": OPTION})
    return given == "true"


def server_timing(request: Request) -> str:
    """``Server-Timing`` (W3C): milliseconds of each stage so far, summed by name, and in all."""
    spent: dict[str, float] = {}
    heard: list[Stage] = request.state.stages
    for one in heard:
        spent[one.name] = spent.get(one.name, 0.0) + one.seconds
    spent["total"] = time.monotonic() - request.state.started
    return ", ".join(f"{name};dur={1000 * seconds:.1f}" for name, seconds in spent.items())
