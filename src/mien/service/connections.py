"""Connections: how long one may say nothing, how many there may be, and how they end.

Requests have limits of their own (:mod:`mien.service.limits`); these are for what is not yet one.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from mien.service.headers import SECURITY_HEADERS
from mien.service.streams import STALL_S

__all__ = ["KEEP_ALIVE_S", "Connections", "open_files"]

KEEP_ALIVE_S = 65
"""Seconds for which a connection may stay open between requests: longer than proxies keep theirs,
so that they close them and never send a request into one that is just being closed."""

FILES_WANTED = 65_536
FILES_KEPT = 256
"""Files that are left to the database, the models and the log."""

_MALFORMED = {
    "error": {
        "code": "invalid_argument",
        "message": "The request is not valid HTTP/1.1.",
        "details": {},
    },
    "request_id": "",
}


@dataclass
class Connections:
    """All connections of one server; used on its event loop only.

    Attributes:
        most: so many at once; one more takes the place of the one that has been idle for longest,
            or is closed where none is.
        head_s: seconds from the first byte of a request (or the connection's beginning) to its
            head's end.
        stall_s: seconds for which a client may take nothing of its answer.
        idle: those without a request at work, the longest first.
        taken: all that are open.
        turned_away: how many have been closed to make room, or for want of it.
    """

    most: int
    head_s: float
    stall_s: float = STALL_S
    idle: OrderedDict[_Connection, None] = field(default_factory=OrderedDict)
    taken: int = 0
    turned_away: int = 0

    def protocol(self, *args: Any, **kwargs: Any) -> H11Protocol:  # noqa: ANN401 - uvicorn's
        """A connection's protocol, for uvicorn."""
        return _Connection(self, *args, **kwargs)

    def enter(self, one: _Connection) -> bool:
        """Count a new connection; False: there is no room."""
        self.taken += 1
        if self.taken > self.most:
            self.turned_away += 1
            if not self.idle:
                return False
            oldest, _ = self.idle.popitem(last=False)
            oldest.transport.abort()
        self.idle[one] = None
        return True


class _Connection(H11Protocol):
    """Uvicorn's protocol with an end to waiting for a request's head."""

    def __init__(self, house: Connections, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self._house = house
        self._patience: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        if self._house.enter(self):
            self._wait()
        else:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes; a head that comes byte by byte gets no more time for that."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Wait for the next request, or begin with one that is here already."""
        super().on_response_complete()
        self._look()
        if self.transport.is_closing():
            self._end_if_stalled()

    def timeout_keep_alive_handler(self) -> None:
        """No other request came."""
        super().timeout_keep_alive_handler()
        self._end_if_stalled()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        super().connection_lost(exc)
        self._rest()
        self._go_on()
        self._house.idle.pop(self, None)
        self._house.taken -= 1

    def pause_writing(self) -> None:
        """The client takes nothing more of its answer for now."""
        super().pause_writing()
        self._end_if_stalled()

    def resume_writing(self) -> None:
        """The client goes on."""
        super().resume_writing()
        self._go_on()

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

    def _end_if_stalled(self) -> None:
        """End in a while, unless what is written is taken until then."""
        if self._stalled is None:
            self._stalled = self.loop.call_later(self._house.stall_s, self.transport.abort)

    def _go_on(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _look(self) -> None:
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._rest()
            self._house.idle.pop(self, None)
            return
        if self not in self._house.idle:
            self._house.idle[self] = None
        if self.timeout_keep_alive_task is None:  # a head has begun
            self._wait()

    def _wait(self) -> None:
        if self._patience is None:
            self._patience = self.loop.call_later(self._house.head_s, self._give_up)

    def _rest(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self._patience = None
        self.transport.abort()


def open_files() -> int:
    """How many connections this process may have: what the system allows, raised where it may be.

    Returns:
        A number above 0; on systems without such a limit a large one.
    """
    try:
        import resource
    except ImportError:  # Windows
        return FILES_WANTED
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, FILES_WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    allowed = FILES_WANTED if soft == resource.RLIM_INFINITY else soft
    return max(allowed - FILES_KEPT, allowed // 2)
