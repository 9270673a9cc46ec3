"""Clients for bench_serve: threads that post one photo again and again, each on its connection."""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Target:
    """What is asked, and where."""

    address: str
    path: str
    key: str
    body: bytes = field(repr=False)
    content_type: str = "image/jpeg"

    def open(self) -> http.client.HTTPConnection:
        """A connection of a client."""
        where = urlsplit(self.address)
        assert where.hostname
        return http.client.HTTPConnection(where.hostname, where.port, timeout=60)

    def ask(self, connection: http.client.HTTPConnection) -> tuple[int, float]:
        """Status, and seconds until the whole answer was there."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": self.content_type}
        began = time.perf_counter()
        connection.request("POST", self.path, self.body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, time.perf_counter() - began


@dataclass
class Outcome:
    """Seconds that answers took, by status."""

    seconds: dict[int, list[float]] = field(default_factory=dict)
    took: float = 0.0

    def of(self, status: int) -> list[float]:
        """Sorted seconds of the answers with that status."""
        return sorted(self.seconds.get(status, []))

    def at(self, status: int, share: float) -> float:
        """Milliseconds within which that share of the answers came."""
        found = self.of(status)
        return found[min(len(found) - 1, int(share * len(found)))] * 1e3 if found else float("nan")


def load(
    target: Target,
    *,
    clients: int,
    requests: int = 0,
    seconds: float = 0.0,
    pause_s: float = 0.1,
) -> Outcome:
    """Ask from so many clients at once, for so many requests or so long.

    Args:
        target: what is asked.
        clients: threads, each with a connection that is kept.
        requests: in all; 0: until ``seconds`` are over.
        seconds: how long.
        pause_s: how long a client that was refused waits before it asks again.
    """
    outcome, lock = Outcome(), threading.Lock()
    left = [requests]
    end = time.perf_counter() + seconds

    def more() -> bool:
        with lock:
            left[0] -= 1
            return left[0] >= 0 if requests else time.perf_counter() < end

    def client() -> None:
        connection = target.open()
        while more():
            status, took = target.ask(connection)
            with lock:
                outcome.seconds.setdefault(status, []).append(took)
            if status == 503:
                time.sleep(pause_s)
        connection.close()

    began = time.perf_counter()
    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcome.took = time.perf_counter() - began
    return outcome
