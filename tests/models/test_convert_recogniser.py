"""Published ONNX recognition nets: one name for the image, any number of images."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from mien.errors import ConversionError
from mien.models.convert import converter

convert = converter("recogniser")


def net(nodes, constants, batch=1, image="input.1", vector="683", dims=("d",), extra=()):
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(image, TensorProto.FLOAT, [batch, 3, 4, 4])],
        [helper.make_tensor_value_info(vector, TensorProto.FLOAT, [batch, *dims]), *extra],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return model.SerializeToString()


def flattening(batch=1, first=1, **options):
    nodes = [
        helper.make_node("Reshape", [options.get("image", "input.1"), "shape"], ["image"]),
        helper.make_node("Mul", ["image", "two"], [options.get("vector", "683")]),
    ]
    constants = {"shape": np.array([first, 48], np.int64), "two": np.float32(2)}
    return net(nodes, constants, batch, **options)


def run(made, images):
    session = ort.InferenceSession(made, providers=["CPUExecutionProvider"])
    assert [value.name for value in session.get_inputs()] == ["image"]
    assert [value.name for value in session.get_outputs()] == ["embedding"]
    return session.run(None, {"image": images})[0]


@pytest.mark.parametrize(("batch", "first"), [(1, 1), ("batch_size", -1), ("None", -1)])
def test_any_number_of_images(batch, first):
    """Also where an inner value is called ``image`` already."""
    images = np.random.default_rng(0).normal(size=(3, 3, 4, 4)).astype(np.float32)
    made = convert(flattening(batch, first))
    np.testing.assert_allclose(run(made, images), 2 * images.reshape(3, 48))
    assert convert(flattening(batch, first)) == made


def test_a_net_with_our_names_and_a_second_output():
    extra = [helper.make_tensor_value_info("norm", TensorProto.FLOAT, [1, 1])]
    nodes = [
        helper.make_node("Flatten", ["image"], ["embedding"], axis=1),
        helper.make_node("ReduceL2", ["embedding"], ["norm"], axes=[1]),
    ]
    images = np.ones((2, 3, 4, 4), np.float32)
    made = convert(net(nodes, {}, 1, image="image", vector="embedding", extra=extra))
    np.testing.assert_array_equal(run(made, images), 1)


def test_a_net_for_one_image_only_is_refused():
    nodes = [
        helper.make_node("Reshape", ["input.1", "shape"], ["flat"]),
        helper.make_node("Identity", ["flat"], ["683"]),
    ]
    source = net(nodes, {"shape": np.array([48], np.int64)}, 1, dims=("d",))
    with pytest.raises(ConversionError):
        convert(source)


def test_a_net_that_mixes_images_is_refused():
    nodes = [
        helper.make_node("Flatten", ["input.1"], ["flat"], axis=1),
        helper.make_node("ReduceMax", ["flat"], ["most"], axes=[0], keepdims=1),
        helper.make_node("Add", ["flat", "most"], ["683"]),
    ]
    with pytest.raises(ConversionError, match="other vectors"):
        convert(net(nodes, {}))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"", "not have one image|not an ONNX"),
        (b"<html>Not Found</html>", "not an ONNX"),
        (flattening(4, 4), "4 images at once"),
        (net([helper.make_node("Identity", ["input.1"], ["683"])], {}, dims=(3, 4, 4)), "vector"),
    ],
)
def test_what_is_no_recognition_net_is_refused(source, message):
    with pytest.raises(ConversionError, match=message):
        convert(source)


def test_a_torn_file_is_refused():
    source = flattening()
    for size in (len(source) - 5, len(source) // 2):
        with pytest.raises(ConversionError):
            convert(source[:size])


def test_the_file_is_onnx():
    onnx.checker.check_model(onnx.load_model_from_string(convert(flattening())), full_check=True)
