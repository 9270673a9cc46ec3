"""RetinaFace with ResNet-50 from its Keras .h5 file to ONNX, without TensorFlow.

The published file holds weights alone. The graph is that of ``retinaface_model.build_model`` of
https://github.com/serengil/retinaface: a pre-activation ResNet-50 with a feature pyramid of three
levels, and at each level a context module and three heads. Layers have their names there; how wide
they are is read from the file.

Two things are written more simply than there, with the same result. The softmax over each anchor's
pair of logits is the sigmoid of their difference, which one convolution computes. Where a level
that is made twice as large would have to be cut, sides that are multiples of 32 need no cutting.
"""

# ruff: noqa: ANN401  (onnx has no types)
from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mien.errors import ConversionError
from mien.models.convert.keras_file import KerasFile

__all__ = ["convert"]

IR_VERSION = 8
OPSET = 13
EPSILON = 1.9999999494757503e-05
UNITS = (3, 4, 6, 3)
STRIDES = {"m3": 32, "m2": 16, "m1": 8}

Floats = NDArray[np.float32]


def convert(source: bytes) -> bytes:
    """An ONNX file that takes ``image`` (n, 3, H, W), RGB 0..255, sides multiples of 32.

    Its outputs, for the strides s of 32, 16 and 8: ``score_s`` (n, 2, h, w), a face's probability
    for the large and the small anchor; ``box_s`` (n, 8, h, w) and ``points_s`` (n, 20, h, w).

    Args:
        source: bytes of the .h5 file.

    Raises:
        ConversionError: not such a file.
    """
    try:
        graph = _Graph(KerasFile(source))
        model = graph.model(_outputs(graph))
        onnx.checker.check_model(model, full_check=True)
        result: bytes = model.SerializeToString(deterministic=True)
    except ConversionError:
        raise
    except Exception as error:  # h5py, numpy and onnx each have their own
        raise ConversionError(
            f"The weight file is not RetinaFace's Keras .h5 file ({type(error).__name__})."
        ) from error
    return result


def _outputs(graph: _Graph) -> list[str]:
    """The whole net; names of its outputs."""
    level_8, level_16, level_32 = _backbone(graph)
    level_32 = graph.conv_bn_relu("ssh_c3_lateral", level_32)
    found = _context("m3", graph, level_32)
    lateral = graph.conv_bn_relu("ssh_c2_lateral", level_16)
    larger = graph.node("Resize", [level_32, "", "twice"], "ssh_c3_up", **NEAREST)
    level_16 = graph.node("Add", [lateral, larger], "plus0_v2")
    level_16 = graph.conv_bn_relu("ssh_c2_aggr", level_16)
    found += _context("m2", graph, level_16)
    lateral = graph.conv_bn_relu("ssh_m1_red_conv", level_8)
    larger = graph.node("Resize", [level_16, "", "twice"], "ssh_m2_red_up", **NEAREST)
    level_8 = graph.node("Add", [lateral, larger], "plus1_v1")
    level_8 = graph.conv_bn_relu("ssh_c1_aggr", level_8)
    return found + _context("m1", graph, level_8)


NEAREST = {
    "mode": "nearest",
    "coordinate_transformation_mode": "asymmetric",
    "nearest_mode": "floor",
}


def _backbone(graph: _Graph) -> tuple[str, str, str]:
    """Features at the strides 8, 16 and 32."""
    value = graph.norm("bn_data", "image")
    value = graph.relu("relu0", graph.norm("bn0", graph.conv("conv0", value, stride=2)))
    # Nothing is below 0 here, so that it is the same whether 0 or nothing is around the image.
    value = graph.node(
        "MaxPool", [value], "pooling0", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]
    )
    levels = []
    for stage, units in enumerate(UNITS, 1):
        for unit in range(1, units + 1):
            name = f"stage{stage}_unit{unit}"
            stride = 2 if unit == 1 and stage > 1 else 1
            first = graph.relu(f"{name}_relu1", graph.norm(f"{name}_bn1", value))
            inner = graph.conv(f"{name}_conv1", first)
            inner = graph.relu(f"{name}_relu2", graph.norm(f"{name}_bn2", inner))
            if unit == 1:
                levels.append(inner)  # the level before: this unit has not halved it yet
                value = graph.conv(f"{name}_sc", first, stride=stride)
            inner = graph.conv(f"{name}_conv2", inner, stride=stride)
            inner = graph.relu(f"{name}_relu3", graph.norm(f"{name}_bn3", inner))
            value = graph.node("Add", [graph.conv(f"{name}_conv3", inner), value], name)
    return levels[2], levels[3], graph.relu("relu1", graph.norm("bn1", value))


