"""The outermost layer: request ids, security headers, the access log, and the last safety net."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.service.errors import InternalError, answer_error, log_unexpected
from mien.service.headers import SECURITY_HEADERS
from mien.service.metrics import METHODS, Metrics
from mien.service.traces import Tracing
from mien.stages import Stage, listen

__all__ = ["REQUEST_ID", "Edge"]

logger = logging.getLogger("mien.service")

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
LINGER_S = 2.0

HSTS = "max-age=31536000"


class Edge:
    """ASGI middleware around the whole app.

    Args:
        app: the rest of the app.
        metrics: where requests are counted.
        linger_bytes: how much of a body that nobody wanted is read and thrown away, so that the
            client gets its answer instead of a broken connection.
        tracing: where spans of requests and their stages go; None: nowhere.
        stopping: whether the server is about to end; then every answer ends its connection.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        linger_bytes: int,
        tracing: Tracing | None = None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._app = app
        self._stopping = stopping
        self._metrics = metrics
        self._linger_bytes = linger_bytes
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id = _request_id(headers.get("x-request-id"))
        state["started"] = started = time.monotonic()
        state["stopping"] = self._stopping
        secure = scope.get("scheme") == "https"
        exchange = _Exchange(state, headers, receive, send, self._linger_bytes, secure)
        exchange.may_be_kept = scope["path"].startswith("/static/")
        with listen() as stages:
            state["stages"] = stages
            try:
                await self._app(scope, exchange.receive, exchange.send)
            except Exception as error:  # the last net: nothing may leak
                log_unexpected(error, request_id=request_id)
                self._metrics.errors.labels(InternalError.code).inc()
                if exchange.status == 0:
                    answer = answer_error(InternalError(), request_id=request_id)
                    await answer(scope, exchange.receive, exchange.send)
            finally:
                self._tell(scope, exchange.status, started, tuple(stages))

    def _tell(self, scope: Scope, status: int, started: float, stages: tuple[Stage, ...]) -> None:
        """Metrics, the log's line and the trace of a request that has been answered."""
        seconds = time.monotonic() - started
        method = scope["method"] if scope["method"] in METHODS else "other"
        route, request_id = _template(scope), scope["state"]["request_id"]
        self._metrics.observe(
            method=scope["method"], route=route, status=status, seconds=seconds, stages=stages
        )
        facts = {
            "request_id": request_id,
            "method": method,
            "route": route,
            "status": status,
            "ms": round(1000 * seconds, 1),
        }
        logger.info("%s %s %s %d %.1f ms", *facts.values(), extra={"mien": facts})
        if self._tracing is not None:
            self._tracing.tell(facts, stages, seconds=seconds, headers=scope["headers"])


class _Exchange:
    """One request and its answer."""

    def __init__(
        self,
        state: MutableMapping[str, Any],
        headers: Headers,
        receive: Receive,
        send: Send,
        linger_bytes: int,
        secure: bool,
    ) -> None:
        self.status = 0
        self.may_be_kept = False
        self._secure = secure
        self._state = state
        self._receive = receive
        self._send = send
        self._linger_bytes = linger_bytes
        has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
        self._unread = has_body
        self._held_back = headers.get("expect", "").lower() == "100-continue"

    async def receive(self) -> Message:
        self._held_back = False
        message = await self._receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            self._unread = False
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self._state["request_id"]
            if self._state["stopping"]():
                headers["connection"] = "close"
            if "retry_after_s" in self._state:
                headers["retry-after"] = str(self._state["retry_after_s"])
            _add_missing(headers, SECURITY_HEADERS.items())
            if not self.may_be_kept:  # a cache knows of keys in Authorization, not in token
                _add_missing(headers, [("cache-control", "no-store")])
            if self._secure:
                _add_missing(headers, [("strict-transport-security", HSTS)])
        elif (
            message["type"] == "http.response.body"
            and not message.get("more_body", False)
            and self._unread
            and not self._held_back
        ):
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def _linger(self) -> None:
        thrown_away = 0
        try:
            async with asyncio.timeout(LINGER_S):
                while self._unread and thrown_away < self._linger_bytes:
                    thrown_away += len((await self.receive()).get("body", b""))
        except TimeoutError:
            return


def _template(scope: Scope) -> str:
    """The route's template, never the path itself: paths hold people's names."""
    path = scope["state"].get("template") or getattr(scope.get("route"), "path", None)
    if path is None:
        return "/static" if scope["path"].startswith("/static/") else "unmatched"
    return str(path)


def _request_id(given: str | None) -> str:
    if given is not None and REQUEST_ID.fullmatch(given):
        return given
    return uuid.uuid4().hex


def _add_missing(headers: MutableHeaders, defaults: Iterable[tuple[str, str]]) -> None:
    for name, value in defaults:
        if name not in headers:
            headers[name] = value
