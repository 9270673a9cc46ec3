"""OpenTelemetry: a span for each request, and one inside it for each of its stages."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mien.errors import ConfigurationError
from mien.stages import Stage

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

__all__ = ["Tracing", "open_tracing"]

NS = 1_000_000_000


class Tracing:
    """Writes spans of requests that have ended. They hold no name, id of a person, key or path.

    Args:
        provider: where spans go.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("mien")

    def tell(
        self,
        facts: Mapping[str, str | int | float],
        stages: Iterable[Stage],
        *,
        seconds: float,
        headers: Iterable[tuple[bytes, bytes]],
    ) -> None:
        """The spans of one request, which ends now.

        Args:
            facts: ``request_id``, ``method``, ``route``, ``status``.
            stages: what it was made of, by ``time.monotonic``.
            seconds: how long it took.
            headers: the request's; a ``traceparent`` makes it part of the caller's trace.
        """
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        parent = _parent(headers)
        now_ns, now = time.time_ns(), time.monotonic()
        status = int(facts["status"])
        span = self._tracer.start_span(
            f"{facts['method']} {facts['route']}",
            context=TraceContextTextMapPropagator().extract(parent),
            kind=trace.SpanKind.SERVER,
            start_time=now_ns - int(seconds * NS),
            attributes={
                "http.request.method": str(facts["method"]),
                "http.route": str(facts["route"]),
                "http.response.status_code": status,
                "mien.request_id": str(facts["request_id"]),
            },
        )
        if status >= 500:
            span.set_status(trace.StatusCode.ERROR)
        inside = trace.set_span_in_context(span)
        for one in stages:
            began_ns = now_ns - int((now - one.began) * NS)
            part = self._tracer.start_span(one.name, context=inside, start_time=began_ns)
            part.end(now_ns - int((now - one.ended) * NS))
        span.end(now_ns)

    def close(self) -> None:
        """Send what waits (blocking)."""
        self._provider.shutdown()


def _parent(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    found = [value.decode("latin-1") for name, value in headers if name == b"traceparent"]
    return {"traceparent": found[0]} if len(found) == 1 else {}


def open_tracing() -> Tracing:
    """Tracing to the collector that the ``OTEL_`` variables name.

    Raises:
        ConfigurationError: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise ConfigurationError(
            "Traces need OpenTelemetry: install mien[otel], or set MIEN_TRACES=off."
        ) from None
    named = Resource({SERVICE_NAME: "mien"}).merge(Resource.create())
    provider = TracerProvider(resource=named)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)
