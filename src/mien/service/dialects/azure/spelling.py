"""Paths as clients write them: in any case, with or without a slash at the end.

To the API ``persistedFaces`` is ``persistedfaces``. A path that is spelled as the routes are goes
straight to them. Any other ends in the route that takes everything; there it is looked up once
more, and served under the routes' own spelling.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from mien.service.dialects.azure.errors import AzureError
from mien.service.dialects.azure.route import failed

__all__ = ["Spelling"]

PARAMETER = re.compile(r"\{\w+\}")


class Spelling:
    """An ASGI app that serves other spellings of routes, and answers 404 to what is none.

    Args:
        paths: of the routes, such as ``/face/{version}/detect``.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._known = [(_pattern(path), path) for path in dict.fromkeys(paths)]

    def of(self, path: str) -> str | None:
        """The routes' own spelling of a path; None: it is not one of theirs.

        Example:
            >>> Spelling(["/face/{version}/persons/{person}"]).of("/Face/v1.0//Persons/Ab/")
            '/face/v1.0/persons/Ab'
        """
        plain = re.sub("/+", "/", path).rstrip("/")
        for pattern, known in self._known:
            found = pattern.fullmatch(plain)
            if found is not None:
                fixed = PARAMETER.split(known)
                given = [*found.groups(), ""]
                return "".join(a + b for a, b in zip(fixed, given, strict=True))
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = self.of(scope["path"])
        if path is None or path == scope["path"]:
            nothing = AzureError(404, "ResourceNotFound", "The requested resource was not found.")
            await failed(Request(scope), nothing)(scope, receive, send)
            return
        again = {name: value for name, value in scope.items() if not _of_routing(name)}
        again |= {"path": path, "raw_path": quote(path).encode()}
        try:
            await scope["app"].router(again, receive, send)
        finally:
            scope["route"] = again.get("route")  # for the log and the metrics


def _of_routing(name: str) -> bool:
    """Whether a name in a scope is the first routing's."""
    return name in ("endpoint", "fastapi", "path_params", "route", "router")


def _pattern(path: str) -> re.Pattern[str]:
    parts = (re.escape(part) for part in PARAMETER.split(path))
    return re.compile("([^/]+)".join(parts), re.IGNORECASE)
