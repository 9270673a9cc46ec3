"""What runs on the workers of a Dask cluster: an engine each, and the look at one photo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from distributed import Worker, WorkerPlugin, get_worker

from mien.engine.enrolment_photo import Looked, LookOptions, look_at
from mien.errors import EmbeddingMismatch
from mien.image import ImageInput

if TYPE_CHECKING:
    from mien.engine.core import Engine

__all__ = ["NAME", "EngineOnWorker", "look_on_worker"]

NAME = "mien-engine"


class EngineOnWorker(WorkerPlugin):
    """What Dask keeps on every worker, also on one that comes later: an engine that is ready.

    Args:
        make: settings -> engine; it is pickled.
        settings: what the engine's results depend on.
        contract: what its embedder must have, as text.
    """

    name = NAME

    def __init__(
        self,
        make: Callable[[Mapping[str, Any]], Engine],
        settings: Mapping[str, Any],
        contract: str,
    ) -> None:
        self._make = make
        self._settings = dict(settings)
        self._contract = contract
        self.engine: Engine | None = None

    def setup(self, worker: Worker) -> None:
        """Called by Dask on a worker that begins.

        Raises:
            EmbeddingMismatch: this worker's model makes other embeddings.
            ModelError: its models cannot be had.
        """
        engine = self._make(self._settings)
        engine.load()
        if str(engine.embedder.contract) != self._contract:
            engine.close()
            raise EmbeddingMismatch(
                f"The model {engine.embedder.name} of a Dask worker makes other embeddings than "
                "the one here: give both the same version of Mien."
            )
        self.engine = engine

    def teardown(self, worker: Worker) -> None:
        """Called by Dask on a worker that ends."""
        if self.engine is not None:
            self.engine.close()


def look_on_worker(source: ImageInput, options: LookOptions) -> Looked:
    """One photo, looked at by this worker's engine."""
    plugin = get_worker().plugins[NAME]
    assert isinstance(plugin, EngineOnWorker)
    assert plugin.engine is not None
    return look_at(plugin.engine, plugin.engine.photo(source), options)
