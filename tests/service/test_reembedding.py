"""A server goes on serving a group that is moved to another recognition model."""

from __future__ import annotations

import pytest

from mien.engine import Engine
from mien.gallery import Gallery
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
