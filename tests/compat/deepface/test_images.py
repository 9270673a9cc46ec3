"""Whatever DeepFace's callers give for an image."""

from __future__ import annotations

import base64
import contextlib
import io
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mien import config, errors
from mien.compat import deepface as DeepFace  # noqa: N812
from mien.compat.deepface import images
from mien.compat.deepface.images import load, split
from mien.engine import Engine
from mien.testing import MockDetector, MockEmbedder, drawn_face


def bgr(identity: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(drawn_face(identity)[..., ::-1])


def png(identity: int) -> bytes:
    encoded: NDArray[np.uint8] = cv2.imencode(".png", bgr(identity))[1]
    return encoded.tobytes()


@pytest.fixture
def engine() -> Engine:
    return Engine(detector=MockDetector(), embedder=MockEmbedder(), settings=config.load())


class Unseekable(io.BytesIO):
    def seek(self, *where: int) -> int:
        raise io.UnsupportedOperation

    def seekable(self) -> bool:
        return False


def read_once() -> io.BytesIO:
    file = io.BytesIO(png(1))
    file.read()
    return file


@pytest.mark.parametrize(
    "given",
    [
        bgr(1),
        bgr(1).astype(np.int64),
        bgr(1) / 255,
        (bgr(1) / 255).astype(np.float32),
        bgr(1).astype(np.float64),
        png(1),
        io.BytesIO(png(1)),
        read_once(),
        Unseekable(png(1)),
        Image.fromarray(drawn_face(1)),
        "data:image/png;base64," + base64.b64encode(png(1)).decode(),
        "data:image/png," + base64.b64encode(png(1)).decode(),
    ],
    ids=lambda given: type(given).__name__,
)
def test_every_kind_is_the_same_picture(given: object, engine: Engine) -> None:
    assert (load(given, engine).pixels() == drawn_face(1)).all()


def test_paths_with_any_letters(tmp_path: Path, engine: Engine) -> None:
    path = tmp_path / "사진 é.png"
    path.write_bytes(png(1))
    assert (load(path, engine).pixels() == load(str(path), engine).pixels()).all()


@pytest.mark.parametrize(
    "given",
    [
        "missing.jpg",
        b"",
        b"no image",
        io.StringIO("text"),
        np.zeros((40, 40, 3), np.complex64),
        np.full((40, 40, 3), np.nan),
        np.zeros((40,)),
        np.zeros((2, 2, 3), np.uint8),
        "data:image/png;base64,????",
        None,
        7,
        {},
    ],
    ids=lambda given: type(given).__name__,
)
def test_what_is_no_image_is_one_error(given: object) -> None:
    with pytest.raises(errors.ImageError) as caught:
        DeepFace.represent(given)
    assert isinstance(caught.value, ValueError)
    assert isinstance(
        caught.value, DeepFace.exceptions.ImgNotFound | DeepFace.exceptions.DataTypeError
    )


def test_one_and_several() -> None:
    assert split("a") == (["a"], False)
    assert split(["a"]) == (["a"], True)
    assert split(("a", "b")) == (["a", "b"], True)
    one, several = split(np.zeros((2, 4, 4, 3)))
    assert (len(one), several) == (2, True)


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/loop":
            self.send_response(302)
            self.send_header("Location", "/loop")
            self.end_headers()
            return
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "file:///etc/hostname")
            self.end_headers()
            return
        if self.path == "/slow":
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(20):
                    self.wfile.write(b"x")
                    time.sleep(0.05)
            return
        self.send_response(200 if self.path in ("/1.png", "/big") else 404)
        self.end_headers()
        self.wfile.write(png(1) if self.path != "/big" else b"x" * 3_000_000)

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def site() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_address_is_fetched(site: str, engine: Engine) -> None:
    assert (load(f"{site}/1.png", engine).pixels() == drawn_face(1)).all()


@pytest.mark.parametrize("page", ["/none", "/loop", "/away"])
def test_an_address_without_an_image(site: str, page: str) -> None:
    with pytest.raises(DeepFace.exceptions.ImgNotFound, match="cannot be fetched") as caught:
        DeepFace.represent(site + page)
    assert "127.0.0.1" not in str(caught.value)


def test_nothing_beyond_the_limits_is_fetched(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    small = config.load(max_image_bytes=2_000_000)
    engine = Engine(detector=MockDetector(), embedder=MockEmbedder(), settings=small)
    with pytest.raises(errors.ImageTooLarge):
        load(f"{site}/big", engine)
    monkeypatch.setattr(images, "FETCH_S", 0.2)  # each part comes sooner, all of them later
    with pytest.raises(errors.ImageNotFound, match="TimeoutError"):
        load(f"{site}/slow", engine)


def test_nothing_is_fetched_offline(site: str) -> None:
    offline = Engine(
        detector=MockDetector(), embedder=MockEmbedder(), settings=config.load(offline=True)
    )
    with pytest.raises(errors.ImageNotFound, match="MIEN_OFFLINE"):
        load(f"{site}/1.png", offline)


def test_an_address_that_nobody_answers(engine: Engine) -> None:
    with pytest.raises(errors.ImageNotFound, match="cannot be fetched"):
        load("http://127.0.0.1:9/1.png", engine)
    with pytest.raises(errors.ImageNotFound, match="cannot be fetched"):
        load("http://[", engine)
