"""Recognition models by name."""

from __future__ import annotations

from mien.embed.protocol import Embedder
from mien.models import ModelStore
from mien.models.plugins import loader, loaders

__all__ = ["create", "names"]

GROUP = "mien.embedders"


def names() -> list[str]:
    """Names of the recognition models that can be chosen."""
    return list(loaders(GROUP))


def create(name: str, models: ModelStore) -> Embedder:
    """The recognition model ``name``, loaded.

    Raises:
        UnknownModel: no recognition model of that name.
        ModelError: its weights cannot be had or run.
    """
    card = models.card(name, "embed")
    embedder: Embedder = loader(GROUP, card.name)(card, models)
    return embedder
