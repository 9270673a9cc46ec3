"""Serving: engines of other recognition models beside one, for groups and for whoever names them.

They share the detector, the nets and the threads of the one, and need no closing of their own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from mien.embed import Embedder
from mien.embed.registry import create, names
from mien.errors import EmbeddingMismatch
from mien.gallery import checks
from mien.models import ModelStore
from mien.types import EmbeddingContract

if TYPE_CHECKING:
    from mien.engine.core import Engine
    from mien.gallery import Gallery, Group

__all__ = ["Embedders", "engine_for", "engine_named", "with_group"]

T = TypeVar("T")


class Embedders:
    """Recognition models beside an engine's own, each loaded when a group needs it.

    Args:
        given: used for groups that are pinned to their contracts.
        models: where those that are registered come from.
    """

    def __init__(self, given: Sequence[Embedder], models: ModelStore) -> None:
        self._given = {one.contract: one for one in given}
        self._models = models
        self._loaded: dict[str, Embedder] = {}
        self._lock = threading.Lock()

    def of(self, contract: EmbeddingContract) -> Embedder | None:
        """The model whose embeddings have that contract; None: it cannot be had.

        Raises:
            ModelError: its weights cannot be fetched or opened, or its licence is not accepted.
        """
        if contract in self._given:
            return self._given[contract]
        if contract.model not in names():
            return None
        facts = self._models.card(contract.model, "embed").embedder
        if facts is not None and facts.preprocessing != contract.preprocessing:
            return None  # not worth loading
        found = self.named(contract.model)
        return found if found.contract == contract else None

    def named(self, name: str) -> Embedder:
        """The registered model of that name, loaded once.

        Raises:
            UnknownModel: there is none.
            ModelError: as :meth:`of`.
        """
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = create(name, self._models)
            return self._loaded[name]

    def release(self) -> None:
        """Forget what was loaded by name; what was given stays."""
        with self._lock:
            self._loaded.clear()


def engine_named(engine: Engine, embedder: str) -> Engine:
    """The engine itself, or one beside it with the recognition model of that name.

    Args:
        engine: the one.
        embedder: a card's name; empty: the engine's own model.

    Raises:
        UnknownModel: there is none of that name.
        ModelError: its weights cannot be fetched or opened, or its licence is not accepted.
    """
    if embedder in ("", engine.embedder_name):
        return engine
    return engine.with_embedder(engine.embedders.named(embedder))


def engine_for(engine: Engine, group: Group) -> Engine:
    """The engine itself, or one beside it with the model that ``group`` is pinned to.

    Raises:
        EmbeddingMismatch: the group's model cannot be had: no such model here, or another version.
        ModelError: its weights cannot be fetched or opened, or its licence is not accepted.
    """
    same_name = engine.embedder_name == group.contract.model
    if same_name and engine.embedder.contract == group.contract:
        return engine
    found = engine.embedders.of(group.contract)
    if found is None:
        checks.contracts_agree(group.name, group.contract, engine.embedder.contract)
        return engine
    return engine.with_embedder(found)


def with_group(
    engine: Engine, gallery: Gallery, group: str, work: Callable[[Engine, Group], T]
) -> T:
    """Do ``work`` with the group's own model; again, where the group was moved to another.

    Raises:
        NotFound: no such group.
        EmbeddingMismatch, ModelError: as :func:`engine_for`.
    """
    pinned = gallery.group(group)
    try:
        return work(engine_for(engine, pinned), pinned)
    except EmbeddingMismatch:
        now = gallery.group(group)
        if now.contract == pinned.contract:
            raise
        return work(engine_for(engine, now), now)
