"""The server as it is run: a process, real sockets, signals."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from mien.service.server import _listen

ENTRY = Path(__file__).parent / "serving_entry.py"


class Server:
    """One server process and what it printed."""

    def __init__(self, folder, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, str(ENTRY), str(folder), "0", *arguments],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines = []
        self.ready = threading.Event()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        assert self.ready.wait(60), self.lines
        self.address = re.search(r"http://\S+", self.text).group(0)

    @property
    def text(self):
        return "".join(self.lines)

    @property
    def key(self):
        found = re.search(r"API key[^:]*: (\S+)", self.text)
        return found and found.group(1)

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line)
            if "Mien is at" in line:
                self.ready.set()

    def client(self, key):
        return httpx.Client(
            base_url=self.address, timeout=30, headers={"Authorization": f"Bearer {key}"}
        )

    def end(self, sig=signal.SIGTERM):
        if sig is not None:
            self.process.send_signal(sig)
        code = self.process.wait(40)
        self.reader.join()
        self.process.stderr.close()
        return code


@pytest.fixture
def start(tmp_path):
    servers = []

    def make(*arguments):
        servers.append(Server(tmp_path, *arguments))
        return servers[-1]

    yield make
    for server in servers:
        if server.process.poll() is None:
            server.process.kill()
            server.end()


def test_first_start_work_and_end(start, photos, monkeypatch):
    monkeypatch.setenv("MIEN_MAX_REQUEST_BYTES", "9000000")
    server = start()
    key = server.key
    with server.client(key) as client:
        assert client.post("/v1/detect", files={"image": photos.ann}).status_code == 200
        assert client.post("/v1/groups", json={"name": "g"}).status_code == 201
        # A refused request with a large body gets its answer, not a broken connection.
        for headers in ({"Authorization": "Bearer no"}, {"Content-Type": "image/png"}):
            answer = client.post("/v1/detect", content=bytes(10_000_000), headers=headers)
            assert answer.status_code == (401 if "Authorization" in headers else 413)

        def pieces():
            for _ in range(10):
                yield bytes(1_000_000)

        answer = client.post("/v1/detect", content=pieces(), headers={"Content-Type": "image/png"})
        assert answer.status_code == 413
    assert server.end() == 0
    assert server.text.count(key) == 1
    assert "Traceback" not in server.text
    again = start()
    assert again.key is None
    with again.client(key) as client:
        assert [one["name"] for one in client.get("/v1/groups").json()["groups"]] == ["g"]
    assert again.end(signal.SIGINT) == 0


def test_a_body_that_is_refused_is_not_asked_for(start):
    server = start()
    host, port = re.search(r"//([^:/]+):(\d+)", server.address).groups()
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            b"POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
            b"Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n"
        )
        head = connection.recv(65536)
    assert head.startswith(b"HTTP/1.1 401 ")
    assert b"100 Continue" not in head


def test_an_answer_in_two_packets_does_not_wait_for_the_client():
    options = []

    class Look(asyncio.Protocol):
        def connection_made(self, transport):
            accepted = transport.get_extra_info("socket")
            options.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            transport.close()

    async def main():
        with _listen("127.0.0.1", 0) as listener:
            server = await asyncio.get_running_loop().create_server(Look, sock=listener)
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            await reader.read()
            writer.close()
            server.close()

    asyncio.run(main())
    assert len(options) == 1
    assert options[0] != 0


def test_a_port_in_use_is_a_typed_error(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, str(ENTRY), str(tmp_path), port],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode != 0
    assert f"ConfigurationError: Cannot listen on 127.0.0.1:{port}" in ended.stderr


def test_importing_the_cli_does_not_import_the_service():
    code = "import sys, mien.cli; print([m for m in ('fastapi', 'uvicorn') if m in sys.modules])"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout.strip() == "[]"
