"""An Azure client's view of a service over drawn faces."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from PIL import Image

from mien import config
from mien.engine import Engine
from mien.gallery import Gallery
from mien.service import create_app
from mien.testing import drawn_face, drawn_photo, mock_engine

KEY = "Ocp-Apim-Subscription-Key"


def encoded(pixels) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=0)
    return out.getvalue()


def face(identity: int) -> bytes:
    """A photo of a drawn person, encoded."""
    return encoded(drawn_face(identity))


def faces(*identities: int) -> bytes:
    """A photo of several drawn persons, side by side, the first the largest."""
    drawn = [(one, 20 + 170 * i, 30, 140 - 10 * i) for i, one in enumerate(identities)]
    return encoded(drawn_photo(drawn, (220, 40 + 170 * len(identities))))


def nobody() -> bytes:
    """A photo without a face."""
    return encoded(drawn_photo([], (120, 160)))


@dataclass
class Azure:
    """A client, and what tests often need first."""

    client: httpx.Client
    gallery: Gallery
    made: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request; bytes as ``content`` go as a photo."""
        if isinstance(options.get("content"), bytes):
            options.setdefault("headers", {}).setdefault("Content-Type", "application/octet-stream")
        return self.client.request(method, path, **options)

    def ok(self, method: str, path: str, *, status: int = 200, **options: Any) -> Any:
        """One request that has to succeed; what it answers."""
        answer = self.send(method, path, **options)
        assert answer.status_code == status, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def detect(self, identity: int, model: str = "recognition_04", **query: Any) -> str:
        """A faceId of a drawn person."""
        query = {"recognitionModel": model, **query}
        return self.ok("POST", "/detect", params=query, content=face(identity))[0]["faceId"]

    def person(self, container: str, identity: int, name: str = "Ann") -> str:
        """A person with a face; the personId."""
        persons = f"{container}/persons"
        one = self.ok("POST", persons, json={"name": name})["personId"]
        self.ok("POST", f"{persons}/{one}/persistedfaces", content=face(identity))
        return one


@contextmanager
def running(
    folder, *, engine: Engine | None = None, **overrides: Any
) -> Iterator[tuple[FastAPI, Gallery, str]]:
    """A service with a gallery of its own; the app, the gallery and a key."""
    given = {
        "data_dir": folder,
        "cache_dir": folder,
        "offline": True,
        "workers": 2,
        "fetch_networks": ["127.0.0.0/8"],
        "fetch_ports": "1-65535",
    }
    settings = config.load(**{**given, **overrides})
    made = engine or mock_engine(settings)
    with Gallery.open(f"sqlite:///{folder / 'gallery.db'}") as gallery:
        _, secret = gallery.create_key("default")
        try:
            yield create_app(made, gallery, settings), gallery, secret
        finally:
            if engine is None:
                made.close()


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """A real server on a port of its own; its address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    """A client of a service that the tests of a module share."""
    folder = tmp_path_factory.mktemp("azure")
    with running(folder) as (app, gallery, secret), served(app) as address:
        base = f"{address}/azure/face/v1.2"
        with httpx.Client(base_url=base, headers={KEY: secret}, timeout=60) as client:
            yield Azure(client, gallery)


@pytest.fixture(scope="session")
def photo_of():
    """Draws photos: ``face(identity)``, ``faces(identity, ...)``, ``nobody()``."""

    class Drawn:
        one = staticmethod(face)
        several = staticmethod(faces)
        nobody = staticmethod(nobody)

    return Drawn


@pytest.fixture(scope="module")
def photo_server() -> Iterator[Callable[[bytes], str]]:
    """Serves photos on this machine: bytes -> URL."""
    photos: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            number = int(self.path.strip("/") or -1)
            found = 0 <= number < len(photos)
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(photos[number] if found else b"")

        def log_message(self, *_):
            pass

    def put(photo: bytes) -> str:
        photos.append(photo)
        return f"http://127.0.0.1:{server.server_port}/{len(photos) - 1}"

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield put
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def start_service():
    """``running`` and ``served`` for tests that need a service of their own."""

    @contextmanager
    def start(folder, **options):
        with running(folder, **options) as (app, gallery, secret), served(app) as address:
            base = f"{address}/azure/face/v1.0"
            with httpx.Client(base_url=base, headers={KEY: secret}, timeout=60) as client:
                yield Azure(client, gallery), f"{address}/azure", secret

    return start
