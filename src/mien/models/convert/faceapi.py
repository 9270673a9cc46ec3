"""face-api's expression net and its net of 68 landmarks to ONNX.

face-api publishes weights without a graph: a manifest (JSON: name, shape and 8-bit quantisation of
each tensor) and the numbers. The graph is written down here from its source. Both nets are four
dense blocks of separable convolutions, the mean over 7 x 7, and one layer: of seven scores, or of
68 x 2 coordinates.

Source: ``denseBlock4``, ``FaceFeatureExtractor.ts`` and ``FaceProcessor.ts`` of justadudewhohacks'
face-api.js, as in the package ``@vladmandic/face-api`` 1.7.15. Quantisation: TensorFlow.js'
``value = byte * scale + min``.
"""

# ruff: noqa: ANN401  (onnx has no types)
from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mien.errors import ConversionError

__all__ = ["convert_expression", "convert_landmarks"]

SIDE = 112
CLASSES = 7
COORDINATES = 136
BLOCKS = 4
OPSET = 13
IR_VERSION = 8

Tensors = dict[str, NDArray[np.float32]]


def convert_expression(source: bytes, manifest: bytes) -> bytes:
    """The net with input ``(n, 3, 112, 112)``, normalised RGB, and output ``(n, 7)``, softmax.

    Args:
        source: ``face_expression_model.bin``.
        manifest: ``face_expression_model-weights_manifest.json``.

    Raises:
        ConversionError: not those files.
    """
    return _converted(source, manifest, outputs=CLASSES, softmax=True, what="expression net")


def convert_landmarks(source: bytes, manifest: bytes) -> bytes:
    """The net with input ``(n, 3, 112, 112)``, normalised RGB, and output ``(n, 136)``.

    The output is x and y of each point, as shares of the square's side.

    Args:
        source: ``face_landmark_68_model.bin``.
        manifest: ``face_landmark_68_model-weights_manifest.json``.

    Raises:
        ConversionError: not those files.
    """
    return _converted(source, manifest, outputs=COORDINATES, softmax=False, what="landmark net")


def _converted(source: bytes, manifest: bytes, *, outputs: int, softmax: bool, what: str) -> bytes:
    try:
        tensors = read_weights(source, manifest)
        if tensors["fc/bias"].shape != (outputs,):
            raise ConversionError(f"The weight file is not face-api's {what}.")
        model = _build(tensors, outputs=outputs, softmax=softmax)
        onnx.checker.check_model(model, full_check=True)
        result: bytes = model.SerializeToString(deterministic=True)
    except ConversionError:
        raise
    except Exception as error:  # json, numpy and onnx each have their own
        raise ConversionError(
            f"The weight file is not face-api's {what} ({type(error).__name__})."
        ) from error
    return result


def read_weights(source: bytes, manifest: bytes) -> Tensors:
    """The tensors of a TensorFlow.js weights manifest, as float32 in their own layout.

    Raises:
        ConversionError: another length than the manifest says, or another kind of number.
    """
    tensors: Tensors = {}
    position = 0
    for weight in (weight for group in json.loads(manifest) for weight in group["weights"]):
        how = weight.get("quantization")
        kind = how["dtype"] if how else weight["dtype"]
        if kind not in ("uint8", "float32"):
            raise ConversionError(f"Weights of type {kind} are not known to this version.")
        count = math.prod(weight["shape"])
        dtype = np.dtype(kind).newbyteorder("<")
        values = np.frombuffer(source, dtype, count, position).astype(np.float32)
        position += count * dtype.itemsize
        if how:
            values = values * np.float32(how["scale"]) + np.float32(how["min"])
        tensors[weight["name"]] = values.reshape(weight["shape"])
    if position != len(source):
        raise ConversionError("The weight file is not as long as its manifest says.")
    return tensors


class _Graph:
    """Nodes and constants in the making; every method gives the name of its value."""

    def __init__(self, tensors: Tensors) -> None:
        self.tensors = tensors
        self.nodes: list[Any] = []
        self.constants: Tensors = {}

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        output = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(self, name: str, value: NDArray[np.float32]) -> str:
        self.constants[name] = np.ascontiguousarray(value)
        return name

    def convolution(self, value: str, name: str, *, stride: int) -> str:
        """Plain, or depthwise and pointwise; padded as TensorFlow's ``same``."""
        bias = self.constant(f"{name}/bias", self.tensors[f"{name}/bias"])
        same = {"auto_pad": "SAME_UPPER", "strides": [stride, stride]}
        if f"{name}/filters" in self.tensors:
            kernel = self.tensors[f"{name}/filters"].transpose(3, 2, 0, 1)
            return self.node("Conv", value, self.constant(name, kernel), bias, **same)
        depthwise = self.tensors[f"{name}/depthwise_filter"].transpose(2, 3, 0, 1)
        pointwise = self.tensors[f"{name}/pointwise_filter"].transpose(3, 2, 0, 1)
        inside = self.constant(f"{name}/depthwise", depthwise)
        value = self.node("Conv", value, inside, group=len(depthwise), **same)
        return self.node("Conv", value, self.constant(f"{name}/pointwise", pointwise), bias)

    def block(self, value: str, name: str) -> str:
        """Every convolution takes the sum of all before it."""
        total = self.node("Relu", self.convolution(value, f"{name}/conv0", stride=2))
        summed = total
        for index in (1, 2, 3):
            made = self.convolution(summed, f"{name}/conv{index}", stride=1)
            total = self.node("Add", total, made)
            summed = self.node("Relu", total)
        return summed


def _build(tensors: Tensors, *, outputs: int, softmax: bool) -> Any:
    graph = _Graph(tensors)
    value = "input"
    for index in range(BLOCKS):
        value = graph.block(value, f"dense{index}")
    value = graph.node("ReduceMean", value, axes=[2, 3], keepdims=0)
    weights = graph.constant("fc/weights", tensors["fc/weights"])
    value = graph.node("MatMul", value, weights)
    bias = graph.constant("fc/bias", tensors["fc/bias"])
    if softmax:
        value = graph.node("Add", value, bias)
        graph.nodes.append(helper.make_node("Softmax", [value], ["output"], axis=1))
    else:
        graph.nodes.append(helper.make_node("Add", [value, bias], ["output"]))
    made = helper.make_graph(
        graph.nodes,
        "face-api expression" if softmax else "face-api landmarks",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", outputs])],
        [numpy_helper.from_array(tensor, name) for name, tensor in graph.constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    return model
