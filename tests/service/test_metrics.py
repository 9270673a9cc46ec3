"""What a scrape tells an operator, read as Prometheus reads it: what is slow, is it full."""

from __future__ import annotations

import math

import pytest
from prometheus_client.parser import text_string_to_metric_families

STAGES = {"read", "wait", "work", "decode", "detect", "embed", "search", "liveness", "store"}


@pytest.fixture
def worked(house, photos):
    """A house in which a little of everything was done."""
    image = {"image": photos.ann}
    ask = house.client.post
    assert ask("/v1/groups", json={"name": "secret-group"}).status_code == 201
    group = "/v1/groups/secret-group"
    assert ask(f"{group}/persons", json={"name": "Annabel"}).status_code == 201
    assert ask(f"{group}/persons/Annabel/faces", files=image).status_code == 201
    assert ask(f"{group}/identify", files=image).status_code == 200
    assert ask("/v1/detect", files=image).status_code == 200
    assert ask("/v1/detect", files={"image": b"no photo"}).status_code == 400
    return house


@pytest.fixture
def families(worked):
    answer = worked.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {one.name: one for one in text_string_to_metric_families(answer.text)}


def value(families, name, **labels):
    family = families[name.removesuffix("_total").removesuffix("_count").removesuffix("_sum")]
    (found,) = [s.value for s in family.samples if s.name == name and s.labels == labels]
    return found


def test_everything_has_a_type_a_text_and_an_order(families):
    for name, family in families.items():
        assert family.documentation, name
        assert family.type in {"counter", "gauge", "histogram"}, name
        if family.type == "histogram":
            by_labels = {}
            for sample in family.samples:
                labels = {key: each for key, each in sample.labels.items() if key != "le"}
                by_labels.setdefault(tuple(labels.items()), []).append(sample)
            for samples in by_labels.values():
                counts = [s.value for s in samples if s.name.endswith("_bucket")]
                assert counts == sorted(counts)
                (total,) = [s.value for s in samples if s.name.endswith("_count")]
                assert counts[-1] == total
                assert any(s.labels.get("le") == "+Inf" for s in samples)


def test_labels_name_routes_stages_and_codes_and_nobody(worked, families):
    routes = {route.path for route in worked.app.routes if hasattr(route, "path")}
    told = set()
    for name, family in families.items():
        if name.startswith("mien_"):
            for sample in family.samples:
                told |= set(sample.labels) - {"le"}
                for label, text in sample.labels.items():
                    assert "secret-group" not in text
                    assert "Annabel" not in text
                    if label == "route":
                        assert "{" in text or text in routes or text.startswith("/v1/"), text
    assert told - {"outcome"} == {"method", "route", "status", "stage", "code"}


def test_what_is_slow_can_be_told_by_route_and_stage(families):
    detect = {"route": "/v1/detect"}
    assert value(families, "mien_request_seconds_count", **detect) == 2
    assert 0 < value(families, "mien_request_seconds_sum", **detect) < math.inf
    seen = {s.labels["stage"] for s in families["mien_stage_seconds"].samples}
    assert seen >= STAGES - {"liveness"}


def test_liveness_and_attributes_are_stages_too(open_dialects):
    house = open_dialects()
    key = {"Authorization": f"Bearer {house.secret}"}
    photo = {"image": house.photo(1)}
    for path in ("/v1/liveness", "/v1/analyze?actions=quality"):
        answer = house.client.post(path, files=photo, headers=key)
        assert answer.status_code == 200, answer.text
    text = house.client.get("/metrics").text
    for stage in ("liveness", "attributes"):
        assert f'mien_stage_seconds_count{{stage="{stage}"}}' in text


def test_whether_it_is_full_can_be_told(worked):
    def scrape():
        text = worked.client.get("/metrics").text
        return {one.name: one for one in text_string_to_metric_families(text)}

    pool = worked.service.inference
    with_none = scrape()
    assert value(with_none, "mien_inference_slots") == pool.capacity
    assert value(with_none, "mien_inference_workers") == pool.workers
    assert value(with_none, "mien_bodies_bytes_allowed") == worked.service.budget.total
    slots = [pool.admit("default") for _ in range(pool.capacity)]
    try:
        assert worked.client.post("/v1/detect", content=b"x").status_code == 503
        full = scrape()
    finally:
        for slot in slots:
            slot.release()
    taken, room = (value(full, f"mien_inference_{one}") for one in ("slots_taken", "slots"))
    assert taken == room
    assert value(full, "mien_errors_total", code="overloaded") == 1
