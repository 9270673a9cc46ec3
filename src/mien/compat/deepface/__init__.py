"""DeepFace's Python API, version 0.0.103, over Mien's engine and gallery.

>>> from mien.compat import deepface as DeepFace
>>> DeepFace.verify("a.jpg", "b.jpg")["verified"]      # doctest: +SKIP
True

The functions have DeepFace's parameters and answers; docs/reference/deepface.md lists what is
different. They lie in modules that are called as in ``deepface.modules`` (``verification``,
``recognition``, ``demography``, ``representation``, ``detection``, ``streaming``, ``datastore``,
``modeling``, ``exceptions``) and are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mien.compat.deepface import (
        datastore,
        demography,
        detection,
        exceptions,
        modeling,
        recognition,
        representation,
        streaming,
        verification,
    )
    from mien.compat.deepface.datastore import build_index, identify, register, search
    from mien.compat.deepface.demography import analyze
    from mien.compat.deepface.detection import detectFace, extract_faces
    from mien.compat.deepface.modeling import build_model
    from mien.compat.deepface.recognition import find
    from mien.compat.deepface.representation import represent
    from mien.compat.deepface.streaming import stream
    from mien.compat.deepface.verification import verify

__version__ = "0.0.103"
"""The version of DeepFace whose parameters these are."""

__all__ = [
    "__version__",
    "analyze",
    "build_index",
    "build_model",
    "datastore",
    "demography",
    "detectFace",
    "detection",
    "exceptions",
    "extract_faces",
    "find",
    "identify",
    "modeling",
    "recognition",
    "register",
    "represent",
    "representation",
    "search",
    "stream",
    "streaming",
    "verification",
    "verify",
]

_HOMES = {
    "analyze": "demography",
    "build_index": "datastore",
    "build_model": "modeling",
    "detectFace": "detection",
    "extract_faces": "detection",
    "find": "recognition",
    "identify": "datastore",
    "register": "datastore",
    "represent": "representation",
    "search": "datastore",
    "stream": "streaming",
    "verify": "verification",
}
_MODULES = {*_HOMES.values(), "exceptions"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - what a lazy package gives away
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
