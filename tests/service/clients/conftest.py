"""A server on a real socket with real weights, and an environment with other services' clients."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from mien.gallery import Gallery
from mien.service import create_app

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Served:
    """A running server.

    Attributes:
        port: on 127.0.0.1.
        gallery: its gallery; secret: a key to the application ``default``.
    """

    port: int
    gallery: Gallery
    secret: str


@pytest.fixture(scope="session")
def served(engine, weights, tmp_path_factory) -> Iterator[Served]:
    """The service with the default models."""
    folder = tmp_path_factory.mktemp("served")
    settings = weights.model_copy(update={"data_dir": folder})
    with Gallery.open(f"sqlite:///{folder / 'gallery.db'}") as gallery:
        _, secret = gallery.create_key("default")
        gallery.allow_attributes("default", ["age", "gender", "emotion"])
        app = create_app(engine, gallery, settings)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
        thread = threading.Thread(target=server.run)
        thread.start()
        deadline = time.monotonic() + 60
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Served(port, gallery, secret)
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def client_python(tmp_path_factory) -> Path:
    """Python of an environment that holds the clients and nothing else."""
    folder = tmp_path_factory.mktemp("clients")
    venv.create(folder, with_pip=False, symlinks=sys.platform != "win32")
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    try:
        done = subprocess.run(
            [*install, "--requirement", str(HERE / "requirements.txt")],
            capture_output=True,
            text=True,
            timeout=240,
        )
    except (OSError, subprocess.TimeoutExpired):
        pytest.skip("the clients cannot be installed here: pip does not run or does not end")
    if done.returncode:
        pytest.skip("the clients cannot be installed here: pip cannot fetch them")
    return python


@pytest.fixture
def run_story(client_python, served) -> Callable[..., dict[str, Any]]:
    """Runs a story against the server and gives what it printed."""

    def run(name: str, *arguments: object) -> dict[str, Any]:
        done = subprocess.run(
            [
                client_python,
                "-I",
                HERE / name,
                str(served.port),
                served.secret,
                *map(str, arguments),
            ],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        story: dict[str, Any] = json.loads(done.stdout)
        return story

    return run
