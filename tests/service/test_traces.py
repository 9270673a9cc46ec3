"""Traces and per-stage metrics: a span for each request, one in it for each stage, no names."""

from __future__ import annotations

import re

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mien.errors import ConfigurationError
from mien.service import create_app, traces
from mien.service.traces import Tracing
from mien.stages import listen, note, stage

STAGES = {"read", "wait", "work", "decode", "detect", "embed", "search"}


@pytest.fixture
def spans():
    return InMemorySpanExporter()


@pytest.fixture
def traced(house, spans):
    """A client of an app that traces."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    tracing = Tracing(provider)
    app = create_app(house.engine, house.gallery, house.service.settings, tracing=tracing)
    transport = httpx.ASGITransport(app)
    loop = house.client._transport

    def ask(method, path, **options):
        request = house.client.build_request(method, path, **options)
        body = request.read()
        request = httpx.Request(method, request.url, headers=request.headers, content=body)
        return loop.call(transport.handle_async_request(request))

    yield ask
    app.state.service.close()
    tracing.close()


def test_a_request_and_its_stages(traced, spans, photos):
    for path, body in (("groups", {"name": "g"}), ("groups/g/persons", {"name": "Annabel"})):
        assert traced("POST", f"/v1/{path}", json=body).status_code == 201
    image = {"image": photos.ann}
    assert traced("POST", "/v1/groups/g/persons/Annabel/faces", files=image).status_code == 201
    spans.clear()
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"traceparent": parent, "X-Request-ID": "mine"}
    answer = traced("POST", "/v1/groups/g/identify", files=image, headers=headers)
    assert answer.status_code == 200
    found = spans.get_finished_spans()
    (whole,) = [one for one in found if one.parent is None or one.parent.is_remote]
    assert whole.name == "POST /v1/groups/{group}/identify"
    assert f"{whole.context.trace_id:032x}" in parent
    assert f"{whole.parent.span_id:016x}" in parent
    assert whole.attributes["http.response.status_code"] == 200
    assert whole.attributes["mien.request_id"] == "mine"
    parts = [one for one in found if one is not whole]
    assert {one.name for one in parts} == STAGES
    for one in parts:
        assert one.parent.span_id == whole.context.span_id
        assert whole.start_time - 1e6 <= one.start_time <= one.end_time <= whole.end_time + 1e6
    told = "".join(one.to_json() for one in found)
    assert "Annabel" not in told
    assert "mien_" not in told


@pytest.mark.parametrize("parent", ["nonsense", "", "00-0-0-00", "é"])
def test_a_parent_that_cannot_be_is_left_out(traced, spans, parent):
    assert traced("GET", "/healthz", headers={"traceparent": parent.encode()}).status_code == 200
    (whole,) = spans.get_finished_spans()
    assert whole.parent is None


def test_without_tracing_there_are_metrics_of_stages(client, photos):
    client.post("/v1/detect", files={"image": photos.ann})
    text = client.get("/metrics").text
    for name in ("read", "wait", "work", "decode", "detect"):
        assert re.search(rf'mien_stage_seconds_count{{stage="{name}"}} [1-9]', text), name
    assert 'stage="search"' not in text


def test_otlp_without_the_extra_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ConfigurationError, match=r"mien\[otel\]"):
        traces.open_tracing()


def test_otlp_opens_and_closes():
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    traces.open_tracing().close()


def test_stages_are_heard_where_somebody_listens_and_also_of_what_fails():
    with stage("alone"):
        note("alone", 0.0)
    with listen() as heard:
        with pytest.raises(ValueError, match="x"), stage("outer"), stage("inner"):
            raise ValueError("x")
        note("noted", heard[0].began)
    assert [one.name for one in heard] == ["inner", "outer", "noted"]
    assert all(one.seconds >= 0 for one in heard)
    assert heard[1].began <= heard[0].began <= heard[0].ended <= heard[1].ended
