"""A server goes on serving a group that is moved to another recognition model."""

from __future__ import annotations

import threading
import time

import pytest

from mien.engine import Engine
from mien.gallery import Gallery
from mien.gallery.jobs import Jobs
from mien.service.reembedding import Bearer, reembed_group
from mien.testing import MockDetector, MockEmbedder

GROUP = "/v1/groups/friends"


OLD, NEW = MockEmbedder(), MockEmbedder(version=2)


def filled(house, photos):
    client = house.client
    body = {"name": "friends", "settings": {"images": "crops"}}
    assert client.post("/v1/groups", json=body).status_code == 201
    for name, photo in (("Ann", photos.ann), ("Bob", photos.bob)):
        client.post(f"{GROUP}/persons", json={"name": name})
        answer = client.post(f"{GROUP}/persons/{name}/faces", files={"image": photo})
        assert answer.status_code == 201


def named(client, photo):
    answer = client.post(f"{GROUP}/identify?threshold=0.6", files={"image": photo})
    assert answer.status_code == 200, answer.text
    (face,) = answer.json()["faces"]
    return [candidate["person"] for candidate in face["candidates"]]


@pytest.fixture
def server(open_house, photos):
    """A server whose default is the old model, and which has the new one."""
    engine = Engine(detector=MockDetector(), embedder=OLD, embedders=[NEW])
    house = open_house(engine=engine)
    filled(house, photos)
    return house


def test_another_process_moves_a_group_that_is_served(server, photos, tmp_path):
    client = server.client
    assert named(client, photos.ann) == ["Ann"]
    with (
        Gallery.open(f"sqlite:///{tmp_path / '0.db'}") as gallery,
        Engine(detector=MockDetector(), embedder=NEW) as engine,
    ):
        assert engine.reembed(gallery, "friends").moved
    assert client.get(GROUP).json()["contract"] == str(NEW.contract)
    assert (named(client, photos.ann), named(client, photos.bob)) == (["Ann"], ["Bob"])
    path = f"{GROUP}/persons/Ann/verify?threshold=0.6"
    answers = [client.post(path, files={"image": photo}) for photo in (photos.ann, photos.bob)]
    assert [answer.json()["match"] for answer in answers] == [True, False]
    again = client.post(f"{GROUP}/persons/Bob/faces", files={"image": photos.ann})
    assert again.status_code == 201
    assert len(client.get(f"{GROUP}/persons/Bob/faces").json()["faces"]) == 2


def test_a_server_without_the_groups_model_says_what_to_do(open_house, photos, tmp_path):
    house = open_house(engine=Engine(detector=MockDetector(), embedder=OLD))
    filled(house, photos)
    with (
        Gallery.open(f"sqlite:///{tmp_path / '0.db'}") as gallery,
        Engine(detector=MockDetector(), embedder=NEW) as engine,
    ):
        engine.reembed(gallery, "friends")
    for path in ("identify", "persons/Ann/verify", "persons/Ann/faces"):
        answer = house.client.post(f"{GROUP}/{path}", files={"image": photos.ann})
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "embedding_mismatch")
        assert "mien gallery reembed friends" in answer.json()["error"]["message"]


@pytest.fixture
def moving(open_house, photos, tmp_path):
    """Ann and Bob with their crops and Cho without, of the old model; a server of the new one."""
    url = f"sqlite:///{tmp_path / 'moving.db'}"
    old = open_house(engine=Engine(detector=MockDetector(), embedder=OLD), url=url)
    filled(old, photos)
    old.client.patch(GROUP, json={"settings": {"images": "none"}})
    old.client.post(f"{GROUP}/persons", json={"name": "Cho"})
    old.client.post(f"{GROUP}/persons/Cho/faces", files={"image": photos.bob})
    old.service.jobs.stop()
    house = open_house(
        engine=Engine(detector=MockDetector(), embedder=NEW, embedders=[OLD]), url=url
    )
    house.client.headers.update(house.key(scopes=["detect", "gallery:read", "admin"]))
    return house


def moved(client, **wanted):
    """The job's end, and its items."""
    answer = client.post(f"{GROUP}/jobs/reembed", json=wanted)
    assert answer.status_code == 202, answer.text
    where = answer.headers["location"]
    until = time.monotonic() + 30
    while time.monotonic() < until:
        job = client.get(where).json()
        if job["finished_at"]:
            return job, client.get(f"{where}/items").json()["items"]
        time.sleep(0.02)
    raise AssertionError(job)


def test_a_group_is_moved_by_a_job(moving, photos):
    client = moving.client
    for wanted, state in (({"dry_run": True}, "done"), ({}, "failed")):
        job, items = moved(client, **wanted)
        assert (job["kind"], job["state"], job["total"]) == ("reembed", state, 3)
        assert (job["done"], job["enrolled"], job["rejected"]) == (3, 2, 1)
        assert [(one["person"], one["reasons"]) for one in items] == [("Cho", ["no_image"])]
        assert client.get(GROUP).json()["contract"] == str(OLD.contract)
    assert "drop_missing" in job["error"]
    job, items = moved(client, drop_missing=True)
    assert (job["state"], [one["person"] for one in items]) == ("done", ["Cho"])
    group = client.get(GROUP).json()
    assert (group["contract"], group["faces"]) == (str(NEW.contract), 2)
    assert (named(client, photos.ann), named(client, photos.bob)) == (["Ann"], ["Bob"])
    assert moved(client)[0]["state"] == "done"  # it is there already


def test_a_move_that_cannot_be_makes_no_job(moving):
    client = moving.client
    for group, wanted, status, code in (
        ("none", {}, 404, "not_found"),
        ("friends", {"embedder": "nope"}, 400, "unknown_model"),
        ("friends", {"photos": "/etc"}, 400, "invalid_argument"),
        ("friends", {"drop_missing": "often"}, 400, "invalid_argument"),
    ):
        answer = client.post(f"/v1/groups/{group}/jobs/reembed", json=wanted)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    client.headers.update(moving.key(scopes=["gallery:write"]))
    assert client.post(f"{GROUP}/jobs/reembed", json={}).status_code == 403
    assert client.get("/v1/jobs", headers=moving.key()).json()["jobs"] == []


def test_a_move_stops_with_its_job_and_goes_on(moving):
    client, engine = moving.client, moving.engine
    jobs = Jobs(moving.gallery)
    moving.service.jobs.stop()
    job_id = client.post(f"{GROUP}/jobs/reembed", json={"drop_missing": True}).json()["id"]
    job = jobs.claim(job_id, "me")
    bearer = Bearer(jobs, job_id, "me", threading.Event())
    jobs.release(job_id, "me")  # as if its lease had ended
    assert not reembed_group(engine, moving.gallery, job, bearer, engine.pool)
    assert client.get(GROUP).json()["contract"] == str(OLD.contract)
    jobs.claim(job_id, "me")
    assert reembed_group(engine, moving.gallery, job, bearer, engine.pool)
    assert client.get(GROUP).json()["contract"] == str(NEW.contract)
