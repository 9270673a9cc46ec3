"""ONNX of a fixed size, freed; ONNX inside Python source."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from mien.errors import ConversionError
from mien.models.convert import convolutional, literal


def net(*operators, weights_as_inputs=True):
    """A 3 x 3 convolution with stride 2 for images of 8 x 8, and then ``operators``."""
    nodes = [helper.make_node("Conv", ["x", "w"], ["v0"], pads=[1, 1, 1, 1], strides=[2, 2])]
    for place, operator in enumerate(operators):
        nodes.append(helper.make_node(operator, [f"v{place}"], [f"v{place + 1}"]))
    weight = np.random.default_rng(0).standard_normal((5, 3, 3, 3), np.float32)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 3, 8, 8])]
    if weights_as_inputs:
        inputs.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [5, 3, 3, 3]))
    output = helper.make_tensor_value_info(f"v{len(operators)}", TensorProto.FLOAT, [4, 5, 4, 4])
    graph = helper.make_graph(
        nodes, "net", inputs, [output], [numpy_helper.from_array(weight, "w")]
    )
    version = 3 if weights_as_inputs else 4
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=version)
    return model.SerializeToString()


def run(source, x):
    return ReferenceEvaluator(onnx.load_model_from_string(source)).run(None, {"x": x})[0]


def test_any_size_and_the_same_numbers():
    freed = convolutional.convert(net("Relu"))
    x = np.random.default_rng(1).standard_normal((2, 3, 16, 24), np.float32)
    whole = run(freed, x)
    assert whole.shape == (2, 5, 8, 12)
    fixed = run(net("Relu"), x[:, :, :8, :8])
    np.testing.assert_allclose(whole[:, :, :3, :3], fixed[:, :, :3, :3], rtol=1e-5, atol=1e-5)


def test_declared_sizes_are_free_and_weights_are_no_inputs():
    graph = onnx.load_model_from_string(convolutional.convert(net())).graph
    assert [value.name for value in graph.input] == ["x"]
    for value in (graph.input[0], graph.output[0]):
        sizes = [d.dim_value for d in value.type.tensor_type.shape.dim]
        assert [bool(size) for size in sizes] == [False, True, False, False]


def test_the_same_bytes_every_time():
    assert convolutional.convert(net()) == convolutional.convert(net())


@pytest.mark.parametrize("source", [b"", b"no net", net()[:-50], net("Flatten"), net("Shape")])
def test_what_cannot_be_freed(source):
    with pytest.raises(ConversionError):
        convolutional.convert(source)


def test_bytes_in_python_source_are_taken_out_as_they_are():
    onnx_file = net(weights_as_inputs=False)
    assert literal.convert(b"VERSION = 1\nWEIGHTS = " + repr(onnx_file).encode()) == onnx_file


def test_python_source_is_not_run(tmp_path):
    trace = tmp_path / "ran"
    onnx_file = net(weights_as_inputs=False)
    source = f"import pathlib\npathlib.Path({str(trace)!r}).touch()\nWEIGHTS = {onnx_file!r}"
    assert literal.convert(source.encode()) == onnx_file
    assert not trace.exists()


@pytest.mark.parametrize(
    "source",
    [b"", b"WEIGHTS =", b"WEIGHTS = 'text'", b"A = b'1'\nB = b'2'", b"W = b'no net'", b"\0"],
)
def test_source_without_a_net(source):
    with pytest.raises(ConversionError):
        literal.convert(source)
