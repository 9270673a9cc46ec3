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

from mien.errors import ModelUnavailable, UnknownModel
from mien.spelling import no_such

__all__ = ["loader", "loaders"]


@cache  # reading what all installed packages announce takes milliseconds
def loaders(group: str) -> dict[str, EntryPoint]:
    """The entry points of ``group`` by name, sorted; read once."""
    return {point.name: point for point in sorted(entry_points(group=group), key=str)}


def loader(group: str, name: str) -> Any:  # noqa: ANN401  # detectors and embedders alike
    """The loader that ``name`` is registered with.

    Raises:
        UnknownModel: nothing of that name is registered.
        ModelUnavailable: the code that is registered cannot be imported.
    """
    known = loaders(group)
    if name not in known:
        raise UnknownModel(no_such(f"code in {group} for the model", name, known))
    try:
        return known[name].load()
    except (ImportError, AttributeError) as error:
        package = known[name].dist
        raise ModelUnavailable(
            f"The code of {name} cannot be imported ({type(error).__name__}: {error}): install "
            f"{package.name if package else 'its package'} anew, with what it needs.",
            details={"model": name},
        ) from error
