"""Connections as uvicorn has them: heads that never come, answers that nobody takes, too many."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time

import pytest
import uvicorn

from mien.service.wire import ConnectionLimits, connections

LARGE = bytes(8 << 20)


async def app(scope, receive, send):
    """Answers what it was asked, or as much as no socket buffers."""
    body = LARGE if scope["path"] == "/large" else scope["path"].encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Wire:
    """A server on a free port, on a thread."""

    def __init__(self, **limits):
        self.limits = ConnectionLimits(**{"head_s": 30.0, "most": 100, **limits})
        config = uvicorn.Config(
            app,
            http=connections(self.limits),
            ws="none",
            lifespan="off",
            log_config=None,
            timeout_keep_alive=1,
        )
        self.server = uvicorn.Server(config)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        asyncio.run(self.server.serve(sockets=[self.socket]))

    def connect(self):
        made = socket.create_connection(self.socket.getsockname(), timeout=20)
        made.settimeout(20)
        return made

    def close(self):
        self.server.should_exit = self.server.force_exit = True
        self.thread.join()
        self.socket.close()


@pytest.fixture
def wire():
    opened = []

    def make(**limits):
        opened.append(Wire(**limits))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def ended(connection):
    """All that still comes on a connection until the server ends it."""
    got = b""
    try:
        while data := connection.recv(1 << 16):
            got += data
    except ConnectionResetError:
        pass
    return got


def ask(path="/a"):
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def answer(connection):
    """One small answer."""
    got = b""
    while b"\r\n\r\n" not in got or not got.partition(b"\r\n\r\n")[2]:
        data = connection.recv(1 << 16)
        assert data, got
        got += data
    return got


@pytest.mark.parametrize("sent", [b"", b"G", ask()[:-2], b"POST / HTTP/1.1\r\nX: "])
def test_a_head_that_does_not_come_ends_the_connection(wire, sent):
    made = wire(head_s=0.2)
    with made.connect() as connection:
        connection.sendall(sent)
        assert ended(connection) == b""
    assert not made.limits.waiting


def test_a_head_in_drops_ends_too(wire):
    with wire(head_s=0.3).connect() as connection:
        began = time.monotonic()
        try:
            while time.monotonic() < began + 20:
                connection.sendall(b"G")
                time.sleep(0.02)
        except ConnectionError:
            return
    raise AssertionError("it is still open")


def test_the_deadline_is_of_heads_only_and_of_each(wire):
    made = wire(head_s=0.4)
    with made.connect() as connection:
        for _ in range(3):
            connection.sendall(ask()[:10])
            time.sleep(0.25)
            connection.sendall(ask()[10:])
            assert answer(connection).endswith(b"/a")
        assert len(made.limits.waiting) == 1
        connection.sendall(ask("/b") + ask("/c")[:-2])
        assert answer(connection).endswith(b"/b")
        assert ended(connection) == b""


def test_an_answer_that_nobody_takes_ends_the_connection(wire):
    made = wire(stall_s=0.3)
    with made.connect() as connection:
        connection.sendall(ask("/large"))
        time.sleep(0.8)
        assert not made.server.server_state.connections
        assert len(ended(connection)) < len(LARGE)
    with made.connect() as connection:  # one who reads gets all of it
        connection.sendall(ask("/large").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert len(ended(connection)) > len(LARGE)


def test_one_too_many_takes_the_place_of_the_one_that_has_waited_longest(wire):
    made = wire(most=3)
    old = [made.connect() for _ in range(3)]
    old[0].sendall(ask())
    assert answer(old[0]).endswith(b"/a")  # it waits for shorter than the other two now
    with made.connect() as new:
        new.sendall(ask("/new"))
        assert answer(new).endswith(b"/new")
        assert ended(old[1]) == b""
        for one in (old[0], old[2]):
            one.sendall(ask("/still"))
            assert answer(one).endswith(b"/still")
    for one in old:
        one.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70_000,
    ],
)
def test_what_is_no_http_is_an_error_like_others_and_the_end(wire, sent):
    with wire().connect() as connection:
        connection.sendall(sent)
        head, _, body = ended(connection).partition(b"\r\n\r\n")
    if not head:  # reset before it could be read, because more was sent than is taken
        assert len(sent) > 65536
        return
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"x-content-type-options: nosniff" in head
    assert json.loads(body)["error"]["code"] == "invalid_argument"


def test_another_protocol_is_not_spoken_and_not_logged(wire, caplog):
    with wire().connect() as connection:
        connection.sendall(
            b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        assert answer(connection).endswith(b"/a")
    assert "upgrade" not in caplog.text.lower()
