"""What every public function has in common: DeepFace's errors, and its older calls.

Older releases of DeepFace had parameters that 0.0.103 has not. Programs still give them; they
are accepted with a ``DeprecationWarning`` and change nothing, unless a function says otherwise.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from mien.compat.deepface.exceptions import translated
from mien.errors import MienError

__all__ = ["public"]

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


def public(
    *older: str, **renamed: str
) -> Callable[[Callable[Given, Answer]], Callable[Given, Answer]]:
    """Decorate a function of DeepFace's surface; its signature stays as it is.

    Args:
        older: parameters of older releases that are ignored with a warning.
        renamed: a parameter's older name, and what it is called now.
    """

    def decorate(function: Callable[Given, Answer]) -> Callable[Given, Answer]:
        @functools.wraps(function)
        def call(*args: Given.args, **options: Given.kwargs) -> Answer:
            kept = _modern(function.__name__, dict(options), older, renamed)
            try:
                return function(*args, **kept)
            except MienError as caught:
                said = translated(caught)
                if said is caught:
                    raise
                raise said from caught

        return call

    return decorate


def _modern(
    function: str, options: dict[str, Any], older: tuple[str, ...], renamed: dict[str, str]
) -> dict[str, Any]:
    """``options`` without what only older releases had."""
    for name in [name for name in options if name in older]:
        del options[name]
        _warn(f"{function}({name}=...) is ignored: DeepFace has had no such parameter for long.")
    for name in [name for name in options if name in renamed]:
        now = renamed[name]
        value = options.pop(name)
        if now in options:
            raise TypeError(f"{function}() got both {now!r} and its older name {name!r}")
        options[now] = value
        _warn(f"{function}({name}=...) is called {now} now.")
    return options


def _warn(message: str) -> None:
    warnings.warn(message, DeprecationWarning, stacklevel=4)
