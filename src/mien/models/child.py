"""Work that is done once and in a process of its own: converting and measuring.

Both load what the caller does not need afterwards (a converter's libraries, runtimes that lose),
and a runtime that this CPU cannot execute may end its process. So they run in a child, which
hands back a small answer, and the caller's memory stays small.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mien.errors import ConversionError, RuntimeUnavailable
from mien.models.cache import Cache
from mien.models.choice import Candidate, Choice, measure
from mien.models.convert import converter
from mien.models.session import Session

__all__ = ["convert_in_child", "measure_in_child", "open_candidate"]

_log = logging.getLogger(__name__)
_MODULE = "mien.models.child"
_CONVERT_TIMEOUT_S = 1800
_MEASURE_TIMEOUT_S = 120


def convert_in_child(name: str, sources: Sequence[Path], target: Path) -> None:
    """Write to ``target`` what the converter ``name`` makes of a weight file and its companions.

    Raises:
        ConversionError: it cannot be converted.
    """
    request = {
        "task": "convert",
        "converter": name,
        "sources": [str(source) for source in sources],
        "target": str(target),
    }
    try:
        answer = _ask(request, timeout_s=_CONVERT_TIMEOUT_S)
    except _NoChildError as error:
        _log.debug("Converting in this process: %s", error)
        answer = _answer(request)
    if "error" in answer:
        raise ConversionError(str(answer["error"]))


def measure_in_child(
    path: Path,
    shapes: Mapping[str, Sequence[int]],
    candidates: Sequence[Candidate],
    *,
    cache: Cache,
) -> Choice:
    """Time ``candidates`` on the net in ``path`` (see :func:`mien.models.choice.measure`).

    Raises:
        RuntimeUnavailable: none of them runs, or the measurement broke off.
    """
    request = {
        "task": "measure",
        "path": str(path),
        "shapes": {name: list(shape) for name, shape in shapes.items()},
        "candidates": [[c.runtime, c.precision] for c in candidates],
        "cache": str(cache.folder),
    }
    try:
        answer = _ask(request, timeout_s=_MEASURE_TIMEOUT_S)
    except _NoChildError as error:
        raise RuntimeUnavailable(f"The runtimes could not be measured: {error}.") from error
    if "error" in answer:
        raise RuntimeUnavailable(str(answer["error"]))
    return Choice.from_json(json.dumps(answer["choice"]).encode())


class _NoChildError(Exception):
    """The child could not be started, or ended without an answer."""


def _ask(request: dict[str, Any], *, timeout_s: float) -> dict[str, Any]:
    """Do ``request`` in a child process."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(  # noqa: S603  # this interpreter, no shell
            [sys.executable, "-P", "-m", _MODULE],
            input=json.dumps(request).encode(),
            capture_output=True,
            env=environment,
            timeout=timeout_s,
            check=False,
        )
        answer = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise _NoChildError(type(error).__name__) from error
    if not isinstance(answer, dict):
        raise _NoChildError("no answer")
    return answer


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    """Do ``request`` here."""
    try:
        if request["task"] == "convert":
            sources = [Path(source).read_bytes() for source in request["sources"]]
            data = converter(request["converter"])(*sources)
            Path(request["target"]).write_bytes(data)
            return {}
        path, cache = Path(request["path"]), Cache(Path(request["cache"]))
        candidates = [Candidate(*row) for row in request["candidates"]]
        choice = measure(
            request["shapes"], candidates, lambda c: open_candidate(c, path, cache=cache)
        )
        return {"choice": json.loads(choice.to_json())}
    except Exception as error:  # the answer is for another process
        return {"error": getattr(error, "message", None) or f"{type(error).__name__}"}


def open_candidate(
    candidate: Candidate, path: Path, *, cache: Cache, threads: int = 1, streams: int = 1
) -> Session:
    """Open the net in ``path`` in one particular way; a runtime is imported when it is used.

    Raises:
        RuntimeUnavailable: it does not run there.
        ImportError: the runtime is not installed.
    """
    if candidate.runtime == "openvino":
        from mien.models.session_openvino import OpenVino

        return OpenVino(cache=cache).open(
            path, precision=candidate.precision, threads=threads, streams=streams
        )
    from mien.models.session_onnxruntime import OnnxRuntimeSession

    return OnnxRuntimeSession(path, threads=max(1, threads // streams))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_answer(json.load(sys.stdin))))
