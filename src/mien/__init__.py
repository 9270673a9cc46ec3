"""Mien: self-hosted face recognition.

>>> import mien
>>> mien.detect("photo.jpg")            # doctest: +SKIP
>>> mien.compare("a.jpg", "b.jpg")      # doctest: +SKIP

The public names are imported when they are first used, so ``import mien`` is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mien import errors
    from mien.config import Settings
    from mien.engine import Engine, compare, detect, represent
    from mien.errors import MienError
    from mien.gallery import Gallery

__version__ = "0.1.0"

__all__ = [
    "Engine",
    "Gallery",
    "MienError",
    "Settings",
    "__version__",
    "compare",
    "detect",
    "errors",
    "represent",
]

_HOMES = {
    "Engine": "mien.engine",
    "Gallery": "mien.gallery",
    "MienError": "mien.errors",
    "Settings": "mien.config",
    "compare": "mien.engine",
    "detect": "mien.engine",
    "represent": "mien.engine",
}


def __getattr__(name: str) -> Any:
    if name == "errors":
        return importlib.import_module("mien.errors")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'mien' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
