"""How much memory this process holds, and giving back what it has let go."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from functools import cache
from typing import Any

__all__ = ["give_back", "resident_bytes"]

_STATM = "/proc/self/statm"


def resident_bytes() -> int:
    """Resident memory of this process; 0 where the system does not say (other than Linux)."""
    try:
        file = os.open(_STATM, os.O_RDONLY)  # before and after every run: a Path takes its time
        try:
            pages = int(os.read(file, 256).split()[1])
        finally:
            os.close(file)
    except (OSError, ValueError, IndexError):
        return 0
    return pages * _page_bytes()


@cache
def _page_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE")


def give_back() -> None:
    """Return freed memory to the system, where the C library keeps it (glibc)."""
    with contextlib.suppress(AttributeError, OSError):
        _libc().malloc_trim(0)


@cache
def _libc() -> Any:  # noqa: ANN401  # a library's functions are found by name
    return ctypes.CDLL(None) if sys.platform == "linux" else object()
