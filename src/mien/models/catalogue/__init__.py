"""The catalogue: one TOML file a model, here and in packages that add their own.

A package adds cards through an entry point in the group ``mien.catalogues`` whose value is a
package with ``.toml`` files in it.
"""

from __future__ import annotations

import importlib.metadata
import importlib.resources
from collections.abc import Iterable

from mien.errors import ConfigurationError
from mien.models.card import ModelCard
from mien.models.catalogue.parse import parse_card

__all__ = ["GROUP", "load_catalogue", "parse_card"]

GROUP = "mien.catalogues"


def load_catalogue() -> dict[str, ModelCard]:
    """All cards by key, built-in ones first, each package's in the order of their file names.

    Raises:
        ConfigurationError: a card that cannot be read, two cards of one key, or a package that
            is announced and not there.
    """
    cards: dict[str, ModelCard] = {}
    for package in [__name__, *_packages(importlib.metadata.entry_points(group=GROUP))]:
        for card in _cards_of(package):
            if card.key in cards:
                raise ConfigurationError(f"Two model cards are called {card.key}.")
            cards[card.key] = card
    return cards


def _packages(entry_points: Iterable[importlib.metadata.EntryPoint]) -> list[str]:
    return [entry.value for entry in sorted(entry_points, key=lambda entry: entry.name)]


def _cards_of(package: str) -> list[ModelCard]:
    try:
        folder = importlib.resources.files(package)
    except ModuleNotFoundError:
        raise ConfigurationError(
            f"The model catalogue {package} is announced by an installed package and missing."
        ) from None
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return [parse_card(file.read_text(encoding="utf-8"), file=file.name) for file in files]
