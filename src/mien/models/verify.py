"""Verify: are the files in the cache still what their cards pin?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mien.models.cache import Cache, sha256_of
from mien.models.card import ModelCard
from mien.models.child import convert_in_child
from mien.models.convert import converter

__all__ = ["State", "Verification", "inspect"]

State = Literal["ok", "repaired", "missing", "corrupt"]


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found of a model.

    Attributes:
        card: the model.
        state: ``ok``: as published, and the converted file is what the converter makes of it;
            ``repaired``: the published file is, the converted one was not and has been replaced;
            ``missing``: not in the cache; ``corrupt``: it was another file and is deleted.
    """

    card: ModelCard
    state: State


def inspect(card: ModelCard, sources: Sequence[Path] | None, cache: Cache) -> Verification:
    """Hash a model's files in the cache again, and convert them again where they are converted.

    A published file that is not as it must be is deleted, so that the next use fetches it anew.

    Args:
        card: the model.
        sources: its published file in the cache, then its companions; None where one is missing.
        cache: the cache.
    """
    if sources is None:
        return Verification(card, "missing")
    derived = _converted(card, sources, cache)
    corrupt = [source for source in sources if sha256_of(source) != source.parent.name]
    if corrupt:
        for file in [*corrupt, *([derived] if derived else [])]:
            file.unlink(missing_ok=True)
        return Verification(card, "corrupt")
    if derived is None or card.converter is None:
        return Verification(card, "ok")
    with cache.lock(derived.stem), cache.workshop(derived.stem) as folder:
        again = folder / derived.name
        convert_in_child(card.converter, sources, again)
        if sha256_of(again) == sha256_of(derived):
            return Verification(card, "ok")
        cache.place(again, derived)
    return Verification(card, "repaired")


def _converted(card: ModelCard, sources: Sequence[Path], cache: Cache) -> Path | None:
    if card.converter is None:
        return None
    version = converter(card.converter).version
    file = cache.converted(sources, card.converter, version)
    return file if file.is_file() else None
