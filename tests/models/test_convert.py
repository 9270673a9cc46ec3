"""Block-quantised ONNX against ONNX's own reference, and the real nets against OpenCV."""

from __future__ import annotations

import hashlib

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from mien.errors import ConversionError
from mien.models.convert import CONVERTERS, converter
from mien.models.convert.blockquant import convert, convert_convolutional, dequantise


def quantised_net(*, bias_blocks=2, weights_as_inputs=False, activations=False):
    """Input -> Conv (weights in blocks, reshaped) -> Transpose -> Reshape to (1, -1, 4)."""
    random = np.random.default_rng(3)
    bias_length = 4
    tensors = {
        "w_q": random.integers(-128, 127, (4, 27), np.int8),
        "w_scale": random.random((4, 3), np.float32),
        "w_zero": random.integers(-5, 5, (4, 3), np.int8),
        "w_shape": np.array([4, 3, 3, 3], np.int64),
        "b_q": random.integers(-128, 127, bias_length, np.int8),
        "b_scale": random.random(bias_blocks, np.float32),
        "b_zero": random.integers(-5, 5, bias_blocks, np.int8),
        "out_shape": np.array([1, -1, 4], np.int64),
        "unused_shape": np.array([1], np.int64),
    }
    block = bias_length // bias_blocks
    nodes = [
        helper.make_node(
            "DequantizeLinear", ["w_q", "w_scale", "w_zero"], ["w_d"], axis=1, block_size=9
        ),
        helper.make_node("Reshape", ["w_d", "w_shape"], ["w"]),
        helper.make_node(
            "DequantizeLinear", ["b_q", "b_scale", "b_zero"], ["b"], axis=0, block_size=block
        ),
        helper.make_node("Conv", ["input", "w", "b"], ["conv"], pads=[1, 1, 1, 1]),
        helper.make_node("Transpose", ["conv"], ["nhwc"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["nhwc", "out_shape"], ["output"]),
    ]
    if activations:
        tensors |= {"a_scale": np.float32(0.1), "a_zero": np.int8(0)}
        nodes.insert(3, helper.make_node("QuantizeLinear", ["input", "a_scale", "a_zero"], ["aq"]))
        nodes.insert(4, helper.make_node("DequantizeLinear", ["aq", "a_scale", "a_zero"], ["ad"]))
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 6, 8])]
    if weights_as_inputs:
        inputs += [
            helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 3, 3, 3]),
            helper.make_tensor_value_info("w_q", TensorProto.INT8, [4, 27]),
            helper.make_tensor_value_info("old_name", TensorProto.FLOAT, [4]),
        ]
    graph = helper.make_graph(
        nodes,
        "quantised",
        inputs,
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 48, 4])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return model.SerializeToString()


def run(net, x):
    return ReferenceEvaluator(onnx.load_model_from_string(net)).run(None, {"input": x})[0]


@pytest.mark.parametrize("function", [convert, convert_convolutional])
@pytest.mark.parametrize("bias_blocks", [1, 2])
@pytest.mark.parametrize("weights_as_inputs", [False, True])
def test_it_computes_what_onnx_says(function, bias_blocks, weights_as_inputs):
    source = quantised_net(bias_blocks=bias_blocks, weights_as_inputs=weights_as_inputs)
    x = np.random.default_rng(0).random((1, 3, 6, 8), np.float32)
    expected = run(quantised_net(bias_blocks=bias_blocks), x)
    np.testing.assert_allclose(run(function(source), x), expected, rtol=1e-5, atol=1e-4)


def test_batch_and_size_are_free():
    random = np.random.default_rng(0)
    net = convert_convolutional(quantised_net())
    photos = random.random((3, 3, 4, 10), np.float32)
    answer = run(net, photos)
    assert answer.shape == (3, 40, 4)
    for photo, one in zip(photos, answer, strict=True):
        np.testing.assert_allclose(run(net, photo[None])[0], one, rtol=1e-5, atol=1e-4)
    assert run(convert(quantised_net()), random.random((2, 3, 6, 8), np.float32)).shape == (
        2,
        48,
        4,
    )


