"""Mien's server against DeepFace's own HTTP API: requests a second, CPU time, memory.

Both compare the same two photos (640-pixel JPEGs, multipart): YuNet finds the faces, dlib's net
embeds them. DeepFace 0.0.103 is served as its container file does, by gunicorn with one worker
process, on ONNX Runtime without TensorFlow; Mien by ``mien serve`` with one inference worker, and
as it is shipped (a worker for each core). The servers are loaded in turn. Linux only.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import socket
import statistics
import subprocess
import time
import urllib.request
from pathlib import Path

from PIL import Image

from bench_compare import photos
from bench_deepface import weights
from bench_serve import Server
from mien import Gallery, config
from mien.models import ModelStore
from peers import deepface_api_python
from report import BUILD, Row, publish
from serve_load import Target, load

FOLDER = BUILD / "bench-serve-peer"
CLIENTS = (1, 4)
WARM = 100
BOUNDARY = "a-boundary-between-parts"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
DEEPFACE = "DeepFace's API"
MIEN = "one worker"
SHIPPED = "as shipped"


class DeepFaceServer:
    """DeepFace's Flask application under gunicorn, one worker process."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        python = Path(deepface_api_python())
        self._process = subprocess.Popen(
            [python.parent / "gunicorn", "--workers=1", "--timeout=3600", "--no-control-socket",
             f"--bind=127.0.0.1:{port}", "deepface.api.src.app:create_app()"],
            env={
                **os.environ,
                "DEEPFACE_HOME": str(home),
                "DEEPFACE_BACKEND_ENGINE": "onnx",
                "DEEPFACE_FACE_RECOGNITION_MODELS": "Dlib",
                "DEEPFACE_FACE_DETECTION_MODELS": "yunet",
            },
            stdout=subprocess.DEVNULL,
            stderr=(FOLDER / "deepface.log").open("w"),
        )  # fmt: skip
        while not self._ready():
            if self._process.poll() is not None:
                raise RuntimeError(f"DeepFace did not start: {FOLDER / 'deepface.log'} says why")
            time.sleep(0.2)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(self.address) as answer:
                return answer.status == 200
        except OSError:
            return False

    @property
    def pid(self) -> int:
        """The process of gunicorn itself; its worker is a child."""
        return self._process.pid

    def end(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait(60)


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    below = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(one) for file in below for one in file.read_text().split()]
    return [pid, *(each for child in children for each in tree(child))]


