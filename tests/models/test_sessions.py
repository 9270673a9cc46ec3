"""One contract for every session: names, float32 outputs that the caller owns, threads."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mien.errors import InvalidArgument, RuntimeUnavailable
from mien.models.cache import Cache
from mien.models.child import open_candidate
from mien.models.choice import Candidate
from mien.models.session import Session
from mien.testing import MockSession


def _needs_openvino():
    if importlib.util.find_spec("openvino") is None:
        pytest.skip("there is no OpenVINO wheel for this machine")


def reference(inputs):
    """The tiny net in NumPy (see ``tiny_net``)."""
    x = inputs["input"]
    weight = np.random.default_rng(1).normal(size=(8, 3, 3, 3)).astype(np.float32)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    raw = np.einsum("nchwij,ocij->nohw", windows, weight, optimize=True)
    relu = np.maximum(raw, 0)
    return {"map": relu, "mean": relu.mean(axis=(2, 3), keepdims=True)}


@pytest.fixture
def path(net, tmp_path):
    file = tmp_path / "tiny.onnx"
    file.write_bytes(net)
    return file


@pytest.fixture(params=["openvino", "openvino cached", "onnxruntime", "mock"])
def session(request, path, tmp_path):
    runtime = request.param.split()[0]
    if runtime == "mock":
        return MockSession(reference, ["input"], ["map", "mean"])
    if runtime == "openvino":
        _needs_openvino()
    cache = Cache(tmp_path / "cache")
    if "cached" in request.param:
        open_candidate(Candidate(runtime, "float32"), path, cache=cache)
        assert len(list((cache.folder / "openvino").iterdir())) == 1
    return open_candidate(Candidate(runtime, "float32"), path, cache=cache, threads=2, streams=2)


def photo(seed=0, shape=(1, 3, 8, 12)):
    return np.random.default_rng(seed).random(shape, np.float32)


def test_names(session):
    assert isinstance(session, Session)
    assert session.runtime in {"openvino", "onnxruntime", "mock"}
    assert session.precision == "float32"
    assert session.input_names == ("input",)
    assert session.output_names == ("map", "mean")


@pytest.mark.parametrize("shape", [(1, 3, 8, 12), (3, 3, 8, 12), (1, 3, 5, 7), (2, 3, 1, 1)])
def test_outputs_of_any_size_and_number(session, shape):
    inputs = {"input": photo(shape=shape)}
    outputs = session.run(inputs)
    assert list(outputs) == ["map", "mean"]
    for name, expected in reference(inputs).items():
        assert outputs[name].dtype == np.float32
        np.testing.assert_allclose(outputs[name], expected, atol=1e-4)


def test_the_caller_owns_inputs_and_outputs(session):
    inputs = {"input": photo()}
    before = inputs["input"].copy()
    first = session.run(inputs)
    kept = first["map"].copy()
    second = session.run({"input": photo(1)})
    np.testing.assert_array_equal(first["map"], kept)
    second["map"][:] = -1
    np.testing.assert_array_equal(session.run(inputs)["map"], kept)
    np.testing.assert_array_equal(inputs["input"], before)


def test_inputs_need_not_be_contiguous(session):
    images = photo(shape=(1, 8, 12, 3))
    view = images.transpose(0, 3, 1, 2)
    expected = reference({"input": view})["mean"]
    np.testing.assert_allclose(session.run({"input": view})["mean"], expected, atol=1e-4)


def test_several_threads_at_once(session):
    photos = [photo(seed, (1, 3, 8 + seed % 3, 12)) for seed in range(40)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda x: session.run({"input": x})["mean"], photos))
    for x, answer in zip(photos, answers, strict=True):
        np.testing.assert_allclose(answer, reference({"input": x})["mean"], atol=1e-4)


def test_a_mock_records_and_checks():
    session = MockSession({"y": np.ones(2, np.float64)}, ["x"])
    x = np.zeros(3, np.float32)
    answer = session.run({"x": x})
    assert answer["y"].dtype == np.float32
    x[:] = 7
    assert session.calls[0]["x"].tolist() == [0, 0, 0]
    with pytest.raises(InvalidArgument, match="inputs"):
        session.run({"z": x})
    with pytest.raises(InvalidArgument, match="outputs"):
        MockSession(lambda inputs: {}, ["x"], ["y"]).run({"x": x})
    with pytest.raises(InvalidArgument, match="output_names"):
        MockSession(lambda inputs: {}, ["x"])


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("data", [b"", b"not a net", None])
def test_what_is_no_net(tmp_path, runtime, data):
    if runtime == "openvino":
        _needs_openvino()
    file = tmp_path / "broken.onnx"
    if data is not None:
        file.write_bytes(data)
    cache = Cache(tmp_path / "cache")
    with pytest.raises(RuntimeUnavailable, match=r"broken\.onnx") as caught:
        open_candidate(Candidate(runtime, "float32"), file, cache=cache)
    assert str(tmp_path) not in caught.value.message


def test_a_damaged_compiled_net_is_compiled_again(path, tmp_path):
    _needs_openvino()
    cache = Cache(tmp_path / "cache")
    way = Candidate("openvino", "float32")
    expected = open_candidate(way, path, cache=cache).run({"input": photo()})["mean"]
    (blob,) = (cache.folder / "openvino").iterdir()
    for data in (b"", b"garbage" * 100):
        blob.write_bytes(data)
        again = open_candidate(way, path, cache=cache).run({"input": photo()})["mean"]
        np.testing.assert_array_equal(again, expected)
        assert blob.read_bytes() != data


LONELY = """
import os, socket, sys, time
def refuse(*args, **kwargs):
    raise SystemExit("somebody talks to the network")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
os.fork = refuse
from mien.models.session_openvino import OpenVino
OpenVino().precisions
time.sleep(0.3)
assert not [name for name in sys.modules if name.startswith("openvino_telemetry")]
assert os.listdir(os.environ["HOME"]) == [], os.listdir(os.environ["HOME"])
"""


def test_openvino_tells_nobody(tmp_path):
    _needs_openvino()
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "LOCALAPPDATA": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", LONELY], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


QUIET = """
import sys
from pathlib import Path
import numpy as np
from mien.models.cache import Cache
from mien.models.child import open_candidate
from mien.models.choice import Candidate
session = open_candidate(
    Candidate(sys.argv[1], "float32"), Path(sys.argv[2]), cache=Cache(Path(sys.argv[3]))
)
session.run({"input": np.zeros((1, 3, 8, 8), np.float32)})
"""


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_runtimes_print_nothing(path, tmp_path, runtime):
    if runtime == "openvino":
        _needs_openvino()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", QUIET, runtime, str(path), str(tmp_path / "cache")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
