"""The server as it is run, where others can reach it: TLS, proxies, SIGHUP, two on one gallery."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import trustme

from mien import config
from mien.errors import ConfigurationError
from mien.gallery import Gallery
from mien.service.tls import tls_context

ENTRY = Path(__file__).parent / "exposed_entry.py"
posix = pytest.mark.skipif(os.name != "posix", reason="signals")


class Server:
    """A server process; its settings are in ``mien.toml``."""

    def __init__(self, folder, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, str(ENTRY), str(folder), *arguments],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "MIEN_CONFIG": str(folder / "mien.toml")},
        )
        self.lines = []
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        self.until("Mien is at")
        self.address = re.search(r"https?://[^\s/]+", self.text).group(0)

    @property
    def text(self):
        return "".join(self.lines)

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line)

    def until(self, text, seconds=60, times=1):
        end = time.monotonic() + seconds
        while self.text.count(text) < times:
            assert time.monotonic() < end, self.text
            assert self.process.poll() is None, self.text
            time.sleep(0.01)

    def client(self, key="", **options):
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=self.address, timeout=30, headers=headers, **options)

    def end(self, sig=signal.SIGTERM):
        if sig is not None:
            self.process.send_signal(sig)
        code = self.process.wait(40)
        self.reader.join()
        self.process.stderr.close()
        return code


@pytest.fixture
def gallery(tmp_path):
    with Gallery.open(f"sqlite:///{tmp_path / 'gallery.db'}") as opened:
        yield opened


@pytest.fixture
def key(gallery):
    return gallery.create_key("default")[1]


@pytest.fixture
def start(tmp_path):
    servers = []

    def make(*arguments, **settings):
        write(tmp_path, **settings)
        servers.append(Server(tmp_path, *arguments))
        return servers[-1]

    yield make
    for server in servers:
        if server.process.poll() is None:
            server.process.kill()
            server.end()


def write(folder, **settings):
    lines = [
        f"{name} = {value}" if isinstance(value, int | float) else f"{name} = {value!r}"
        for name, value in {"port": 0, **settings}.items()
    ]
    (folder / "mien.toml").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


def issue(authority, folder, name="127.0.0.1"):
    """A certificate in the files that the server's settings name."""
    made = authority.issue_cert(name)
    made.private_key_pem.write_to_path(folder / "key.pem")
    (folder / "cert.pem").write_bytes(b"".join(one.bytes() for one in made.cert_chain_pems))
    return {"tls_cert": str(folder / "cert.pem"), "tls_key": str(folder / "key.pem")}


def trusting(authority, **versions):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    for name, value in versions.items():
        setattr(context, name, value)
    return context


def serial(address, authority):
    """The number of the certificate that a new connection gets."""
    host, port = re.search(r"//([^:/]+):(\d+)", address).groups()
    with (
        socket.create_connection((host, int(port)), timeout=10) as plain,
        trusting(authority).wrap_socket(plain, server_hostname=host) as secured,
    ):
        return secured.getpeercert()["serialNumber"]


@posix
def test_tls_and_a_new_certificate_without_a_restart(start, key, authority, tmp_path):
    server = start(**issue(authority, tmp_path))
    assert server.address.startswith("https://")
    with server.client(key, verify=trusting(authority)) as client:
        answer = client.get("/v1/groups")
        assert answer.status_code == 200
        assert answer.headers["strict-transport-security"].startswith("max-age=")
    first = serial(server.address, authority)
    issue(authority, tmp_path)
    server.process.send_signal(signal.SIGHUP)
    server.until("reloaded: ")
    assert serial(server.address, authority) != first
    # A file that cannot be used changes nothing, nor does a certificate without its key.
    second = serial(server.address, authority)
    authority.issue_cert("127.0.0.1").private_key_pem.write_to_path(tmp_path / "key.pem")
    for times in (1, 2):
        server.process.send_signal(signal.SIGHUP)
        server.until("nothing was reloaded: configuration", times=times)
        assert serial(server.address, authority) == second
        (tmp_path / "cert.pem").write_text("nonsense")
    plain = httpx.Client(base_url=server.address.replace("https", "http"), timeout=5)
    with plain, pytest.raises(httpx.TransportError):
        plain.get("/healthz")
    assert server.end() == 0
    assert "Traceback" not in server.text


