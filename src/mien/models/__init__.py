"""Models: cards, weights, converters, and the sessions that run them.

>>> from mien import config
>>> from mien.models import ModelStore
>>> ModelStore(config.load()).card("yunet").licence
'MIT'
"""

from __future__ import annotations

from mien.models.card import ModelCard
from mien.models.progress import Progress
from mien.models.session import Session
from mien.models.store import ModelStore

__all__ = ["ModelCard", "ModelStore", "Progress", "Session"]