def _context(level: str, graph: _Graph, value: str) -> list[str]:
    """The context module and the three heads of one level; names of the outputs."""
    name = f"ssh_{level}_det"
    plain = graph.conv_bn(f"{name}_conv1", value)
    context = graph.conv_bn_relu(f"{name}_context_conv1", value)
    near = graph.conv_bn(f"{name}_context_conv2", context)
    far = graph.conv_bn_relu(f"{name}_context_conv3_1", context)
    far = graph.conv_bn(f"{name}_context_conv3_2", far)
    value = graph.node("Concat", [plain, near, far], f"{name}_concat", axis=1)
    value = graph.relu(f"{name}_concat_relu", value)
    stride = STRIDES[level]
    kernel, bias = graph.arrays(f"face_rpn_cls_score_stride{stride}", 2)
    difference = graph.convolve(
        f"logit_{stride}", value, kernel[..., 2:] - kernel[..., :2], bias[2:] - bias[:2]
    )
    return [
        graph.node("Sigmoid", [difference], f"score_{stride}"),
        graph.conv(f"face_rpn_bbox_pred_stride{stride}", value, output=f"box_{stride}"),
        graph.conv(f"face_rpn_landmark_pred_stride{stride}", value, output=f"points_{stride}"),
    ]


def _output(name: str) -> Any:
    kind, stride = name.split("_")
    channels = {"score": 2, "box": 8, "points": 20}[kind]
    shape: list[str | int | None] = ["n", channels, f"h_{stride}", f"w_{stride}"]
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


class _Graph:
    """Nodes and constants, as they are added. Values are called like the layers of the file."""

    def __init__(self, file: KerasFile) -> None:
        self._file = file
        self._nodes: list[Any] = []
        self._tensors = {"twice": np.array([1, 1, 2, 2], np.float32)}

    def arrays(self, layer: str, count: int) -> list[Floats]:
        """The layer's arrays: kernel and bias, or gamma, beta, mean and variance."""
        arrays = self._file.arrays(layer)
        if len(arrays) != count:
            raise ConversionError(
                f"The weight file is not RetinaFace's: its layer {layer} has {len(arrays)} "
                f"arrays, not {count}."
            )
        return arrays

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node; the name of its value."""
        self._nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def relu(self, name: str, value: str) -> str:
        return self.node("Relu", [value], name)

    def norm(self, layer: str, value: str) -> str:
        names = []
        for part, array in zip(
            ("gamma", "beta", "mean", "var"), self.arrays(layer, 4), strict=True
        ):
            names.append(f"{layer}/{part}")
            self._tensors[names[-1]] = array
        return self.node("BatchNormalization", [value, *names], layer, epsilon=EPSILON)

    def conv(self, layer: str, value: str, *, stride: int = 1, output: str | None = None) -> str:
        """A convolution as the file has it: those of the backbone have no bias."""
        backbone = layer.startswith(("conv0", "stage"))
        kernel, *bias = self.arrays(layer, 1 if backbone else 2)
        return self.convolve(output or layer, value, kernel, *bias, stride=stride)

    def convolve(
        self, name: str, value: str, kernel: Floats, *bias: Floats, stride: int = 1
    ) -> str:
        """A convolution with zeros around, so that only ``stride`` makes the map smaller.

        Args:
            kernel: ``(height, width, in, out)``.
        """
        self._tensors[f"{name}/kernel"] = kernel.transpose(3, 2, 0, 1)
        inputs = [value, f"{name}/kernel"]
        if bias:
            self._tensors[f"{name}/bias"] = bias[0]
            inputs.append(f"{name}/bias")
        around = [kernel.shape[0] // 2, kernel.shape[1] // 2]
        return self.node("Conv", inputs, name, pads=around * 2, strides=[stride, stride])

    def conv_bn(self, layer: str, value: str) -> str:
        return self.norm(f"{layer}_bn", self.conv(layer, value))

    def conv_bn_relu(self, layer: str, value: str) -> str:
        return self.relu(f"{layer}_relu", self.conv_bn(layer, value))

    def model(self, outputs: list[str]) -> Any:
        """The ONNX model with these outputs."""
        graph = helper.make_graph(
            self._nodes,
            "retinaface",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])],
            [_output(name) for name in outputs],
            [
                numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name)
                for name, array in self._tensors.items()
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = IR_VERSION
        return model
