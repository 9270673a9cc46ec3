"""What this machine is: part of the names of what was measured or compiled on it."""

from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path

__all__ = ["cpu_facts", "version_of"]


def version_of(distribution: str) -> str:
    """Version of an installed distribution; empty where it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def cpu_facts() -> list[str]:
    """The CPU's model and what it can do (virtual machines often hide the model)."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return [platform.machine(), platform.processor()]
    wanted = ("model name", "flags", "Features", "CPU part")
    first = text.split("\n\n", 1)[0].splitlines()
    return [platform.machine(), *(line for line in first if line.startswith(wanted))]
