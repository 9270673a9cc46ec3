"""Engines of several recognition models, for dialects whose requests choose one."""

from __future__ import annotations

import threading

from mien.engine import Engine

__all__ = ["Engines"]


class Engines:
    """The server's engine, and others that share its detector and its open models.

    Args:
        engine: the server's own.
    """

    def __init__(self, engine: Engine) -> None:
        self._own = engine
        self._others: dict[str, Engine] = {}
        self._lock = threading.Lock()

    def of(self, embedder: str) -> Engine:
        """The engine with that recognition model; empty: the server's own.

        Raises:
            ModelError: a model cannot be had or run.
        """
        if not embedder or embedder == self._own.embedder.name:
            return self._own
        with self._lock:
            if embedder not in self._others:
                own = self._own
                self._others[embedder] = Engine(
                    detector=own.detector,
                    embedder=embedder,
                    models=own.models,
                    settings=own.settings,
                )
            return self._others[embedder]

    def close(self) -> None:
        """Let the threads of the others go; the server's own is its owner's."""
        with self._lock:
            for engine in self._others.values():
                engine.close()
            self._others.clear()
