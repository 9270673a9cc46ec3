"""Turnstile: while the queue is full, photos are refused by their request's head alone.

Whoever is refused costs the same cores as those who are served, so it has to cost little: no
routing, no look at the database, no body. What the turnstile does not know for sure goes on to the
routes, which refuse it as well (:meth:`mien.service.call.Call.with_upload`).
"""

from __future__ import annotations

from collections.abc import Iterable

from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from mien.errors import MienError, Overloaded, RateLimited, Unauthorized
from mien.service.auth import bearer
from mien.service.errors import answer_error
from mien.service.state import Service

__all__ = ["Turnstile"]


class Turnstile:
    """ASGI middleware before the routes.

    Args:
        app: the rest of the app.
        service: its pool and its keys.
        routes: of the native API; those that take photos are guarded.
    """

    def __init__(self, app: ASGIApp, *, service: Service, routes: Iterable[APIRoute]) -> None:
        self._app = app
        self._service = service
        self._routes = [route for route in routes if _takes_photos(route)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or answer 503."""
        if self._service.inference.full and scope["type"] == "http" and scope["method"] == "POST":
            error = self._refusal(scope)
            if error is not None:
                self._service.metrics.errors.labels(error.code).inc()
                answer = answer_error(error, request_id=scope["state"]["request_id"])
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> MienError | None:
        """Why the request cannot be served now; None: it may go on."""
        path, service = scope["path"], self._service
        route = next((one for one in self._routes if one.path_regex.match(path)), None)
        who = None if route is None else self._who(scope)
        if route is None or who is None:
            return None
        key_id, lane = who
        try:
            service.inference.refuse_if_full(lane)
        except Overloaded as full:
            scope["route"] = route  # its template is what the metrics and the log name
            service.calls.count(lane, str(next(iter(route.tags), "other")))
            try:
                service.guard.use(key_id)
            except RateLimited as often:
                return often
            return full
        return None

    def _who(self, scope: Scope) -> tuple[str, str] | None:
        """The id of the request's key, and its application; None: not known."""
        service = self._service
        if not service.settings.auth:
            return "", service.gallery.application_name
        try:
            secret = bearer(Headers(scope=scope).get("authorization"))
        except Unauthorized:
            return None
        access = service.keys.remembered(secret)
        return None if access is None else (access.key.id, access.gallery.application_name)


def _takes_photos(route: APIRoute) -> bool:
    body = (route.openapi_extra or {}).get("requestBody", {})
    return "POST" in (route.methods or ()) and "multipart/form-data" in body.get("content", {})
