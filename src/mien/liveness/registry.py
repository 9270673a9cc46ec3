"""Liveness nets by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mien.models import ModelStore
from mien.models.plugins import loader, loaders

if TYPE_CHECKING:
    from mien.liveness.passive import LivenessNet

__all__ = ["create", "names"]

GROUP = "mien.liveness"


def names() -> list[str]:
    """Names of the nets whose mean counts."""
    return list(loaders(GROUP))


def create(name: str, models: ModelStore) -> LivenessNet:
    """The net ``name``, loaded.

    Raises:
        UnknownModel: no liveness net of that name.
        ModelError: its weights cannot be had or run.
    """
    card = models.card(name, "liveness")
    net: LivenessNet = loader(GROUP, card.name)(card, models)
    return net
