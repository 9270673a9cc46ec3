"""Rows as lists of dicts, or as pandas DataFrames where pandas is installed."""

from __future__ import annotations

import importlib.util
from typing import Any

from mien.compat.deepface.exceptions import MissingDependency, UnimplementedError, error
from mien.errors import InvalidArgument

__all__ = ["answer", "resolve_return_type"]

Rows = list[dict[str, Any]]


def resolve_return_type(return_type: str | None) -> str:
    """``pandas`` or ``dict``; None is ``pandas`` where it is installed, as in DeepFace.

    Raises:
        InvalidArgument: another (also ``UnimplementedError``), or pandas is wanted and not
            installed (also ``ImportError``).
    """
    if return_type not in (None, "pandas", "dict"):
        raise error(
            InvalidArgument,
            UnimplementedError,
            f"Unsupported return_type: {return_type!r}. Options: 'pandas', 'dict'.",
        )
    installed = importlib.util.find_spec("pandas") is not None
    if return_type == "pandas" and not installed:
        raise error(
            InvalidArgument,
            MissingDependency,
            "return_type='pandas' needs pandas, which is not installed: run 'pip install pandas', "
            "or set return_type to 'dict'.",
        )
    return return_type or ("pandas" if installed else "dict")


def answer(found: list[Rows], return_type: str, columns: tuple[str, ...]) -> list[Any]:
    """``found`` as it is, or each list of rows as a DataFrame with these columns."""
    if return_type == "dict":
        return found
    pandas: Any = importlib.import_module("pandas")
    return [pandas.DataFrame(rows, columns=list(columns)) for rows in found]
