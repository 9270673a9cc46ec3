"""POST /v1/liveness, and the field liveness of other routes: a request may ask for more only."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from mien import config
from mien.liveness import PassiveLiveness
from mien.testing import MockLivenessNet, drawn_face, mock_engine


def by_corner(photo, box):
    """The net reads its answer from the photo's first pixel."""
    return float(photo[0, 0, 0]) / 255


def photo(score):
    pixels = np.array(drawn_face(1))
    pixels[0, 0] = round(score * 255)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


LIVE, FAIR, SPOOF = photo(0.9), photo(0.5), photo(0.0)
FACES = "/v1/groups/staff/persons/Ann/faces"


@pytest.fixture
def start(open_house, tmp_path):
    def started(**settings):
        loaded = config.Settings(data_dir=tmp_path, **settings)
        check = PassiveLiveness([MockLivenessNet(by_corner)])
        return open_house(engine=mock_engine(loaded, liveness=check), **settings).client

    return started


def post(client, path, image, **options):
    return client.post(path, files={"image": image}, data=options)


def test_liveness(start):
    answer = post(start(), "/v1/liveness", SPOOF).json()
    assert {*answer} == {"width", "height", "faces", "request_id"}
    (face,) = answer["faces"]
    assert face["liveness"]["verdict"] == "spoof"
    assert face["liveness"]["nets"] == {"mock": 0.0}
    strict = post(start(), "/v1/liveness", FAIR, liveness_condition="strict").json()
    assert strict["faces"][0]["liveness"]["live"] is False


def test_what_a_request_asks_for(start):
    client = start()
    assert "liveness" not in post(client, "/v1/detect", SPOOF).json()["faces"][0]
    told = post(client, "/v1/detect", SPOOF, liveness="observe").json()["faces"][0]
    assert told["liveness"]["live"] is False
    refused = post(client, "/v1/detect", SPOOF, liveness="enforce")
    assert refused.status_code == 422
    assert refused.json()["error"]["code"] == "spoof_suspected"
    assert refused.json()["error"]["details"]["verdict"] == "spoof"
    assert post(client, "/v1/detect", SPOOF, liveness="perhaps").status_code == 400


def test_a_request_cannot_ask_for_less_than_the_server(start):
    client = start(liveness="enforce", liveness_condition="strict")
    for options in ({}, {"liveness": "off"}, {"liveness": "observe", "liveness_condition": "weak"}):
        assert post(client, "/v1/detect", FAIR, **options).status_code == 422
    assert post(client, "/v1/detect", LIVE, liveness="off").status_code == 200
    weak = post(client, "/v1/liveness", FAIR, liveness_condition="weak").json()
    assert weak["faces"][0]["liveness"]["condition"] == "strict"


def test_every_route_with_faces(start):
    client = start()
    client.post("/v1/groups", json={"name": "staff"})
    client.post("/v1/groups/staff/persons", json={"name": "Ann"})
    refused = post(client, FACES, SPOOF, liveness="enforce")
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "spoof_suspected")
    enrolled = post(client, FACES, LIVE, liveness="enforce")
    assert enrolled.status_code == 201
    assert [one["live"] for one in enrolled.json()["liveness"]] == [True]
    for route in ("/v1/groups/staff/identify", "/v1/groups/staff/persons/Ann/verify"):
        assert post(client, route, SPOOF, liveness="enforce").status_code == 422
        assert "liveness" not in post(client, route, SPOOF).text
        assert '"verdict":"spoof"' in post(client, route, SPOOF, liveness="observe").text
    both = {"image_a": LIVE, "image_b": SPOOF}
    told = client.post("/v1/compare", files=both, data={"liveness": "observe"}).json()
    assert [one["live"] for one in told["liveness"]] == [True, False]
    assert client.post("/v1/compare", files=both, data={"liveness": "enforce"}).status_code == 422
    analysed = post(client, "/v1/analyze", LIVE, actions="blur", liveness="observe").json()
    assert analysed["actions"] == ["blur", "liveness"]


def test_without_the_nets_the_one_that_ships_speaks(open_house):
    told = post(open_house().client, "/v1/liveness", LIVE)
    assert told.status_code == 200
    assert '"nets":{"student":' in told.text


def test_without_any_net(open_house):
    answer = post(open_house(liveness_fallback=False).client, "/v1/liveness", LIVE)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "weights_missing"
