"""A service over drawn faces and a gallery in a temporary file."""

from __future__ import annotations

import asyncio
import io
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from PIL import Image

from mien import config
from mien.analysis import Age, Emotion, Gender, Pose, Presence, Quality
from mien.config import Settings
from mien.engine import Engine
from mien.gallery import Gallery, GalleryLimits
from mien.liveness import PassiveLiveness
from mien.service import create_app
from mien.service.described import document
from mien.service.headers import HEADERS
from mien.service.state import Service
from mien.testing import (
    MockDetector,
    MockEmbedder,
    MockLivenessNet,
    drawn_face,
    drawn_photo,
    mock_calibration,
    mock_engine,
)


def png(identity: int, *, size: tuple[int, int] = (240, 320)) -> bytes:
    """The encoded photo of a drawn person."""
    out = io.BytesIO()
    Image.fromarray(drawn_face(identity, size)).save(out, "PNG", compress_level=1)
    return out.getvalue()


def blank(width: int = 64, height: int = 64) -> bytes:
    """A photo without a face."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), (120, 130, 140)).save(out, "PNG")
    return out.getvalue()


@cache
def _described():
    """Method, pattern of the path, and answers of each operation, fixed paths before others."""
    found = [
        (method.upper(), re.compile(re.sub(r"{\w+}", "[^/]+", path)), operation["responses"])
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    ]
    return sorted(found, key=lambda one: one[1].pattern.count("[^/]+"))


def assert_described(request: httpx.Request, answer: httpx.Response) -> None:
    """Whatever a test asks of ``/v1``: the description names the status and the headers."""
    path = request.url.raw_path.partition(b"?")[0].decode()
    answers = next(
        (
            answers
            for method, pattern, answers in _described()
            if method == request.method and pattern.fullmatch(path)
        ),
        None,
    )
    if answers is None:
        return
    said = answers.get(str(answer.status_code))
    assert said, f"{request.method} {path} answers {answer.status_code}, which is not described"
    headers = {name.lower() for name in said["headers"]}
    for name in HEADERS:
        if name.lower() in answer.headers:
            assert name.lower() in headers, f"{path} {answer.status_code}: {name}"


class AppTransport(httpx.BaseTransport):
    """Calls an ASGI app on an event loop of its own, so that plain clients can be used."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.loop = asyncio.new_event_loop()
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self._lifespan = app.router.lifespan_context(app)
        self.call(self._lifespan.__aenter__())

    def call(self, coroutine):
        """Run a coroutine on the app's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self.call(self._handle(request))

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        async def body():
            for chunk in request.stream:
                yield chunk

        sent = httpx.Request(request.method, request.url, headers=request.headers, content=body())
        answer = await self._transport.handle_async_request(sent)
        content = b"".join([chunk async for chunk in answer.stream])
        assert_described(request, answer)
        return httpx.Response(answer.status_code, headers=answer.headers, content=content)

    def close(self) -> None:
        self.call(self._lifespan.__aexit__(None, None, None))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@pytest.fixture(scope="session")
def app_transport() -> type[AppTransport]:
    """The transport, for fixtures that live longer than a test."""
    return AppTransport


@pytest.fixture(scope="session")
def service_settings() -> Callable[..., Settings]:
    """Settings that touch nothing outside a folder, for fixtures that live longer than a test."""
    return load


@dataclass(frozen=True)
class Photos:
    """Encoded photos for the tests."""

    ann: bytes
    bob: bytes
    blank: bytes
    tiny: bytes


@dataclass(frozen=True)
class House:
    """One running service and the keys to it."""

    client: httpx.Client
    app: FastAPI
    gallery: Gallery
    engine: Engine
    secret: str

    @property
    def service(self) -> Service:
        """The service behind the client."""
        service: Service = self.app.state.service
        return service

    def key(
        self, application: str = "default", *, scopes: list[str] | None = None
    ) -> dict[str, str]:
        """Headers with a new key."""
        _, secret = self.gallery.create_key(application, scopes)
        return {"Authorization": f"Bearer {secret}"}


@pytest.fixture(scope="session")
def photos() -> Photos:
    """Two people, nobody, and one pixel."""
    return Photos(png(1), png(2), blank(), blank(1, 1))


@pytest.fixture(scope="session")
def new_gallery(master_key: str, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a gallery with tables and nothing in them: making it is most of the work."""
    file = tmp_path_factory.mktemp("new") / "gallery.db"
    Gallery.open(f"sqlite:///{file}").close()
    return file.read_bytes()


@pytest.fixture
def new_url(tmp_path: Path, new_gallery: bytes) -> Callable[[int], str]:
    """Number -> URL of a gallery; a module's own fixture of this name can put it elsewhere."""

    def make(number: int) -> str:
        file = tmp_path / f"{number}.db"
        file.write_bytes(new_gallery)
        return f"sqlite:///{file}"

    return make


