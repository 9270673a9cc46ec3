"""Configuration of a training run, read from TOML."""

# ruff: noqa: ANN401  (it goes by the annotations of any dataclass)
from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mien.errors import ConfigurationError

__all__ = ["Crops", "Photos", "Recipe", "Run", "read_run"]


@dataclass(frozen=True, slots=True)
class Photos:
    """Which photos are used for what. Names are folders under the data's root.

    Attributes:
        train: folders that are only trained on.
        held_out: folders that are never trained on: people and backgrounds of the test.
        by_person: folders of folders, one a person, of which a share is held out.
        validation_share, test_share: of the people of ``by_person``.
        same_person: similarity (SFace) from which a face to train on counts as somebody's who is
            held out, and is left out.
        longest: photos are scaled down to so many pixels, longer side.
    """

    train: tuple[str, ...]
    held_out: tuple[str, ...]
    by_person: tuple[str, ...]
    validation_share: float = 0.12
    test_share: float = 0.25
    same_person: float = 0.45
    longest: int = 1280


@dataclass(frozen=True, slots=True)
class Crops:
    """How many pictures are made, and of what.

    Attributes:
        train, validation, test: pictures.
        live_share: of the pictures, how many are of live faces.
        looks: crops of each picture to train on, each with another box.
        jitter: deviation of a box's centre and size, of its size.
        seed: of all random numbers.
    """

    train: int = 12000
    validation: int = 1500
    test: int = 3000
    live_share: float = 0.42
    looks: int = 3
    jitter: float = 0.06
    seed: int = 5


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a net is trained.

    Attributes:
        keep: share of the teacher's inner channels that the student keeps; 0: it starts from
            random numbers, as wide as half of the teacher.
        epochs: at most; training stops when the validation loss has not fallen for ``patience``.
        crops: that an epoch draws at random from all.
        batch, rate, decay, patience, seed: as usual.
        pull: how strongly the last layer is held to what it was when it is fitted at the end.
        true_weight: how far an attack's label is moved from the teacher's to what it really is,
            for the last layer alone; what is before it learns what the teacher says.
        blind_from: only where the teacher's score of an attack is at least this.
        threads: that torch may use.
    """

    keep: float = 0.75
    epochs: int = 5
    crops: int = 2500
    batch: int = 32
    rate: float = 3e-5
    decay: float = 1e-4
    patience: int = 2
    seed: int = 5
    pull: float = 0.1
    true_weight: float = 0.5
    blind_from: float = 0.0
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Run:
    """A whole configuration.

    Attributes:
        weights: how often each kind of attack is drawn, relative; 0: never.
    """

    photos: Photos
    crops: Crops = Crops()
    recipe: Recipe = Recipe()
    weights: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


def read_run(file: Path) -> Run:
    """Read a configuration.

    Raises:
        ConfigurationError: it cannot be read, or has a key that is not known or of another type.
    """
    try:
        table = tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"The training configuration cannot be read: {error}.") from None
    known = {"photos", "crops", "recipe", "weights"}
    if unknown := sorted({*table} - known):
        raise ConfigurationError(f"The training configuration has no table {unknown[0]!r}.")
    weights = {str(name): float(value) for name, value in table.get("weights", {}).items()}
    return Run(
        _table(Photos, table, "photos"),
        _table(Crops, table, "crops"),
        _table(Recipe, table, "recipe"),
        MappingProxyType(weights),
    )


def _table(kind: Any, table: Mapping[str, Any], name: str) -> Any:
    given = table.get(name, {})
    hints = {one.name: str(one.type) for one in fields(kind)}
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in hints:
            raise ConfigurationError(f"The training configuration has no key {name}.{key}.")
        values[key] = _value(hints[key], value, f"{name}.{key}")
    try:
        return kind(**values)
    except TypeError:
        missing = sorted({*hints} - {*values})
        raise ConfigurationError(
            f"The training configuration lacks one of {name}.{{{', '.join(missing)}}}."
        ) from None


def _value(hint: str, value: Any, where: str) -> Any:
    if hint.startswith("tuple") and isinstance(value, list):
        if all(isinstance(one, str) for one in value):
            return tuple(value)
    elif hint == "float" and type(value) in (int, float):
        return float(value)
    elif hint == "int" and type(value) is int:
        return value
    raise ConfigurationError(f"The training configuration's {where} must be {hint}.")
