"""Wire: connections that cannot be held open for nothing, over uvicorn's HTTP/1.1.

uvicorn waits for the head of a connection's first request for as long as the client likes, and for
a client that takes nothing of its answer just as long; each keeps a file descriptor. Here a head
has a deadline, a stalled answer too, and when there are too many connections the one that has
waited longest without a request makes room.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from mien.service.edge import SECURITY_HEADERS

__all__ = ["STALL_S", "Connection", "ConnectionLimits", "connections"]

STALL_S = 60.0
"""Seconds for which a client may take nothing of an answer."""

_MALFORMED = {
    "error": {
        "code": "invalid_argument",
        "message": "The request is not valid HTTP/1.1.",
        "details": {},
    },
    "request_id": "",
}


@dataclass(frozen=True)
class ConnectionLimits:
    """What the connections of one server share.

    Attributes:
        head_s: seconds for the head of a request, from the connection or its first byte on.
        most: connections at once.
        stall_s: seconds for which a client may take nothing of its answer.
        waiting: connections without a request, the one that has waited longest first.
    """

    head_s: float
    most: int
    stall_s: float = STALL_S
    waiting: dict[Connection, None] = field(default_factory=dict)


def connections(limits: ConnectionLimits) -> Callable[..., asyncio.Protocol]:
    """What uvicorn makes connections with (its option ``http``)."""

    def made(**options: Any) -> Connection:  # noqa: ANN401 - uvicorn's own
        return Connection(limits, **options)

    return made


class Connection(H11Protocol):
    """One connection.

    Args:
        limits: shared by all connections of the server.
        options: uvicorn's.
    """

    def __init__(self, limits: ConnectionLimits, **options: Any) -> None:  # noqa: ANN401
        super().__init__(**options)
        self._limits = limits
        self._head: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected: its request is awaited, for a while."""
        super().connection_made(transport)
        self._limits.waiting[self] = None
        self._await_head()
        if len(self.connections) > self._limits.most:
            # The newest has waited shortest: it goes only where all others are at work.
            next(iter(self._limits.waiting)).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._limits.waiting.pop(self, None)
        self._forget()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came: a head that is still not whole keeps its deadline."""
        super().data_received(data)
        if self._at_work:
            self._limits.waiting.pop(self, None)
            self._forget()
        elif self._head is None:
            self._await_head()

    def on_response_complete(self) -> None:
        """An answer is sent: the connection waits for another request."""
        self._limits.waiting[self] = None
        super().on_response_complete()
        if self._at_work:  # by a request that had come already
            self._limits.waiting.pop(self, None)
        elif self.transport.is_closing():
            self._end_if_stalled()

    def timeout_keep_alive_handler(self) -> None:
        """No other request came."""
        super().timeout_keep_alive_handler()
        self._end_if_stalled()

    def pause_writing(self) -> None:
        """The client does not take its answer as fast as it is written."""
        super().pause_writing()
        self._end_if_stalled()

    def resume_writing(self) -> None:
        """It has caught up."""
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """What cannot be read is answered like every other error, and the connection ends."""
        content = json.dumps(_MALFORMED).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(content)).encode()),
            (b"connection", b"close"),
            *((name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()),
        ]
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            reason = HTTPStatus.BAD_REQUEST.phrase.encode()
            for event in (
                h11.Response(status_code=400, headers=headers, reason=reason),
                h11.Data(data=content),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        self._end_if_stalled()

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing: a client that would rather speak another protocol is no news."""

    @property
    def _at_work(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_head(self) -> None:
        self._head = self.loop.call_later(self._limits.head_s, self._head_overdue)

    def _head_overdue(self) -> None:
        self._head = None
        if not self._at_work:
            self.transport.abort()

    def _end_if_stalled(self) -> None:
        """End in a while, unless what is written is taken until then."""
        if self._stall is None:
            self._stall = self.loop.call_later(self._limits.stall_s, self.transport.abort)

    def _forget(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None
