"""detect, compare and represent in the three forms of a body."""

from __future__ import annotations

import base64

import pytest

from mien import config
from mien.engine import Engine
from mien.models import ModelStore
from mien.models.choice import Choice
from mien.service import schemas
from mien.testing import MockDetector, MockEmbedder, mock_calibration


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def check(model, answer):
    """The answer has exactly the documented shape."""
    content = answer.json()
    model.model_validate(content)
    assert content["request_id"] == answer.headers["x-request-id"]
    return content


def test_detect_takes_three_forms_and_answers_the_same(client, photos):
    forms = [
        {"files": {"image": ("ann.png", photos.ann)}},
        {"content": photos.ann, "headers": {"Content-Type": "image/png"}},
        {"content": photos.ann, "headers": {"Content-Type": "application/octet-stream"}},
        {"json": {"image": b64(photos.ann)}},
        {"json": {"image": "data:image/png;base64," + b64(photos.ann)}},
    ]
    answers = [client.post("/v1/detect", **form) for form in forms]
    assert [answer.status_code for answer in answers] == [200] * 5
    contents = [check(schemas.DetectionAnswer, answer) for answer in answers]
    for content in contents:
        content.pop("request_id")
    assert all(content == contents[0] for content in contents)
    assert len(contents[0]["faces"]) == 1


def test_no_face_is_an_answer_not_an_error(client, photos):
    answer = client.post("/v1/detect", files={"image": photos.blank})
    assert check(schemas.DetectionAnswer, answer)["faces"] == []


def test_detect_equals_the_engine(house, photos):
    answer = house.client.post("/v1/detect", files={"image": photos.ann}).json()
    answer.pop("request_id")
    assert answer == house.engine.detect(photos.ann).to_dict()


@pytest.mark.parametrize(("other", "match"), [("ann", True), ("bob", False)])
def test_compare(client, photos, other, match):
    answer = client.post(
        "/v1/compare", files={"image_a": photos.ann, "image_b": getattr(photos, other)}
    )
    assert answer.status_code == 200
    assert check(schemas.ComparisonAnswer, answer)["match"] is match


def test_compare_options_mean_the_same_in_all_places(client, photos):
    pair = {"image_a": photos.ann, "image_b": photos.ann}
    texts = {name: b64(data) for name, data in pair.items()}
    answers = [
        client.post("/v1/compare", files=pair, params={"threshold": "0.25"}),
        client.post("/v1/compare", files=pair, data={"threshold": "0.25"}),
        client.post("/v1/compare", json={**texts, "threshold": 0.25}),
    ]
    for answer in answers:
        content = check(schemas.ComparisonAnswer, answer)
        assert (content["decided_on"], content["threshold"]) == ("similarity", 0.25)


def test_the_metric_changes_the_unit_of_similarity_only(client, photos):
    pair = {"image_a": photos.ann, "image_b": photos.bob}
    own = check(schemas.ComparisonAnswer, client.post("/v1/compare", files=pair))
    other = check(
        schemas.ComparisonAnswer,
        client.post("/v1/compare", files=pair, data={"metric": "euclidean"}),
    )
    same = ("match", "confidence", "threshold", "decided_on", "fmr")
    assert {name: own[name] for name in same} == {name: other[name] for name in same}
    assert own["similarity"] != other["similarity"]


def test_represent(client, photos):
    answer = client.post("/v1/represent", files={"image": photos.ann}, params={"max_faces": 1})
    (face,) = check(schemas.RepresentationAnswer, answer)["faces"]
    assert face["contract"].endswith(f":{len(face['embedding'])}")


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"fmr": "2"}, "fmr"),
        ({"fmr": "nan"}, "fmr"),
        ({"threshold": "inf"}, "threshold"),
        ({"treshold": "0.5"}, "treshold"),
        ({"metric": "hamming"}, "metric"),
    ],
)
def test_options_that_cannot_be(client, photos, options, field):
    pair = {"image_a": photos.ann, "image_b": photos.ann}
    answer = client.post("/v1/compare", files=pair, params=options)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_argument"
    assert answer.json()["error"]["details"]["field"] == field


def test_an_option_given_twice_is_refused(client, photos):
    pair = {"image_a": photos.ann, "image_b": photos.ann}
    twice = client.post("/v1/compare", files=pair, params={"fmr": "0.1"}, data={"fmr": "0.2"})
    assert twice.status_code == 400
    query = client.post("/v1/compare?fmr=0.1&fmr=0.2", files=pair)
    assert query.status_code == 400


def test_both_ways_to_decide_are_refused(client, photos):
    pair = {"image_a": photos.ann, "image_b": photos.ann}
    answer = client.post("/v1/compare", files=pair, data={"fmr": "0.1", "threshold": "0.2"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_argument")


def test_compare_without_a_face_says_which_photo(client, photos):
    answer = client.post("/v1/compare", files={"image_a": photos.ann, "image_b": photos.blank})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "no_face"
    assert answer.json()["error"]["details"]["image"] == "b"


def test_status(client):
    content = check(schemas.StatusAnswer, client.get("/v1/status"))
    assert content["version"]


class NamedEmbedder(MockEmbedder):
    """Has the name of a model that has a card."""

    name = "sface"


@pytest.mark.parametrize(
    ("stored", "settings", "expected"),
    [
        (Choice("openvino", "bf16", ()), {}, ("openvino", "bf16")),
        (None, {}, (None, None)),
        (None, {"runtime": "onnxruntime", "precision": "float32"}, ("onnxruntime", "float32")),
    ],
)
def test_status_opens_no_model(tmp_path, open_house, monkeypatch, stored, settings, expected):
    monkeypatch.setattr(ModelStore, "open", lambda *_, **__: pytest.fail("a model was opened"))
    monkeypatch.setattr(ModelStore, "choice", lambda *_: stored)
    engine = Engine(
        detector=MockDetector(),
        embedder=NamedEmbedder(),
        calibration=mock_calibration(),
        settings=config.load(data_dir=tmp_path, cache_dir=tmp_path, offline=True, **settings),
    )
    house = open_house(engine=engine)
    house.service._models_ready.wait(10)
    content = check(schemas.StatusAnswer, house.client.get("/v1/status"))
    assert (content["runtime"], content["precision"]) == expected
    assert content["dim"] == engine.embedder.contract.dim
