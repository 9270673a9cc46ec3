"""Which runtime and which arithmetic runs a net."""

from __future__ import annotations

import importlib.util
import threading
from pathlib import Path

from mien.config import Settings
from mien.errors import RuntimeUnavailable
from mien.models.cache import Cache
from mien.models.card import ModelCard
from mien.models.session import Session

__all__ = ["Runtimes"]


class Runtimes:
    """Opens nets in the runtimes that this machine has."""

    def __init__(self, settings: Settings, cache: Cache) -> None:
        self._settings = settings
        self._cache = cache
        self._lock = threading.Lock()

    def open(
        self,
        card: ModelCard,
        path: Path,
        *,
        threads: int,
        streams: int,
        runtime: str | None,
        precision: str | None,
    ) -> Session:
        """Open."""
        from mien.models.session_onnxruntime import OnnxRuntimeSession

        return OnnxRuntimeSession(path, threads=max(1, threads // streams))
