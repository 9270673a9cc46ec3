"""Models: cards, weights, converters, and the sessions that run them.

>>> from mien import config
>>> from mien.models import ModelStore
>>> ModelStore(config.load()).card("yunet").licence
'MIT'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mien.models.card import ModelCard
    from mien.models.choice import Choice, Timing
    from mien.models.progress import Progress
    from mien.models.session import Session
    from mien.models.store import ModelStore

__all__ = ["Choice", "ModelCard", "ModelStore", "Progress", "Session", "Timing"]

_HOMES = {
    "Choice": "choice",
    "ModelCard": "card",
    "ModelStore": "store",
    "Progress": "progress",
    "Session": "session",
    "Timing": "choice",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  # a child process needs only some of them
    if name not in _HOMES:
        raise AttributeError(f"module 'mien.models' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"mien.models.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
