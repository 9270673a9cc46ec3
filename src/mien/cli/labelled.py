"""Options of the evaluations: a list of labelled photos, and the folder that its paths are in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

__all__ = ["labelled"]

Command = Callable[..., Any]


def labelled(flag: str, name: str, *, metavar: str, says: str) -> Callable[[Command], Command]:
    """The list, which the command gets as ``name``, and ``--root``, as ``root``."""
    a_path = click.Path(path_type=Path)
    listed = click.option(flag, name, type=a_path, required=True, metavar=metavar, help=says)
    root = click.option(
        "--root",
        type=a_path,
        required=True,
        metavar="DIR",
        help="Folder that the list's paths are relative to.",
    )
    return lambda command: listed(root(command))
