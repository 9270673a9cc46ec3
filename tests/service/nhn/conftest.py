"""A service that speaks NHN, over drawn faces, and a client that speaks it too."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import pytest
from PIL import Image

from mien.analysis import Pose, Presence
from mien.engine import Engine
from mien.liveness import PassiveLiveness
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


def photo(*identities: int, side: int = 90, kind: str = "PNG") -> bytes:
    """Drawn people beside one another, the first one the largest."""
    width = 40 + sum(side - 4 * i + 30 for i in range(len(identities)))
    faces, x = [], 30
    for i, identity in enumerate(identities):
        faces.append((identity, x, 40, side - 4 * i))
        x += side - 4 * i + 30
    out = io.BytesIO()
    Image.fromarray(drawn_photo(faces, (160, max(width, 120)))).save(out, kind, quality=97)
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
    house: object

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


@pytest.fixture
def make_nhn(open_house) -> Callable[..., Nhn]:
    """Makes services with settings of the test's choice."""

    def make(*, spoof: float = 1.0, **settings) -> Nhn:
        net = MockLivenessNet(spoof)
        made = open_house(
            engine=Engine(
                detector=MockDetector(),
                embedder=MockEmbedder(),
                settings=settings_of(settings),
                calibration=mock_calibration(),
                attributes=[FixedPose(), FixedMask()],
                liveness=PassiveLiveness([net]),
            ),
            **settings,
        )
        client = httpx.Client(transport=made.client._transport, base_url="http://mien.test")
        return Nhn(client, made.gallery.application("default").id, made.secret, made)

    def settings_of(overrides):
        from mien import config

        return config.load(offline=True, **overrides)

    return make


@pytest.fixture
def nhn(make_nhn) -> Nhn:
    """A service with default settings, and the empty group ``friends``."""
    made = make_nhn()
    made.data("create-group", json={"groupId": "friends"})
    return made