def test_nothing_unused_is_left():
    graph = onnx.load_model_from_string(convert(quantised_net(weights_as_inputs=True))).graph
    used = {name for node in graph.node for name in node.input}
    assert {tensor.name for tensor in graph.initializer} == {"w", "b", "out_shape"}
    assert {tensor.name for tensor in graph.initializer} <= used
    assert [value.name for value in graph.input] == ["input"]
    assert [node.op_type for node in graph.node] == ["Conv", "Transpose", "Reshape"]


def test_the_same_bytes_every_time():
    assert convert(quantised_net()) == convert(quantised_net())


@pytest.mark.parametrize("data", [b"", b"not onnx", quantised_net()[:-500]])
def test_what_is_not_onnx(data):
    with pytest.raises(ConversionError):
        convert(data)


def test_quantised_activations_are_refused():
    with pytest.raises(ConversionError, match="activations"):
        convert(quantised_net(activations=True))


@given(
    rows=st.integers(1, 5),
    columns=st.integers(1, 40),
    block=st.integers(1, 16),
    seed=st.integers(0, 2**32 - 1),
)
def test_blocks_of_any_size(rows, columns, block, seed):
    random = np.random.default_rng(seed)
    blocks = -(-columns // block)
    x = random.integers(-128, 127, (rows, columns), np.int8)
    scale = random.random((rows, blocks), np.float32)
    zero = random.integers(-128, 127, (rows, blocks), np.int8)
    answer = dequantise(x, scale, zero, axis=1, block_size=block)
    for row in range(rows):
        for column in range(columns):
            z, s = int(zero[row, column // block]), scale[row, column // block]
            assert answer[row, column] == np.float32(int(x[row, column]) - z) * s


def test_per_tensor_and_per_axis():
    x = np.arange(6, dtype=np.int8).reshape(2, 3)
    whole = dequantise(x, np.float32(2), None, axis=1, block_size=0)
    np.testing.assert_array_equal(whole, x * 2.0)
    scale = np.array([1, 2, 3], np.float32)
    by_column = dequantise(x, scale, np.ones(3, np.int8), axis=1, block_size=0)
    np.testing.assert_array_equal(by_column, (x - 1.0) * scale)


def test_converters_have_names_and_versions():
    assert all(one.version >= 1 for one in CONVERTERS.values())
    with pytest.raises(ConversionError, match="blockquant"):
        converter("nobody-has-it")


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        ("yunet", "cef439351def783c1d433fd71d2e4ea3a993eb5fe2852b68009cf8507119fc62"),
        ("sface", "54fbc08719fe592a59836607298d033767c1d10ef2de65da764fc0bbd4b7746b"),
    ],
)
def test_the_real_nets_convert_to_the_same_weights(models, name, sha256):
    card = models.card(name)
    graph = onnx.load_model_from_string(
        converter(card.converter)(models.source_path(card).read_bytes())
    ).graph
    digest = hashlib.sha256()
    for tensor in graph.initializer:
        digest.update(tensor.name.encode() + numpy_helper.to_array(tensor).tobytes())
    assert digest.hexdigest() == sha256


def test_sface_computes_what_opencv_computes(models):
    """OpenCV unpacks the blocks itself."""
    import cv2

    card = models.card("sface")
    theirs = cv2.dnn.readNetFromONNX(str(models.source_path(card)))
    crop = np.random.default_rng(0).integers(0, 256, (1, 3, 112, 112)).astype(np.float32)
    theirs.setInput(crop, "data")
    expected = theirs.forward().ravel()
    for runtime in ("onnxruntime", "openvino"):
        session = models.open(card, runtime=runtime, precision="float32")
        ours = session.run({"data": crop})["fc1"].ravel()
        np.testing.assert_allclose(ours, expected, atol=2e-3 * np.abs(expected).max())


def test_yunet_computes_what_opencv_computes(models):
    import cv2

    card = models.card("yunet")
    theirs = cv2.dnn.readNetFromONNX(str(models.source_path(card)))
    image = np.random.default_rng(0).integers(0, 256, (1, 3, 640, 640)).astype(np.float32)
    theirs.setInput(image)
    for runtime in ("onnxruntime", "openvino"):
        session = models.open(card, runtime=runtime, precision="float32")
        ours = session.run({"input": image})
        expected = dict(
            zip(session.output_names, theirs.forward(session.output_names), strict=True)
        )
        for name in session.output_names:
            np.testing.assert_allclose(ours[name].ravel(), expected[name].ravel(), atol=2e-3)
