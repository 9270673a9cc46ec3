"""Landmark models by name."""

from __future__ import annotations

from mien.landmarks.protocol import LandmarkModel
from mien.models import ModelStore
from mien.models.plugins import loader, loaders

__all__ = ["create", "names"]

GROUP = "mien.landmarks"


def names() -> list[str]:
    """Names of the landmark models that can be chosen."""
    return list(loaders(GROUP))


def create(name: str, models: ModelStore) -> LandmarkModel:
    """The landmark model ``name``, loaded.

    Raises:
        UnknownModel: no landmark model of that name.
        ModelError: its weights cannot be had or run.
    """
    card = models.card(name, "landmarks")
    model: LandmarkModel = loader(GROUP, card.name)(card, models)
    return model