def test_only_new_versions_of_tls(start, key, authority, tmp_path):
    server = start(**issue(authority, tmp_path), tls_min_version="1.3")
    with (
        server.client(
            key, verify=trusting(authority, maximum_version=ssl.TLSVersion.TLSv1_2)
        ) as old,
        pytest.raises(httpx.TransportError),
    ):
        old.get("/healthz")
    with server.client(key, verify=trusting(authority)) as new:
        assert new.get("/healthz").status_code == 200


def test_clients_that_need_a_certificate(start, key, authority, tmp_path):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    server = start(**issue(authority, tmp_path), tls_client_ca=str(tmp_path / "ca.pem"))
    with (
        server.client(key, verify=trusting(authority)) as none,
        pytest.raises(httpx.TransportError),
    ):
        none.get("/healthz")
    stranger = trusting(authority)
    trustme.CA().issue_cert("client@example.org").configure_cert(stranger)
    with server.client(key, verify=stranger) as other, pytest.raises(httpx.TransportError):
        other.get("/healthz")
    known = trusting(authority)
    authority.issue_cert("client@example.org").configure_cert(known)
    with server.client(key, verify=known) as one:
        assert one.get("/v1/groups").status_code == 200


def test_the_oldest_version_is_1_2_unless_it_is_1_3(authority, tmp_path):
    files = issue(authority, tmp_path)
    assert tls_context(config.load()) is None
    for name, version in (("1.2", ssl.TLSVersion.TLSv1_2), ("1.3", ssl.TLSVersion.TLSv1_3)):
        context = tls_context(config.load(**files, tls_min_version=name))
        assert context.minimum_version == version
    assert tls_context(config.load(**files)).minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("wrong", ["no key", "no cert", "missing", "text", "another's key", "ca"])
def test_tls_files_that_cannot_be_used(authority, tmp_path, wrong):
    files = issue(authority, tmp_path)
    if wrong in {"no key", "no cert"}:
        files.pop("tls_key" if wrong == "no key" else "tls_cert")
    elif wrong == "missing":
        files["tls_key"] = str(tmp_path / "nothing.pem")
    elif wrong == "text":
        (tmp_path / "cert.pem").write_text("text")
    elif wrong == "another's key":
        authority.issue_cert("x.example").private_key_pem.write_to_path(tmp_path / "key.pem")
    else:
        (tmp_path / "ca.pem").write_text("text")
        files["tls_client_ca"] = str(tmp_path / "ca.pem")
    with pytest.raises(ConfigurationError, match="tls_") as caught:
        tls_context(config.load(**files))
    assert str(tmp_path) not in caught.value.message


@posix
def test_settings_are_taken_on_sighup(start, key, tmp_path):
    server = start(log_format="json")
    with server.client(key) as client:
        assert [client.get("/v1/groups").status_code for _ in range(3)] == [200] * 3
        write(tmp_path, rate_per_key=0.01, rate_burst=1, queue_size=7)
        server.process.send_signal(signal.SIGHUP)
        server.until("reloaded: ")
        assert [client.get("/v1/groups").status_code for _ in range(2)] == [200, 429]
        write(tmp_path, rate_per_key=-5)
        server.process.send_signal(signal.SIGHUP)
        server.until("nothing was reloaded: configuration")
        assert client.get("/v1/groups").status_code == 429
    assert "queue_size" in server.text, "it needs a restart"
    assert server.end() == 0


