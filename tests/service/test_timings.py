"""Where a request's time went, for whoever asks."""

from __future__ import annotations

import re

import pytest

GROUP = "/v1/groups/friends"


def stages(answer):
    found = re.findall(r"(\w+);dur=(\d+\.\d)", answer.headers["server-timing"])
    return {name: float(value) for name, value in found}


def test_stages_add_up_to_the_whole(client, photos):
    answer = client.post("/v1/detect", params={"timings": "true"}, files={"image": photos.ann})
    told = stages(answer)
    assert list(told)[-1] == "total"
    assert {"read", "wait", "decode", "detect"} <= set(told)
    assert told["work"] > 0
    assert told["read"] + told["wait"] + told["work"] <= told["total"] + 0.3  # each rounded


@pytest.mark.parametrize("params", [{}, {"timings": "false"}])
def test_who_does_not_ask_is_not_told(client, photos, params):
    answer = client.post("/v1/detect", params=params, files={"image": photos.ann})
    assert answer.status_code == 200
    assert "server-timing" not in answer.headers


def test_every_kind_of_route_tells(client, photos):
    asked = {"timings": "true"}
    made = client.post("/v1/groups", json={"name": "friends"}, params=asked)
    assert {"read", "wait", "work", "total"} <= set(stages(made))
    listed = client.get("/v1/groups", params={**asked, "limit": "1"})
    assert set(stages(listed)) == {"wait", "work", "total"}
    tag = {"If-None-Match": listed.headers["etag"]}
    same = client.get("/v1/groups", params={**asked, "limit": "1"}, headers=tag)
    assert same.status_code == 304
    assert "total" in stages(same)


@pytest.mark.parametrize("value", ["yes", "", "1"])
def test_what_cannot_be_is_refused(client, value):
    answer = client.get("/v1/groups", params={"timings": value})
    assert (answer.status_code, answer.json()["error"]["details"]["field"]) == (400, "timings")
    refused = client.post("/v1/groups", json={"name": "friends"}, params={"timings": value})
    assert refused.status_code == 400
    assert client.get(GROUP).status_code == 404  # nothing was done
