"""Starts command lines over drawn faces by the dozen: see mock_nursery.py."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self


class Nursery:
    """Processes that are forked: most of the time would go into starting Python."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("mock_nursery.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.communicate(timeout=300)

    def start(
        self, arguments: Sequence[str], *, files: Sequence[Path], folder: Path, gallery: Path
    ) -> int:
        """A process with these files for stdout and stderr; its id is kept until it is reaped."""
        environment = {"MIEN_GALLERY": f"sqlite:///{gallery}", "MIEN_THREADS": "1"}
        order = {
            "files": [str(file) for file in files],
            "folder": str(folder),
            "environment": environment,
            "arguments": [*arguments],
        }
        assert self._process.stdin is not None
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return self._answer()

    def reap(self) -> int:
        """The exit code of the process, when it has ended."""
        assert self._process.stdin is not None
        print("reap", file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())
