"""Gate: what is refused before anything else of a request is looked at."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mien.config import Settings
from mien.errors import Forbidden, InvalidArgument, MienError, RateLimited
from mien.service.errors import answer_error
from mien.service.guard import Guard
from mien.service.metrics import Metrics

__all__ = ["ALWAYS_OPEN", "Gate", "refusal"]

ALWAYS_OPEN = frozenset({"/healthz", "/readyz"})
"""Routes without a limit: a load balancer must not take a busy server for a dead one."""

_HOST = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::\d{1,5})?")
_LOCAL = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".test")
"""Ends of names that nobody can register, so that no stranger decides where they lead."""

_LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})


class Gate:
    """ASGI middleware that looks at heads, and counts the requests of each address.

    Args:
        app: the rest of the app.
        guard: it counts.
        metrics: where refusals are counted.
        settings: gives those that count now.
        speaker: path -> how the dialect that it belongs to answers an error; None: Mien itself.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        guard: Guard,
        metrics: Metrics,
        settings: Callable[[], Settings],
        speaker: Callable[[str], Callable[[Request, MienError], Response] | None],
    ) -> None:
        self._app = app
        self._guard = guard
        self._metrics = metrics
        self._settings = settings
        self._speaker = speaker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or answer why not."""
        refused = self._refused(scope) if scope["type"] == "http" else None
        if refused is None:
            await self._app(scope, receive, send)
            return
        error, headers = refused
        self._metrics.errors.labels(error.code).inc()
        dialect = self._speaker(scope["path"])
        if dialect is not None:
            answer = dialect(Request(scope), error)
            answer.headers.update(headers)
        else:
            answer = answer_error(error, request_id=scope["state"]["request_id"], headers=headers)
        await answer(scope, receive, send)

    def _refused(self, scope: Scope) -> tuple[MienError, dict[str, str]] | None:
        if scope["path"] not in ALWAYS_OPEN:
            client = scope.get("client")
            try:
                self._guard.enter(client[0] if client else None)
            except RateLimited as error:
                return error, {}
        told = refusal(scope, self._settings())
        # What follows on a connection whose requests cannot be told apart is not read.
        return None if told is None else (told, {"Connection": "close"})


def refusal(scope: Scope, settings: Settings) -> MienError | None:
    """Why a request is refused for its head alone; None: it is not.

    A body's length that is said twice: a proxy in front may believe the other one and take what
    follows for the next request (RFC 9112, 6.3). A ``Host`` that is no host, or not one of
    ``allowed_hosts``: answers hold URLs that are made of it. And without API keys, what a page of
    another site makes a browser send: the browser stands where the server can be reached, so
    nothing else would keep that page out.

    Args:
        scope: of the request, ASGI.
        settings: ``allowed_hosts``, ``cors_origins``, ``auth``, ``host``.
    """
    headers = Headers(scope=scope)
    if "transfer-encoding" in headers and (
        "content-length" in headers or scope.get("http_version") == "1.0"
    ):
        return InvalidArgument("Send Content-Length or Transfer-Encoding, not both.")
    given = headers.get("host")
    if given is not None and _HOST.fullmatch(given) is None:
        return InvalidArgument("The header Host must be a name or an address.")
    if given is not None and scope["path"] not in ALWAYS_OPEN and not _allowed(given, settings):
        return InvalidArgument(
            "The header Host names another server: whoever runs this one lists its names in "
            "MIEN_ALLOWED_HOSTS."
        )
    if not settings.auth and scope["method"] not in _LOOKING:
        origin = headers.get("origin")
        if origin is not None and not _same_site(origin, given, settings):
            return Forbidden(
                "A page of another origin may not do that: whoever runs the server lists origins "
                "in MIEN_CORS_ORIGINS."
            )
    return None


def _allowed(given: str, settings: Settings) -> bool:
    name = _name(given)
    if settings.allowed_hosts:
        return any(_matches(name, one) for one in settings.allowed_hosts)
    return settings.auth or name == settings.host.lower() or _is_local(name)


def _matches(name: str, allowed: str) -> bool:
    allowed = allowed.lower()
    if allowed.startswith("*."):
        return name.endswith(allowed[1:])
    return allowed in ("*", name)


def _is_local(name: str) -> bool:
    """An address, or a name that no page from outside can have made lead here (DNS rebinding)."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." not in name or name.endswith(_LOCAL)
    return True


def _name(host: str) -> str:
    """A host without its port, its brackets and its last dot."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].rstrip(".").lower()


def _same_site(origin: str, host: str | None, settings: Settings) -> bool:
    if origin in settings.cors_origins or "*" in settings.cors_origins:
        return True
    try:
        return urlsplit(origin).netloc.lower() == (host or "").lower() != ""
    except ValueError:
        return False
