"""The server under load: its CPU against the engine's own, latencies, overload, memory.

640-pixel JPEGs are identified in a group of 100,000 faces by 8 clients at once. The engine's own
cost is measured in turn with the server's, on the same photo and gallery, on as many threads.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

from PIL import Image

from bench_identify import fill
from mien import Engine, Gallery, config
from mien.models.samples import sample_photos
from report import BUILD, Row, publish
from serve_load import Target, load

HERE = Path(__file__).resolve().parent
FOLDER = BUILD / "bench-serve"
CLIENTS = 8


class Server:
    """``mien serve`` in a process of its own."""

    def __init__(self, **settings: object) -> None:
        named = {f"MIEN_{name.upper()}": str(value) for name, value in settings.items()}
        self._process = subprocess.Popen(
            [str(Path(sys.executable).parent / "mien"), "serve", "--port", "0"],
            env={**os.environ, **named},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        while "Mien is at" not in (line := self._process.stderr.readline()):
            if not line:
                raise RuntimeError("the server did not start")
        self.address = re.search(r"http://[^\s/]+", line).group(0)  # type: ignore[union-attr]
        threading.Thread(target=self._process.stderr.read, daemon=True).start()
        while not self._ready():
            time.sleep(0.1)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/readyz") as answer:
                return answer.status == 200
        except OSError:
            return False

    def figure(self, name: str) -> float:
        """A figure of ``/metrics``."""
        with urllib.request.urlopen(f"{self.address}/metrics") as answer:
            return float(re.search(rf"^{name} (\S+)$", answer.read().decode(), re.M).group(1))  # type: ignore[union-attr]

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def cpu_s(self) -> float:
        """CPU seconds that the process has used."""
        return self.figure("process_cpu_seconds_total")

    @property
    def memory_mb(self) -> float:
        """Millions of bytes that are resident."""
        return self.figure("process_resident_memory_bytes") / 1e6

    def end(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait(60)


class Inside:
    """The engine in a process of its own (work_mien_identify.py)."""

    def __init__(self, photo: Path, group: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "work_mien_identify.py"), str(photo), group],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._read()

    def _read(self) -> dict[str, float]:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def cost(self, requests: int) -> float:
        """CPU milliseconds of one identification."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{requests}\n")
        self._process.stdin.flush()
        return self._read()["ms"]

    def end(self) -> None:
        """Stop it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)


def prepare(faces: int) -> tuple[Path, str, str]:
    """The photo, the group and a key; the gallery is kept from run to run."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    os.environ["MIEN_GALLERY"] = f"sqlite:///{FOLDER / 'gallery.db'}"
    os.environ["MIEN_MASTER_KEY_FILE"] = str(FOLDER / "master.key")
    os.environ["MIEN_DATA_DIR"] = str(FOLDER)
    photo, group = FOLDER / "photo.jpg", f"group-{faces}"
    with Engine() as engine, Gallery.open(config.load().gallery_url) as gallery:
        with Image.open(sample_photos(engine.models)["Barack Obama"][0]) as image:
            image.thumbnail((640, 640))
            out = io.BytesIO()
            image.convert("RGB").save(out, "JPEG", quality=90)
        photo.write_bytes(out.getvalue())
        if group not in [one.name for one in gallery.groups(limit=500)]:
            fill(gallery, group, engine, faces)
        _, key = gallery.create_key("default")
    return photo, group, key


def cpu_and_latency(target: Target, server: Server, inside: Inside, options: argparse.Namespace):
    """Rows of CPU time a request, and of latencies; the two sides in turn."""
    ours, own, p50, p99, rate = [], [], [], [], []
    load(target, clients=CLIENTS, requests=4 * CLIENTS)
    for _ in range(options.rounds):
        own.append(inside.cost(options.requests))
        before = server.cpu_s
        done = load(target, clients=CLIENTS, requests=options.requests)
        ours.append((server.cpu_s - before) * 1e3 / options.requests)
        if set(done.seconds) != {200}:
            raise RuntimeError(f"answers other than 200: {sorted(done.seconds)}")
        p50.append(done.at(200, 0.5))
        p99.append(done.at(200, 0.99))
        rate.append(options.requests / done.took)
    ratios = [a / b for a, b in zip(ours, own, strict=True)]
    middle = statistics.median
    rows = [
        Row("CPU of a request", middle(ours), middle(own), "the engine in-process"),
        Row("p99 of 8 clients", middle(p99), middle(p50), "their p50", unit="ms"),
        Row("throughput of 8 clients", middle(rate), None, "", unit="/s"),
    ]
    spread = {"cpu_ratios": ratios, "p50_ms": p50, "p99_ms": p99, "rate": rate}
    return rows, spread


def overload(target_of, options: argparse.Namespace) -> list[Row]:
    """8 clients just fit; then 32 ask, and those that are refused ask again after 100 ms."""
    cores = len(os.sched_getaffinity(0))
    server = Server(queue_size=CLIENTS - cores)
    try:
        target = target_of(server)
        load(target, clients=CLIENTS, requests=4 * CLIENTS)
        fits = load(target, clients=CLIENTS, seconds=options.seconds)
        over = load(target, clients=4 * CLIENTS, seconds=options.seconds)
    finally:
        server.end()
    if set(over.seconds) != {200, 503}:
        raise RuntimeError(f"answers other than 200 and 503: {sorted(over.seconds)}")
    served, refused = len(over.of(200)), len(over.of(503))
    return [
        Row("refused at 4 x overload, p50", over.at(503, 0.5), None, f"{refused} times", unit="ms"),
        Row("refused at 4 x overload, p99", over.at(503, 0.99), None, "", unit="ms"),
        Row("served at 4 x overload, p50", over.at(200, 0.5), fits.at(200, 0.5), "8 clients", "ms"),
        Row("served at 4 x overload, p99",
            over.at(200, 0.99), fits.at(200, 0.99), "8 clients", "ms"),
        Row("served a second at 4 x overload", served / over.took,
            len(fits.of(200)) / fits.took, "8 clients", unit="/s"),
    ]  # fmt: skip


def memory(target: Target, server: Server, minutes: float) -> tuple[list[Row], list[float]]:
    """Resident memory in ten equal parts of the time; the first is left to warming up."""
    seen = []
    for _ in range(10):
        load(target, clients=CLIENTS, seconds=6 * minutes)
        seen.append(server.memory_mb)
    rows = [
        Row(f"resident after {minutes:g} minutes", seen[-1], seen[0], "after a tenth", unit="MB")
    ]
    return rows, seen


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=200, help="of one round")
    parser.add_argument("--seconds", type=float, default=10, help="of each half of the overload")
    parser.add_argument("--minutes", type=float, default=3, help="of the memory's load; 0: none")
    options = parser.parse_args()
    photo, group, key = prepare(options.faces)

    def target_of(server: Server) -> Target:
        path = f"/v1/groups/{group}/identify"
        return Target(server.address, path, key, photo.read_bytes())

    server, inside = Server(), Inside(photo, group)
    more: dict[str, object] = {}
    rows = []
    try:
        if options.rounds:
            rows, more["rounds"] = cpu_and_latency(target_of(server), server, inside, options)
        if options.minutes:
            grown, more["memory_mb"] = memory(target_of(server), server, options.minutes)
            rows += grown
    finally:
        server.end()
        inside.end()
    if options.seconds:
        rows += overload(target_of, options)
    publish("serve", rows, more=more)


if __name__ == "__main__":
    main()
