"""Attributes by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from mien.attributes.protocol import Attribute
from mien.errors import InvalidArgument
from mien.models import ModelStore
from mien.models.plugins import loader, loaders

__all__ = ["DEFAULT", "check", "create", "names"]

GROUP = "mien.attributes"

DEFAULT = ("age", "gender", "emotion", "mask", "pose", "eyes", "mouth", "smile", "quality")
"""What is answered when nothing is asked for by name."""


def names() -> list[str]:
    """Names of the attributes that can be asked for."""
    return list(loaders(GROUP))


def check(actions: Iterable[str]) -> tuple[str, ...]:
    """``actions`` without repetitions, in their order.

    Raises:
        InvalidArgument: nothing is asked for, or something that there is not.
    """
    wanted = tuple(dict.fromkeys(actions))
    if not wanted:
        raise InvalidArgument(f"Say what to analyse: {', '.join(names())}.")
    for action in wanted:
        if action not in names():
            close = difflib.get_close_matches(action, names(), n=2)
            hint = f"Did you mean {' or '.join(close)}? " if close else ""
            raise InvalidArgument(
                f"There is no attribute {action!r}. {hint}There are: {', '.join(names())}."
            )
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
