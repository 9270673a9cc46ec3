"""Dialects: the wire formats of other services' APIs, each a translation and nothing else.

Each lives under its own prefix and answers errors in its original's shape, those too that no
operation of it raises: a path that is none, a method, a rate that is used up. ``MIEN_DIALECTS``
says which are spoken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from mien.errors import MienError
from mien.service.dialects import azure, compreface, luxand, nhn
from mien.service.dialects.azure.errors import answer, of_mien
from mien.service.dialects.azure.route import named
from mien.service.dialects.endpoints import headers_of

__all__ = ["DIALECTS", "Dialect", "routers", "speaker"]

Failed = Callable[[Request, MienError], Response]
"""Makes the answer to a request that an error ended before an operation had it."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One of them.

    Attributes:
        prefixes: of its paths.
        router: makes its routes.
        failed: its answer for an error that none of its operations raised.
    """

    prefixes: tuple[str, ...]
    router: Callable[[], APIRouter]
    failed: Failed


def _failed_azure(request: Request, error: MienError) -> Response:
    told = named(request, answer(of_mien(error)))
    if "Retry-After" in (headers := headers_of(error)):
        told.headers["Retry-After"] = headers["Retry-After"]
    return told


def _whoever(failed: Callable[[MienError], Response]) -> Failed:
    return lambda _, error: failed(error)


DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "azure": Dialect(azure.OWN, azure.router, _failed_azure),
        "nhn": Dialect((nhn.PREFIX,), nhn.router, _whoever(nhn.failed)),
        "luxand": Dialect((luxand.PREFIX,), luxand.router, _whoever(luxand.failed)),
        "compreface": Dialect(("/compreface",), compreface.router, _whoever(compreface.failed)),
    }
)
"""Each dialect by its name."""


def routers(names: Iterable[str]) -> list[APIRouter]:
    """The routes of these dialects, made once: that takes a while, and they hold no state."""
    return [_router(name) for name in names]


@cache
def _router(name: str) -> APIRouter:
    made = DIALECTS[name].router()
    # FastAPI analyses included routes when the first request looks for its own, which changes the
    # process's warning filters: it has to be over before threads begin.
    nobody: Scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "root_path": ""}
    for route in made.routes:
        route.matches(nobody)
    return made


def speaker(names: Iterable[str]) -> Callable[[str], Failed | None]:
    """Who answers an error on a path: a dialect, or None where it is none of these dialects'.

    Example:
        >>> speaker(["luxand"])("/luxand/nothing") is DIALECTS["luxand"].failed
        True
    """
    spoken = [
        (prefix, DIALECTS[name].failed) for name in names for prefix in DIALECTS[name].prefixes
    ]

    def of(path: str) -> Failed | None:
        for prefix, failed in spoken:
            if path == prefix or path.startswith(f"{prefix}/"):
                return failed
        return None

    return of
