"""Find the code of a model by its card's name: one entry-point group a task.

Built-in and third-party models register through the same door, for example::

    [project.entry-points."mien.detectors"]
    yunet = "mien.detect.yunet:YuNet.load"

A loader takes ``(card, models)`` and returns the model.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from mien.errors import UnknownModel

__all__ = ["loader", "loaders"]


@cache  # reading what all installed packages announce takes milliseconds
def loaders(group: str) -> dict[str, EntryPoint]:
    """The entry points of ``group`` by name, sorted; read once."""
    return {point.name: point for point in sorted(entry_points(group=group), key=str)}


def loader(group: str, name: str) -> Any:  # noqa: ANN401  # detectors and embedders alike
    """The loader that ``name`` is registered with.

    Raises:
        UnknownModel: nothing of that name is registered.
    """
    known = loaders(group)
    if name not in known:
        raise UnknownModel(
            f"No code is registered for {name!r} in {group}; there is: {', '.join(known)}."
        )
    return known[name].load()
