"""A process that does one thing each time it is asked, and says what CPU time it cost.

The parent writes a line, the worker works once and answers with a line of JSON, so that two
systems can be measured in turn, each in a process (and a Python environment) of its own.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def serve(work: Callable[[], Any]) -> None:
    """Worker side: run ``work`` once a line of standard input."""
    work()
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        started = time.process_time()
        answer = work()
        spent = (time.process_time() - started) * 1e3
        print(json.dumps({"ms": spent, "answer": answer}), flush=True)


class Worker:
    """Parent side: a worker script running in its own Python."""

    def __init__(
        self,
        script: Path,
        *arguments: str,
        python: str = sys.executable,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            [python, "-W", "ignore", str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )
        if not json.loads(self._line()).get("ready"):
            raise RuntimeError(f"{script.name} did not start")

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("a worker ended early: its message is above")
        return line

    def measure(self) -> tuple[float, Any]:
        """CPU milliseconds of one piece of work, and its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        said = json.loads(self._line())
        return said["ms"], said["answer"]

    def resident_mb(self) -> float:
        """Peak resident memory of the worker, megabytes (Linux; 0 elsewhere)."""
        status = Path(f"/proc/{self.process.pid}/status")
        if not status.exists():
            return 0.0
        line = next(li for li in status.read_text().splitlines() if li.startswith("VmHWM"))
        return int(line.split()[1]) / 1000

    def close(self) -> None:
        """End the worker."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)


def in_turn(workers: Mapping[str, Worker], rounds: int) -> dict[str, float]:
    """Median CPU milliseconds of each worker, measured one after the other in every round."""
    spent: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(rounds):
        for name, worker in workers.items():
            spent[name].append(worker.measure()[0])
    return {name: statistics.median(values) for name, values in spent.items()}
