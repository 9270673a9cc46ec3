"""Attributes by name."""

from __future__ import annotations

from collections.abc import Iterable

from mien.attributes.protocol import Attribute
from mien.errors import InvalidArgument
from mien.models import ModelStore
from mien.models.plugins import loader, loaders
from mien.spelling import no_such

__all__ = ["DEFAULT", "check", "create", "names"]

GROUP = "mien.attributes"

DEFAULT = (
    "age",
    "gender",
    "emotion",
    "mask",
    "pose",
    "eyes",
    "mouth",
    "smile",
    "occlusion",
    "blur",
    "exposure",
    "noise",
    "quality",
)
"""What is answered when nothing is asked for by name."""


def names() -> list[str]:
    """Names of the attributes that can be asked for."""
    return list(loaders(GROUP))


def check(actions: Iterable[str]) -> tuple[str, ...]:
    """``actions`` without repetitions, in their order.

    Raises:
        InvalidArgument: nothing is asked for, or something that there is not.
    """
    if isinstance(actions, str):
        raise InvalidArgument(f"Actions are a list of names: [{actions!r:.60}].")
    wanted = tuple(dict.fromkeys(actions))
    if not wanted:
        raise InvalidArgument(f"Say what to analyse: {', '.join(names())}.")
    for action in wanted:
        if action not in names():
            raise InvalidArgument(no_such("attribute", action, names()))
    return wanted


def create(name: str, models: ModelStore) -> Attribute:
    """The attribute ``name``, loaded.

    A loader takes the store alone: one attribute has no model card, another has two.

    Raises:
        InvalidArgument: no attribute of that name.
        ModelError: its weights cannot be had or run, or their licence is not accepted.
    """
    (action,) = check([name])
    attribute: Attribute = loader(GROUP, action)(models)
    return attribute
