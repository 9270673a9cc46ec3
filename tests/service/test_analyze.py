"""analyze: its forms and options, and which attributes an application may have."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import pytest

from mien import config
from mien.analysis import Age, Emotion, Eyes, Gender, Pose, Presence
from mien.attributes import names
from mien.attributes.quality import ImageQuality
from mien.engine import Engine
from mien.gallery import RESTRICTED_ATTRIBUTES
from mien.service import schemas
from mien.testing import MockDetector, MockEmbedder
from mien.types import Result

YES = Presence(True, 0.9)
EMOTIONS = dict.fromkeys(("angry", "disgust", "fear", "sad", "surprise", "neutral"), 0.0)


@dataclass(frozen=True)
class Fixed:
    """An attribute that says the same of every face."""

    name: str
    answer: Result

    def measure(self, view):
        return self.answer


ATTRIBUTES = (
    Fixed("age", Age(31.0, 25, 40)),
    Fixed("gender", Gender("female", 0.98)),
    Fixed("emotion", Emotion("happy", {"happy": 1.0, **EMOTIONS})),
    Fixed("mask", YES),
    Fixed("pose", Pose(1.0, 2.0, 3.0)),
    Fixed("eyes", Eyes(YES, YES)),
    Fixed("mouth", YES),
    Fixed("smile", YES),
    ImageQuality(),
)
ACTIONS = "age,gender,emotion,mask,pose,eyes,mouth,smile,quality"


@pytest.fixture
def house(open_house, tmp_path):
    settings = config.load(cache_dir=tmp_path, offline=True)
    engine = Engine(
        detector=MockDetector(), embedder=MockEmbedder(), settings=settings, attributes=ATTRIBUTES
    )
    return open_house(engine=engine)


def ask(house, photo, **options):
    return house.client.post("/v1/analyze", files={"image": photo}, data=options)


def answered(answer):
    assert answer.status_code == 200, answer.text
    content = answer.json()
    schemas.AnalysisAnswer.model_validate(content)
    return content


def test_three_forms_and_both_spellings_of_actions(house, photos):
    text = base64.b64encode(photos.ann).decode()
    raw = {"content": photos.ann, "headers": {"Content-Type": "image/png"}}
    forms = [
        {"files": {"image": photos.ann}, "data": {"actions": "mask, quality"}},
        {"files": {"image": photos.ann}, "params": {"actions": "mask,quality"}},
        {"json": {"image": text, "actions": ["mask", "quality"]}},
        {"json": {"image": text, "actions": "mask,quality"}},
        {**raw, "params": {"actions": "mask,quality"}},
    ]
    contents = [answered(house.client.post("/v1/analyze", **form)) for form in forms]
    for content in contents:
        content.pop("request_id")
    assert all(content == contents[0] for content in contents)
    assert contents[0]["actions"] == ["mask", "quality"]
    (face,) = contents[0]["faces"]
    assert set(face) == {"box", "mask", "quality"}
    assert face["mask"] == {"value": True, "score": 0.9}


def test_no_face_is_an_answer(house, photos):
    assert answered(ask(house, photos.blank, actions="mask"))["faces"] == []


@pytest.mark.parametrize("name", ["age", "gender", "emotion"])
def test_restricted_attributes_are_refused_until_they_are_allowed(house, photos, name):
    refused = ask(house, photos.ann, actions=f"mask,{name}")
    assert refused.status_code == 403
    error = refused.json()["error"]
    assert error["code"] == "attribute_not_allowed"
    assert error["details"] == {"attribute": name}
    assert "mien apps allow" in error["message"]
    house.gallery.allow_attributes("default", [name])
    face = answered(ask(house, photos.ann, actions=f"mask,{name}"))["faces"][0]
    assert set(face) == {"box", "mask", name}
    house.gallery.allow_attributes("default", [])
    assert ask(house, photos.ann, actions=name).status_code == 403


def test_the_default_leaves_out_what_is_not_allowed(house, photos, monkeypatch):
    monkeypatch.setattr("mien.service.api.analyze.DEFAULT", tuple(ACTIONS.split(",")))
    without = answered(ask(house, photos.ann))
    assert without["actions"] == ["mask", "pose", "eyes", "mouth", "smile", "quality"]
    assert set(without["faces"][0]) == {"box", *without["actions"]}
    house.gallery.allow_attributes("default", ["age", "emotion"])
    assert answered(ask(house, photos.ann))["actions"][:3] == ["age", "emotion", "mask"]


def test_what_one_application_may_no_other_may(house, photos):
    house.gallery.create_application("clinic")
    house.gallery.allow_attributes("clinic", ["age"])
    clinic, shop = house.key("clinic"), house.key("default")
    for headers, status in ((clinic, 200), (shop, 403)):
        answer = house.client.post(
            "/v1/analyze", files={"image": photos.ann}, data={"actions": "age"}, headers=headers
        )
        assert answer.status_code == status


def test_race_is_restricted_and_behind_its_card(house, photos):
    assert ask(house, photos.ann, actions="race").json()["error"]["code"] == "attribute_not_allowed"
    house.gallery.allow_attributes("default", ["race"])
    answer = ask(house, photos.ann, actions="race")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "licence_not_accepted"
    assert {*RESTRICTED_ATTRIBUTES} <= {*names()}


@pytest.mark.parametrize(
    ("actions", "says"),
    [("masc", "Did you mean mask"), (",", "Say what"), ("mask," * 70, "actions")],
)
def test_actions_that_cannot_be(house, photos, actions, says):
    answer = ask(house, photos.ann, actions=actions)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_argument"
    assert says in answer.json()["error"]["message"]


@pytest.mark.parametrize("actions", [7, [1], {"mask": 1}, [["mask"]], True])
def test_actions_of_a_wrong_type(house, photos, actions):
    text = base64.b64encode(photos.ann).decode()
    answer = house.client.post("/v1/analyze", json={"image": text, "actions": actions})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_argument"


def test_a_key_needs_the_scope(house, photos):
    headers = house.key(scopes=["gallery:read"])
    answer = house.client.post("/v1/analyze", files={"image": photos.ann}, headers=headers)
    assert answer.json()["error"]["code"] == "forbidden"


def test_without_keys_the_default_application_counts(open_house, tmp_path, photos):
    settings = config.load(cache_dir=tmp_path, offline=True)
    engine = Engine(
        detector=MockDetector(), embedder=MockEmbedder(), settings=settings, attributes=ATTRIBUTES
    )
    house = open_house(engine=engine, auth=False)
    assert ask(house, photos.ann, actions="age").status_code == 403
    house.gallery.allow_attributes("default", ["age"])
    assert ask(house, photos.ann, actions="age").status_code == 200
