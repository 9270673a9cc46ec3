"""A published detector's image gets the name that its card gives."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from mien.errors import ConversionError
from mien.models.convert.detector import convert, convert_any_size


def net(image="input.1", inputs=1, middle="sum", size=("h", "w")):
    shape = [1, 3, *size]
    graph = helper.make_graph(
        [
            helper.make_node("Add", [image, image], [middle]),
            helper.make_node("Mul", [middle, image], ["product"]),
        ],
        "net",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name in [image, "other"][:inputs]
        ],
        [helper.make_tensor_value_info("product", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


@pytest.mark.parametrize("image", ["input.1", "images", "image"])
def test_the_image_is_called_image_and_the_net_is_the_same(image):
    made = convert(net(image))
    session = onnxruntime.InferenceSession(made, providers=["CPUExecutionProvider"])
    assert [value.name for value in session.get_inputs()] == ["image"]
    pixels = np.random.default_rng(0).random((1, 3, 4, 5), np.float32)
    (found,) = session.run(None, {"image": pixels})
    np.testing.assert_allclose(found, 2 * pixels**2, rtol=1e-6)
    assert made == convert(net(image))


def test_another_value_of_that_name_is_not_overwritten():
    with pytest.raises(ConversionError, match="something else"):
        convert(net(middle="image"))


def test_two_images_are_refused():
    with pytest.raises(ConversionError, match="one image"):
        convert(net(inputs=2))


@pytest.mark.parametrize("wrong", [b"", b"no ONNX", net()[:-20]])
def test_other_files_are_refused(wrong):
    with pytest.raises(ConversionError):
        convert(wrong)


def test_the_file_is_sound():
    onnx.checker.check_model(onnx.load_model_from_string(convert(net())), full_check=True)


def test_a_net_of_one_size_is_refused_where_any_is_wanted():
    assert convert_any_size(net()) == convert(net())
    assert convert_any_size(net(size=(None, None)))
    for size in ((640, 640), (640, "w")):
        assert convert(net(size=size))
        with pytest.raises(ConversionError, match="pixels only"):
            convert_any_size(net(size=size))