@pytest.mark.parametrize("trusted", [False, True])
def test_a_forwarded_address_is_believed_of_a_trusted_proxy_only(start, key, gallery, trusted):
    settings = {"lockout_failures": 1}
    if trusted:
        settings["trusted_proxies"] = ["127.0.0.1"]
    server = start(**settings)
    with server.client("wrong") as client:
        claims = [f"1.2.3.4, 203.0.113.{number}" for number in (1, 1, 2)]
        answers = [client.get("/v1/groups", headers={"X-Forwarded-For": one}) for one in claims]
    # Untrusted, all three come from this machine; what the client claims is nothing.
    assert [answer.status_code for answer in answers] == (
        [401, 429, 401] if trusted else [401, 429, 429]
    )


def test_stopping_finishes_what_waits_too_and_refuses_the_rest(start, key, photos):
    server = start("0.5", workers=1)
    with server.client(key) as client, ThreadPoolExecutor(4) as threads:
        begun = [
            threads.submit(client.post, "/v1/detect", files={"image": photos.ann}) for _ in range(3)
        ]
        end = time.monotonic() + 20
        while "mien_inference_slots_taken 3.0" not in client.get("/metrics").text:
            assert time.monotonic() < end
        server.process.send_signal(signal.SIGTERM)
        assert [one.result().status_code for one in begun] == [200, 200, 200]
    with server.client(key) as late, pytest.raises(httpx.TransportError):
        late.get("/healthz")
    assert server.end(None) == 0
    assert "Traceback" not in server.text


def test_two_servers_share_a_gallery_and_its_keys(start, key, gallery, photos):
    one, other = start(), start()
    with one.client(key) as here, other.client(key) as there:
        assert here.post("/v1/groups", json={"name": "g"}).status_code == 201
        assert there.post("/v1/groups/g/persons", json={"name": "Ann"}).status_code == 201
        image = {"image": photos.ann}
        assert here.post("/v1/groups/g/persons/Ann/faces", files=image).status_code == 201
        (face,) = there.post("/v1/groups/g/identify", files=image).json()["faces"]
        assert face["candidates"][0]["person"] == "Ann"
        with ThreadPoolExecutor(8) as threads:
            made = threads.map(
                lambda n: (here, there)[n % 2].post("/v1/groups", json={"name": f"g{n}"}), range(16)
            )
            assert {answer.status_code for answer in made} == {201}
        # A key that is revoked ends within a second on both.
        record, secret = gallery.create_key("default")
        headers = {"Authorization": f"Bearer {secret}"}
        for client in (here, there):
            assert client.get("/v1/groups", headers=headers).status_code == 200
        gallery.revoke_key(record.id)
        time.sleep(0.9)
        for client in (here, there):
            assert client.get("/v1/groups", headers=headers).status_code == 401
    assert (one.end(), other.end()) == (0, 0)


@posix
def test_bytes_that_are_no_request_leave_one_line_each_and_no_connection(start, key):
    """Over TCP: what HTTP's own readers make of it, and what is written down of it."""
    server = start(log_format="json", header_timeout_s=0.5)
    host, port = re.search(r"//([^:/]+):(\d+)", server.address).groups()

    def ask(data):
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(data)
            got = b""
            while part := connection.recv(1 << 16):
                got += part
        return got

    head = f"POST /v1/groups HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n".encode()
    smuggled = b"DELETE /v1/groups/x HTTP/1.1\r\nHost: a\r\n\r\n"
    twice = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    answer = ask(head + twice + smuggled)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1, "what follows is not read"
    assert ask(b"\x16\x03\x01\x02").startswith(b"HTTP/1.1 400 ")
    assert ask(b"GET /healthz HTTP/1.1\r\nHost: a\r\n") == b""
    end = b" HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert b" 405 " in ask(b"A" * 30_000 + b" /healthz" + end)
    assert b" 401 " in ask(f"GET /v1/groups?key={key}".encode() + end)
    assert b" 404 " in ask(b"GET /static/..%2f..%5c%252e%252e/etc/passwd" + end)
    assert server.end() == 0
    lines = [line for line in server.lines if not line.startswith("Mien is at")]
    assert len(lines) >= 5
    assert max(map(len, lines)) < 1000
    facts = [json.loads(line) for line in lines]
    assert {one["level"] for one in facts} <= {"info", "warning"}
    assert key not in server.text
    assert "passwd" not in server.text
