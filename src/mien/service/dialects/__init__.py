"""Dialects: the wire formats of other services' APIs, each a translation and nothing else.

Each lives under its own prefix and answers errors in its original's shape. ``MIEN_DIALECTS`` says
which are spoken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from fastapi import APIRouter

from mien.service.dialects.azure import PREFIXES as AZURE
from mien.service.dialects.azure import router as azure
from mien.service.dialects.azure.route import failed as failed_azure
from mien.service.dialects.compreface import router as compreface
from mien.service.dialects.luxand import router as luxand
from mien.service.dialects.nhn import router as nhn
from mien.service.guard import Refusal

__all__ = ["DIALECTS", "refusals", "routers"]

DIALECTS: Mapping[str, Callable[[], APIRouter]] = MappingProxyType(
    {"azure": azure, "nhn": nhn, "luxand": luxand, "compreface": compreface}
)
"""Name of each dialect and what makes its routes."""


def routers(names: Iterable[str]) -> list[APIRouter]:
    """The routes of these dialects."""
    return [DIALECTS[name]() for name in names]


def refusals(names: Iterable[str]) -> dict[str, Refusal]:
    """Beginning of a path -> what answers there for these dialects before any route is reached.

    A dialect that is not in it answers in Mien's own shape.
    """
    return dict.fromkeys(AZURE, failed_azure) if "azure" in names else {}
