"""ModelEngine: the models that an engine owns, and the threads that they are used on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from mien import config
from mien.attributes import Attribute
from mien.attributes.face_mesh import MeshReader
from mien.detect import Detector
from mien.embed import Embedder
from mien.engine.loaded import Loaded
from mien.engine.serving import Embedders
from mien.engine.threads import Threads
from mien.image import ImageLimits
from mien.liveness import PassiveLiveness
from mien.match.calibration import Calibration
from mien.models import ModelStore

__all__ = ["ModelEngine"]

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class ModelEngine:
    """The part of :class:`mien.Engine` that loads models, lets them go, and keeps threads.

    Its arguments are those of :class:`mien.Engine`, which says what they are.
    """

    def __init__(
        self,
        *,
        detector: str | Detector | None = None,
        embedder: str | Embedder | None = None,
        settings: config.Settings | None = None,
        models: ModelStore | None = None,
        calibration: Calibration | None = None,
        attributes: Sequence[Attribute] = (),
        liveness: PassiveLiveness | None = None,
        embedders: Sequence[Embedder] = (),
        mesh: MeshReader | None = None,
    ) -> None:
        self.settings = settings or config.load()
        self.models = models or ModelStore(self.settings)
        self.limits = ImageLimits.from_settings(self.settings)
        self._loaded = Loaded(
            detector=self.settings.detector if detector is None else detector,
            embedder=self.settings.embedder if embedder is None else embedder,
            models=self.models,
            calibration=calibration,
            attributes=attributes,
            liveness=liveness,
            mesh=mesh,
        )
        self._threads = Threads(self.settings.thread_budget)
        self.embedders = Embedders(embedders, self.models)
        self._beside: dict[int, tuple[Embedder, Self]] = {}  # by the identity of their embedder

    @property
    def detector(self) -> Detector:
        """The detector, loaded."""
        return self._loaded.detector

    @property
    def embedder(self) -> Embedder:
        """The recognition model, loaded."""
        return self._loaded.embedder

    @property
    def embedder_name(self) -> str:
        """Card name of the recognition model, which need not be loaded."""
        return self._loaded.embedder_name

    def with_embedder(self, embedder: Embedder) -> Self:
        """An engine of the same models and threads, but for its recognition model.

        It needs no closing of its own, and is the same one when it is asked for again.
        """
        beside = self._beside.get(id(embedder))
        if beside is None:
            other = copy.copy(self)
            other._loaded = self._loaded.with_embedder(embedder)
            beside = self._beside.setdefault(id(embedder), (embedder, other))
        return beside[1]

    @property
    def calibration(self) -> Calibration | None:
        """How the recognition model's similarities become confidences; None: not calibrated."""
        return self._loaded.calibration

    def attribute(self, name: str) -> Attribute:
        """An attribute's model, loaded.

        Raises:
            InvalidArgument: no attribute of that name.
            ModelError: its weights cannot be had or run, or their licence is not accepted.
        """
        return self._loaded.attribute(name)

    @property
    def liveness(self) -> PassiveLiveness:
        """The liveness check, loaded.

        Raises:
            WeightsMissing: its nets are not in the cache and cannot be fetched.
        """
        return self._loaded.liveness

    @property
    def mesh_reader(self) -> MeshReader:
        """What finds the mesh and the movements of a face, loaded.

        Raises:
            ModelError: its weights cannot be had or run.
        """
        return self._loaded.mesh_reader

    def load(self) -> None:
        """Fetch and open the models now, so that the first photo does not wait."""
        _ = self.detector, self.embedder, self.calibration

    def release(self) -> None:
        """Let the models go and give their memory back; they are loaded again when needed.

        Calls that are under way end as if nothing had happened. Models that were given as objects
        stay. Of engines that share ``models``, the nets of all are closed.
        """
        self._loaded.release()
        self.embedders.release()
        self._beside.clear()
        self.models.release()

    # ------------------------------------------------------------------ threads and life

    def map(self, function: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer]:
        """``function`` of each item on the engine's threads, in order.

        A call from inside such a function runs its items one after the other, so that the budget
        holds and nothing waits for itself.
        """
        return self._threads.map(function, items)

    @property
    def pool(self) -> ThreadPoolExecutor:
        """The engine's threads."""
        return self._threads.pool

    def close(self) -> None:
        """Finish running work and let the threads go. The engine can be used again."""
        self._threads.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
