"""A service that speaks NHN, over drawn faces, and a client that speaks it too."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest
from PIL import Image

from mien import config
from mien.analysis import Pose, Presence, Quality
from mien.config import Settings
from mien.engine import Engine
from mien.gallery import Gallery, GalleryLimits
from mien.liveness import PassiveLiveness
from mien.service import create_app
from mien.service.dialects.nhn.table import OPERATIONS
from mien.testing import MockDetector, MockEmbedder, MockLivenessNet, drawn_photo, mock_calibration

OPERATION = {operation.name: operation for operation in OPERATIONS}


class FixedPose:
    """Every head is turned the same way."""

    name = "pose"

    def measure(self, view):
        return Pose(12.5, -3.25, 1.5)


class FixedMask:
    """Nobody wears a mask."""

    name = "mask"

    def measure(self, view):
        return Presence(False, 0.02)


class FixedQuality:
    """Every photo is of middling quality."""

    name = "quality"

    def measure(self, view):
        return Quality(50, (), {})


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


def encoded(data: bytes) -> dict[str, str]:
    """An image in JSON."""
    return {"bytes": base64.b64encode(data).decode()}


@dataclass
class Nhn:
    """A client of the dialect."""

    http: httpx.Client
    app_key: str
    secret: str
    gallery: Gallery
    engine: Engine

    photo = staticmethod(photo)
    encoded = staticmethod(encoded)

    def call(self, name: str, version: str = "v2.0", *, group="friends", face="", **options):
        """The answer's body, after what holds for every answer has been checked."""
        answer = self.raw(name, version, group=group, face=face, **options)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        header = body["header"]
        assert set(header) == {"isSuccessful", "resultCode", "resultMessage"}
        assert header["isSuccessful"] is (header["resultCode"] >= 0)
        if header["resultCode"] < 0:
            assert set(body) == {"header"}
        return body

    def raw(self, name: str, version: str = "v2.0", *, group="friends", face="", **options):
        """The HTTP answer."""
        (route,) = [one for one in OPERATION[name].routes if one.version == version]
        path = route.path.format(appKey=self.app_key, groupId=group, faceId=face)
        headers = {"Authorization": self.secret} | options.pop("headers", {})
        return self.http.request(route.method, f"/nhn{path}", headers=headers, **options)

    def data(self, name: str, version: str = "v2.0", **options):
        """The data of an answer that is a success."""
        body = self.call(name, version, **options)
        assert body["header"] == {
            "isSuccessful": True,
            "resultCode": 0,
            "resultMessage": "Success",
        }
        return body.get("data")

    def code(self, name: str, version: str = "v2.0", **options):
        """Result code and message."""
        header = self.call(name, version, **options)["header"]
        return header["resultCode"], header["resultMessage"]

    def register(self, data: bytes, *, limit: int = 20, **more):
        """Register a photo's faces."""
        body = {"image": encoded(data), "limit": limit, **more}
        return self.data("register", json=body)


def engine_of(settings: Settings, net: MockLivenessNet) -> Engine:
    """An engine whose answers are known."""
    return Engine(
        detector=MockDetector(),
        embedder=MockEmbedder(),
        settings=settings,
        calibration=mock_calibration(),
        attributes=[FixedPose(), FixedMask(), FixedQuality()],
        liveness=PassiveLiveness([net]),
    )


@pytest.fixture(scope="session")
def opened_nhn(app_transport, tmp_path_factory) -> Iterator[Callable[..., Nhn]]:
    """Opens services with settings of one's choice, once each; all are closed at the end."""
    closing: list[Callable[[], object]] = []
    made: dict[str, Nhn] = {}

    def make(*, spoof: bool = False, groups: int = 1000, **overrides: object) -> Nhn:
        name = repr((spoof, groups, sorted(overrides.items())))
        if name in made:
            return made[name]
        folder = tmp_path_factory.mktemp("nhn")
        private = {"data_dir": folder, "cache_dir": folder, "offline": True, "workers": 2}
        settings = config.load(**{**private, **overrides})
        engine = engine_of(settings, MockLivenessNet(0.01 if spoof else 0.99))
        limits = GalleryLimits(groups_per_application=groups)
        gallery = Gallery.open(f"sqlite:///{folder / 'gallery.db'}", limits=limits)
        _, secret = gallery.create_key("default")
        transport = app_transport(create_app(engine, gallery, settings))
        client = httpx.Client(transport=transport, base_url="http://mien.test")
        closing.extend([gallery.close, engine.close, client.close])
        made[name] = Nhn(client, gallery.application("default").id, secret, gallery, engine)
        return made[name]

    yield make
    for close in reversed(closing):
        close()


@pytest.fixture
def make_nhn(opened_nhn) -> Callable[..., Nhn]:
    """A service with settings of the test's choice, and the empty group ``friends`` only."""

    def make(**overrides: object) -> Nhn:
        nhn = opened_nhn(**overrides)
        for group in nhn.gallery.groups():
            nhn.gallery.delete_group(group.name)
        nhn.data("create-group", json={"groupId": "friends"})
        return nhn

    return make


@pytest.fixture
def nhn(make_nhn) -> Nhn:
    """A service with default settings, and the empty group ``friends``."""
    return make_nhn()
