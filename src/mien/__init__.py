"""Mien: self-hosted face recognition.

>>> import mien
>>> mien.detect("photo.jpg")            # doctest: +SKIP
>>> mien.compare("a.jpg", "b.jpg")      # doctest: +SKIP

The public names are imported when they are first used, so ``import mien`` is quick.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mien import errors
    from mien.align import Preprocessing
    from mien.config import Settings
    from mien.engine import Engine, analyze, compare, detect, represent
    from mien.errors import MienError
    from mien.gallery import Gallery

__version__ = "0.1.0"

__all__ = [
    "Engine",
    "Gallery",
    "MienError",
    "Preprocessing",
    "Settings",
    "__version__",
    "analyze",
    "compare",
    "detect",
    "errors",
    "represent",
]

_HOMES = {
    "Engine": "mien.engine",
    "Gallery": "mien.gallery",
    "MienError": "mien.errors",
    "Preprocessing": "mien.align",
    "Settings": "mien.config",
    "analyze": "mien.engine",
    "compare": "mien.engine",
    "represent": "mien.engine",
}
_MODULES = ("detect", "errors")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"mien.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'mien' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _CallablePackage(ModuleType):
    """``mien.detect`` is both the room of the detectors and the one-line function."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return importlib.import_module("mien.engine").detect(*args, **options)


class _Package(ModuleType):
    """Makes the sub-package ``mien.detect`` callable at the moment Python binds it here."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "detect" and type(value) is ModuleType:
            value.__class__ = _CallablePackage
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
