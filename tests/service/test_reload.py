"""SIGHUP gives a running server other models, and no request fails for it."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from mien.engine import Engine
from mien.errors import ModelUnavailable
from mien.service.reload import Reload
from mien.testing import MockDetector, MockEmbedder, mock_calibration


class Watched(Engine):
    """An engine over drawn faces that says when its models are let go."""

    def __init__(self, settings, version):
        super().__init__(
            detector=MockDetector(),
            embedder=MockEmbedder(version=version),
            calibration=mock_calibration(),
            settings=settings,
            embedders=[MockEmbedder(version=other) for other in (1, 2, 3) if other != version],
        )
        self.version = version
        self.let_go = threading.Event()

    def close(self):
        super().close()
        self.let_go.set()


@pytest.fixture
def hup(open_house):
    """A house, and what a signal does: the server reads an ``embedder`` of a name, and opens it."""
    first = Watched(None, 1)
    house = open_house(engine=first, request_timeout_s=2.0)
    opened = []

    def open_engine(settings):
        if settings.embedder == "broken":
            raise ModelUnavailable("There is no such file.")
        opened.append(Watched(settings, int(settings.embedder[-1])))
        return opened[-1]

    wanted = {}
    reload = Reload(
        house.service, None, lambda: house.service.settings.model_copy(update=wanted), open_engine
    )

    def signal(**settings):
        wanted.clear()
        wanted.update(settings)
        house.client._transport.loop.call_soon_threadsafe(reload)

    return house, first, opened, signal


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def test_models_change_under_load_and_no_request_fails(hup, photos):
    house, first, opened, signal = hup
    client, image = house.client, {"image": photos.ann}
    person = "/v1/groups/old/persons"
    assert client.post("/v1/groups", json={"name": "old"}).status_code == 201
    assert client.post(person, json={"name": "Ann"}).status_code == 201
    assert client.post(f"{person}/Ann/faces", files=image).status_code == 201
    answers, done = [], threading.Event()

    def ask():
        while not done.is_set():
            answer = client.post("/v1/groups/old/identify", files=image, data={"threshold": 0.5})
            (face,) = answer.json()["faces"]
            answers.append((answer.status_code, face["candidates"][0]["person"]))
            answers.append((client.post("/v1/represent", files=image).status_code, "Ann"))

    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(ask) for _ in range(4)]
        try:
            for number, version in enumerate((2, 3, 2)):
                asked_before = len(answers)
                until(lambda n=asked_before: len(answers) > n + 16)
                signal(embedder=f"v{version}")
                until(lambda n=number: len(opened) == n + 1)
                until(lambda: house.service.engine is opened[-1])
        finally:
            done.set()
        assert [one.result() for one in asked] == [None] * 4
    assert set(answers) == {(200, "Ann")}
    until(lambda: all(one.let_go.is_set() for one in (first, *opened[:-1])))
    assert not opened[-1].let_go.is_set()
    assert house.service.jobs.engine is opened[-1]
    assert house.service.settings.embedder == "v2"
    new = client.post("/v1/groups", json={"name": "new"}).json()
    old = client.get("/v1/groups/old").json()
    assert new["contract"] != old["contract"], (
        "a new group gets the new model, an old one keeps its"
    )


def test_models_that_cannot_be_had_change_nothing(hup, photos, caplog):
    house, first, opened, signal = hup
    with caplog.at_level(logging.ERROR, logger="mien.service"):
        signal(embedder="broken")
        until(lambda: "the models stay as they are: model_unavailable" in caplog.text)
    assert (house.service.engine, opened) == (first, [])
    assert house.service.settings.embedder == "sface"
    assert house.client.post("/v1/detect", files={"image": photos.ann}).status_code == 200


def test_models_are_not_loaded_for_settings_of_other_things(hup, caplog):
    house, first, opened, signal = hup
    with caplog.at_level(logging.INFO, logger="mien.service"):
        signal(rate_burst=7, queue_size=99)
        until(lambda: "reloaded: rate_burst; only a restart takes: queue_size" in caplog.text)
    assert (house.service.engine, opened) == (first, [])


def test_a_server_that_stops_meanwhile_takes_no_new_models(hup):
    house, first, opened, signal = hup
    house.service.stop()
    signal(embedder="v2")
    until(lambda: bool(opened))
    until(opened[0].let_go.is_set)
    assert house.service.engine is first