@pytest.fixture
def open_house(tmp_path: Path, new_url: Callable[[int], str]) -> Iterator[Callable[..., House]]:
    """Opens services with settings of the test's choice; all are closed at its end."""
    closing: list[Callable[[], object]] = []

    def make(*, engine: Engine | None = None, url: str | None = None, **overrides: object) -> House:
        settings = load(tmp_path, **overrides)
        engine = engine or mock_engine(settings)
        gallery = Gallery.open(url or new_url(len(closing)))
        app = create_app(engine, gallery, settings)
        _, secret = gallery.create_key("default")
        client = httpx.Client(
            transport=AppTransport(app),
            base_url="http://mien.test",
            headers={"Authorization": f"Bearer {secret}"},
        )
        closing.extend([gallery.close, engine.close, client.close])
        return House(client, app, gallery, engine, secret)

    yield make
    for close in reversed(closing):
        close()


@pytest.fixture
def house(open_house: Callable[..., House]) -> House:
    """A service with default settings."""
    return open_house()


@pytest.fixture
def client(house: House) -> httpx.Client:
    """A client with a key that may do everything in the application ``default``."""
    return house.client


def load(folder: Path, **overrides: object) -> Settings:
    """Settings that touch nothing outside the test's folder."""
    return config.load(
        **{
            "data_dir": folder,
            "cache_dir": folder,
            "offline": True,
            "workers": 2,
            "lockout_failures": 0,  # many tests try many wrong keys
            **overrides,
        }
    )


# ------------------------------------------------------------------ dialects


class Fixed:
    """An attribute that is the same of every face."""

    def __init__(self, name: str, value: object) -> None:
        self.name = name
        self.value = value

    def measure(self, view):
        return self.value


EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
FIXED = [
    Fixed("pose", Pose(12.5, -3.25, 1.5)),
    Fixed("mask", Presence(False, 0.02)),
    Fixed("quality", Quality(50, (), {})),
    Fixed("age", Age(31.4, 25, 38)),
    Fixed("gender", Gender("female", 0.97)),
    Fixed("emotion", Emotion("happy", {one: 0.4 if one == "happy" else 0.1 for one in EMOTIONS})),
]


def photo(*identities: int, side: int = 90, room: float = 0, kind: str = "PNG") -> bytes:
    """Drawn people beside one another, the first one the largest; room: sides around them."""
    around = 30 + int(room * side)
    faces, x = [], around
    for i, identity in enumerate(identities):
        faces.append((identity, x, around, side - 4 * i))
        x += side - 4 * i + 30
    size = (2 * around + side, max(x + around - 30, 120))
    out = io.BytesIO()
    Image.fromarray(drawn_photo(faces, size)).save(out, kind, quality=97)
    return out.getvalue()


@dataclass(frozen=True)
class Spoken(House):
    """A service that speaks the dialects; faces look the same to it in all but identity."""

    photo = staticmethod(photo)


@pytest.fixture(scope="session")
def open_dialects(tmp_path_factory) -> Iterator[Callable[..., Spoken]]:
    """Opens services with settings of one's choice, once each, without a group in them."""
    closing: list[Callable[[], object]] = []
    opened: dict[str, Spoken] = {}

    def new(spoof: bool, groups: int, overrides: dict[str, object]) -> Spoken:
        folder = tmp_path_factory.mktemp("dialects")
        settings = load(folder, **overrides)
        net = MockLivenessNet(0.01 if spoof else 0.99)
        engine = Engine(
            detector=MockDetector(),
            embedder=MockEmbedder(),
            settings=settings,
            calibration=mock_calibration(),
            attributes=FIXED,
            liveness=PassiveLiveness([net]),
            embedders=[MockEmbedder(version=2)],
        )
        limits = GalleryLimits(groups_per_application=groups)
        gallery = Gallery.open(f"sqlite:///{folder / 'gallery.db'}", limits=limits)
        _, secret = gallery.create_key("default")
        app = create_app(engine, gallery, settings)
        client = httpx.Client(transport=AppTransport(app), base_url="http://mien.test")
        closing.extend([gallery.close, engine.close, client.close])
        return Spoken(client, app, gallery, engine, secret)

    def make(*, spoof: bool = False, groups: int = 1000, **overrides: object) -> Spoken:
        name = repr((spoof, groups, sorted(overrides.items())))
        made = opened[name] = opened.get(name) or new(spoof, groups, overrides)
        for group in made.gallery.groups():
            made.gallery.delete_group(group.name)
        made.gallery.allow_attributes("default", [])
        return made

    yield make
    for close in reversed(closing):
        close()


@pytest.fixture(scope="session")
def standing_client(open_dialects) -> httpx.Client:
    """A client with a key of one service for all tests that change nothing that others look at."""
    house = open_dialects()
    return httpx.Client(
        transport=house.client._transport,
        base_url="http://mien.test",
        headers={"Authorization": f"Bearer {house.secret}"},
    )
