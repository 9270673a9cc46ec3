"""What ``/metrics`` shows, in a registry of its own for each app."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from mien.service.connections import Connections
from mien.service.limits import ByteBudget, Places
from mien.service.pool import Pool
from mien.stages import Stage

__all__ = ["Metrics", "PurgeMetrics"]

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

STAGE_SECONDS = (0.0005, 0.001, 0.0025, *SECONDS)


class PurgeMetrics:
    """Counters of the retention's purges."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.runs = Counter(
            "mien_purges_total",
            "Retention purges of this server: done or failed.",
            ("outcome",),
            registry=registry,
        )
        self.faces = Counter(
            "mien_purged_faces_total", "Faces that retention deleted.", registry=registry
        )
        self.persons = Counter(
            "mien_purged_persons_total", "Persons that retention took out.", registry=registry
        )
        self.last = Gauge(
            "mien_purge_last_success_timestamp_seconds",
            "When this server last purged; 0: not yet.",
            registry=registry,
        )


class Metrics:
    """Counters of one service. Labels never hold a name, an id or a key."""

    def __init__(self, *, inference: Pool, records: Pool) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "mien_requests_total",
            "Requests by route and status.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "mien_request_seconds",
            "Seconds from the request's first byte to the answer's last.",
            ("route",),
            registry=self.registry,
            buckets=SECONDS,
        )
        self.stages = Histogram(
            "mien_stage_seconds",
            "Seconds of a stage: read, wait, work; in work decode, detect, embed, liveness, "
            "attributes, landmarks, search, store.",
            ("stage",),
            registry=self.registry,
            buckets=STAGE_SECONDS,
        )
        self.errors = Counter(
            "mien_errors_total",
            "Refused requests by error code.",
            ("code",),
            registry=self.registry,
        )
        self.faces = Counter(
            "mien_faces_detected_total", "Faces found in photos.", registry=self.registry
        )
        self.enrolled = Counter(
            "mien_faces_enrolled_total", "Faces stored in galleries.", registry=self.registry
        )
        self.purges = PurgeMetrics(self.registry)
        for name, pool in (("inference", inference), ("records", records)):
            self._watch(name, pool)

    def watch_bodies(self, reading: Places, budget: ByteBudget) -> None:
        """Show how much of what requests bring is being read, and how much of it is in memory."""
        for name, text, read in (
            ("mien_bodies_read", "Request bodies being read", lambda: reading.taken),
            ("mien_bodies_read_allowed", "Bodies read at once at most", lambda: reading.count),
            ("mien_bodies_bytes", "Bytes of request bodies in memory", lambda: budget.used),
            ("mien_bodies_bytes_allowed", "Such bytes at most", lambda: budget.total),
        ):
            Gauge(name, f"{text}.", registry=self.registry).set_function(read)

    def watch_connections(self, connections: Connections) -> None:
        """Show how many connections are open; a server calls it, an app without one does not."""
        for name, text, read in (
            ("mien_connections", "Open connections", lambda: connections.taken),
            ("mien_connections_idle", "Those without a request", lambda: len(connections.idle)),
            ("mien_connections_allowed", "Connections at most", lambda: connections.most),
            (
                "mien_connections_turned_away",
                "Those that were closed for want of room since the start",
                lambda: connections.turned_away,
            ),
        ):
            Gauge(name, f"{text}.", registry=self.registry).set_function(read)

    def observe(
        self,
        *,
        method: str,
        route: str,
        status: int,
        seconds: float,
        stages: Iterable[Stage] = (),
    ) -> None:
        """Count one answered request; ``route`` is the template, such as ``/v1/groups/{group}``."""
        method = method if method in METHODS else "other"
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)
        for one in stages:
            self.stages.labels(one.name).observe(one.seconds)

    def render(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self.registry)

    def _watch(self, name: str, pool: Pool) -> None:
        for what, text, read in (
            ("queue_depth", "Jobs that wait for a worker", lambda: pool.waiting),
            ("busy_workers", "Workers that are busy", lambda: pool.running),
            ("slots_taken", "Requests that wait or run", lambda: pool.taken),
            ("slots", "Requests that may wait or run", lambda: pool.capacity),
            ("workers", "Workers", lambda: pool.workers),
        ):
            gauge = Gauge(f"mien_{name}_{what}", f"{text} ({name} pool).", registry=self.registry)
            gauge.set_function(read)