def cpu_s(pid: int) -> float:
    """CPU seconds that a process and all below it have used."""
    ticks = 0
    for one in tree(pid):
        stat = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(stat[11]) + int(stat[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Millions of bytes resident in a process and all below it."""
    pages = sum(int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in tree(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def jpeg(path: str) -> bytes:
    """A photo as a JPEG of at most 640 pixels."""
    with Image.open(path) as image:
        image.thumbnail((640, 640))
        out = io.BytesIO()
        image.convert("RGB").save(out, "JPEG", quality=90)
    return out.getvalue()


def form(files: dict[str, bytes], fields: dict[str, str]) -> bytes:
    """A multipart body."""
    parts = [
        (f'name="{name}"; filename="{name}.jpg"\r\nContent-Type: image/jpeg', data)
        for name, data in files.items()
    ]
    parts += [(f'name="{name}"', value.encode()) for name, value in fields.items()]
    body = b"".join(
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + data + b"\r\n"
        for head, data in parts
    )
    return body + f"--{BOUNDARY}--\r\n".encode()


def answer(target: Target) -> dict[str, object]:
    """What a server says to the question, as JSON."""
    connection = target.open()
    headers = {"Authorization": f"Bearer {target.key}", "Content-Type": target.content_type}
    connection.request("POST", target.path, target.body, headers)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    if response.status != 200:
        raise RuntimeError(f"{target.path} answered {response.status}: {text[:2000]!r}")
    return json.loads(text)


def key_of_mien() -> str:
    """A key of an empty gallery that the servers will open; it is kept from run to run."""
    os.environ["MIEN_GALLERY"] = f"sqlite:///{FOLDER / 'gallery.db'}"
    os.environ["MIEN_MASTER_KEY_FILE"] = str(FOLDER / "master.key")
    os.environ["MIEN_DATA_DIR"] = str(FOLDER)
    with Gallery.open(config.load().gallery_url) as gallery:
        return gallery.create_key("default")[1]


def measure(target: Target, pid: int, clients: int, requests: int) -> tuple[float, float]:
    """Requests a second, and CPU milliseconds of one."""
    before = cpu_s(pid)
    done = load(target, clients=clients, requests=requests)
    if set(done.seconds) != {200}:
        raise RuntimeError(f"answers other than 200: {sorted(done.seconds)}")
    return requests / done.took, (cpu_s(pid) - before) * 1e3 / requests


def run(targets: dict[str, Target], pids: dict[str, int], rounds: int, total: int):
    """Figures of every round by server and clients, and resident memory at 100 and ``total``."""
    each = (total - WARM) // (rounds * len(CLIENTS))
    figures: dict[tuple[str, int], list[tuple[float, float]]] = {}
    memory: dict[str, tuple[float, float]] = {}
    for name, target in targets.items():
        load(target, clients=max(CLIENTS), requests=WARM)
        memory[name] = (memory_mb(pids[name]), 0.0)
    for number in range(rounds):
        order = list(targets) if number % 2 == 0 else list(targets)[::-1]
        for clients in CLIENTS:
            for name in order:
                found = measure(targets[name], pids[name], clients, each)
                figures.setdefault((name, clients), []).append(found)
    for name, target in targets.items():
        if left := total - WARM - each * rounds * len(CLIENTS):
            load(target, clients=1, requests=left)
        memory[name] = (memory[name][0], memory_mb(pids[name]))
    return figures, memory


def rows_of(figures, memory, total: int) -> list[Row]:
    """Rows against DeepFace."""
    rows = []
    for name in (MIEN, SHIPPED):
        for clients in CLIENTS:
            ours, theirs = (
                [statistics.median(values) for values in zip(*figures[one, clients], strict=True)]
                for one in (name, DEEPFACE)
            )
            what = f"{clients} client{'s' * (clients > 1)}, {name}"
            rows += [
                Row(f"requests of {what}", ours[0], theirs[0], DEEPFACE, "/s"),
                Row(f"CPU of a request of {what}", ours[1], theirs[1], DEEPFACE),
            ]
        for at, requests in enumerate((WARM, total)):
            mine, other = memory[name][at], memory[DEEPFACE][at]
            rows.append(Row(f"resident after {requests} requests, {name}", mine, other,
                            DEEPFACE, "MB"))  # fmt: skip
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=1000, help="of each server, in all")
    options = parser.parse_args()
    if options.rounds < 1 or options.requests < WARM + 2 * options.rounds:
        parser.error(f"at least one round, and {WARM} requests and two more for each round")
    FOLDER.mkdir(parents=True, exist_ok=True)
    one, other = (jpeg(path) for path in photos())
    mien = form({"image_a": one, "image_b": other}, {})
    fields = {"model_name": "Dlib", "detector_backend": "yunet"}
    deepface = form({"img1": one, "img2": other}, fields)
    key, home = key_of_mien(), weights(ModelStore(config.load()))
    started: dict[str, Server | DeepFaceServer] = {}
    try:
        started[MIEN] = Server(embedder="dlib", detector="yunet", workers=1)
        started[SHIPPED] = Server(embedder="dlib", detector="yunet")
        started[DEEPFACE] = DeepFaceServer(home)
        targets = {
            name: Target(started[name].address, "/v1/compare", key, mien, MULTIPART)
            for name in (MIEN, SHIPPED)
        }
        targets[DEEPFACE] = Target(started[DEEPFACE].address, "/verify", "", deepface, MULTIPART)
        answers = {name: answer(target) for name, target in targets.items()}
        if not (answers[MIEN]["match"] and answers[DEEPFACE]["verified"]):
            raise RuntimeError(f"the photos show one person, and the answers are {answers}")
        pids = {name: server.pid for name, server in started.items()}
        figures, memory = run(targets, pids, options.rounds, options.requests)
    finally:
        for server in started.values():
            server.end()
    spread = {f"{name}, {clients}": found for (name, clients), found in figures.items()}
    more = {"rounds": spread, "memory_mb": memory, "answers": answers}
    publish("serve_peer", rows_of(figures, memory, options.requests), more=more)


if __name__ == "__main__":
    main()
