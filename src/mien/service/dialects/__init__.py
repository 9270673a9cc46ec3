"""Dialects: the wire formats of other services' APIs, each a translation and nothing else.

Each lives under its own prefix and answers errors in its original's shape. ``MIEN_DIALECTS`` says
which are spoken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import MappingProxyType

from fastapi import APIRouter

from mien.service.dialects.azure import router as azure
from mien.service.dialects.compreface import router as compreface
from mien.service.dialects.luxand import router as luxand
from mien.service.dialects.nhn import router as nhn

__all__ = ["DIALECTS", "routers"]

DIALECTS: Mapping[str, Callable[[], APIRouter]] = MappingProxyType(
    {"azure": azure, "nhn": nhn, "luxand": luxand, "compreface": compreface}
)
"""Name of each dialect and what makes its routes."""


def routers(names: Iterable[str]) -> list[APIRouter]:
    """The routes of these dialects, made once in a process: they hold nothing of an app."""
    return [_made(name) for name in names]


@cache
def _made(name: str) -> APIRouter:
    return DIALECTS[name]()
