"""A service that speaks NHN, over drawn faces, and a client that speaks it too."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import pytest

from mien.engine import Engine
from mien.gallery import Gallery
from mien.service.dialects.nhn.table import OPERATIONS

OPERATION = {operation.name: operation for operation in OPERATIONS}


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
    photo: Callable[..., bytes]

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
def make_nhn(open_dialects) -> Callable[..., Nhn]:
    """A service with settings of the test's choice, and the empty group ``friends`` only."""

    def make(**overrides: object) -> Nhn:
        made = open_dialects(**overrides)
        app_key = made.gallery.application("default").id
        nhn = Nhn(made.client, app_key, made.secret, made.gallery, made.engine, made.photo)
        nhn.gallery.allow_nhn_v1("default", False)
        if "nhn" in made.app.state.service.settings.dialects:
            nhn.data("create-group", json={"groupId": "friends"})
        return nhn

    return make


@pytest.fixture
def nhn(make_nhn) -> Nhn:
    """A service with default settings, and the empty group ``friends``."""
    return make_nhn()
