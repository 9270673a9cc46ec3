"""The Keras layers that are known, each as a few ONNX nodes, channels first."""

# ruff: noqa: ANN401  (onnx has no types)
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from mien.errors import ConversionError

__all__ = ["LAYERS", "Arrays", "Layer", "Options", "Piece"]

Arrays = Sequence[NDArray[np.float32]]
Options = Mapping[str, Any]

ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "softmax": "Softmax"}


@dataclass(slots=True)
class Piece:
    """Part of a graph.

    Attributes:
        output: name of the value that the layer gives.
        nodes: in the order of computing.
        tensors: constants by name.
    """

    output: str
    nodes: list[Any] = field(default_factory=list)
    tensors: dict[str, NDArray[Any]] = field(default_factory=dict)

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        """Append a node; its value is the piece's output from now on."""
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        self.output = output

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Keep a constant; its name."""
        self.tensors[name] = value
        return name


Layer = Callable[[str, Options, Sequence[str], Arrays], Piece]


def _activate(piece: Piece, name: str, activation: str) -> Piece:
    if activation == "linear":
        return piece
    if activation not in ACTIVATIONS:
        raise ConversionError(f"The activation {activation} is not known to this version.")
    extra = {"axis": 1} if activation == "softmax" else {}  # channels, in two axes and in four
    piece.add(ACTIVATIONS[activation], [piece.output], f"{name}/{activation}", **extra)
    return piece


def _window(options: Options, size: Sequence[int]) -> dict[str, Any]:
    """Kernel, strides and padding of a convolution or a pooling."""
    strides = options.get("strides") or size
    padding = {"same": "SAME_UPPER", "valid": "VALID"}[options["padding"]]
    return {"kernel_shape": list(size), "strides": list(strides), "auto_pad": padding}


def _convolve(
    piece: Piece, name: str, options: Options, kernel: NDArray[np.float32], **attributes: Any
) -> None:
    """``kernel`` is ``(out, in, height, width)``."""
    if options.get("data_format", "channels_last") != "channels_last":
        raise ConversionError(f"The layer {name} is channels-first, which is not known.")
    attributes |= _window(options, kernel.shape[2:])
    weight = piece.constant(f"{name}/kernel", kernel)
    dilations = list(options.get("dilation_rate", (1, 1)))
    piece.add("Conv", [piece.output, weight], f"{name}/conv", dilations=dilations, **attributes)


def _finish(piece: Piece, name: str, options: Options, rest: Arrays) -> Piece:
    """The bias, if there is one, and the activation."""
    if options["use_bias"]:
        bias = piece.constant(f"{name}/bias", rest[0].reshape(1, -1, 1, 1))
        piece.add("Add", [piece.output, bias], f"{name}/biased")
    return _activate(piece, name, options["activation"])


def _per_channel(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Depthwise ``(height, width, in, multiplier)`` as ``(in * multiplier, 1, height, width)``."""
    height, width, channels, multiplier = kernel.shape
    return kernel.transpose(2, 3, 0, 1).reshape(channels * multiplier, 1, height, width)


def _conv(name: str, options: Options, inputs: Sequence[str], weights: Arrays) -> Piece:
    piece = Piece(inputs[0])
    _convolve(piece, name, options, weights[0].transpose(3, 2, 0, 1))
    return _finish(piece, name, options, weights[1:])


def _depthwise(name: str, options: Options, inputs: Sequence[str], weights: Arrays) -> Piece:
    piece = Piece(inputs[0])
    _convolve(piece, name, options, _per_channel(weights[0]), group=weights[0].shape[2])
    return _finish(piece, name, options, weights[1:])


def _separable(name: str, options: Options, inputs: Sequence[str], weights: Arrays) -> Piece:
    piece = Piece(inputs[0])
    depthwise, pointwise = weights[0], weights[1]
    _convolve(piece, f"{name}/depth", options, _per_channel(depthwise), group=depthwise.shape[2])
    flat = {"padding": "valid", "strides": (1, 1)}
    _convolve(piece, name, flat, pointwise.transpose(3, 2, 0, 1))
    return _finish(piece, name, options, weights[2:])


def _normalise(name: str, options: Options, inputs: Sequence[str], weights: Arrays) -> Piece:
    """Batch normalisation; gamma and beta are left out of the file where they are not used."""
    left = list(weights)
    mean, variance = left[-2], left[-1]
    gamma = left.pop(0) if options["scale"] else np.ones_like(mean)
    beta = left.pop(0) if options["center"] else np.zeros_like(mean)
    parts = {"gamma": gamma, "beta": beta, "mean": mean, "variance": variance}
    piece = Piece(inputs[0])
    names = [piece.constant(f"{name}/{part}", value) for part, value in parts.items()]
    piece.add("BatchNormalization", [inputs[0], *names], name, epsilon=options["epsilon"])
    return piece


def _relu(name: str, options: Options, inputs: Sequence[str], _: Arrays) -> Piece:
    if options.get("negative_slope") or options.get("threshold"):
        raise ConversionError(f"The layer {name} is a leaky or thresholded ReLU: not known.")
    piece = Piece(inputs[0])
    if options.get("max_value") is None:
        piece.add("Relu", inputs, name)
        return piece
    low = piece.constant(f"{name}/low", np.array(0, np.float32))
    high = piece.constant(f"{name}/high", np.array(options["max_value"], np.float32))
    piece.add("Clip", [inputs[0], low, high], name)
    return piece


def _activation(name: str, options: Options, inputs: Sequence[str], _: Arrays) -> Piece:
    return _activate(Piece(inputs[0]), name, options["activation"])


def _pad(name: str, options: Options, inputs: Sequence[str], _: Arrays) -> Piece:
    (top, bottom), (left, right) = options["padding"]
    piece = Piece(inputs[0])
    amounts = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
    piece.add("Pad", [inputs[0], piece.constant(f"{name}/pads", amounts)], name)
    return piece


def _max_pool(name: str, options: Options, inputs: Sequence[str], _: Arrays) -> Piece:
    piece = Piece(inputs[0])
    piece.add("MaxPool", inputs, name, **_window(options, options["pool_size"]))
    return piece


def _average_pool(name: str, options: Options, inputs: Sequence[str], _: Arrays) -> Piece:
    piece = Piece(inputs[0])
    piece.add("AveragePool", inputs, name, **_window(options, options["pool_size"]))
    return piece


def _global_average(name: str, options: Options, inputs: Sequence[str], _: Arrays) -> Piece:
    piece = Piece(inputs[0])
    piece.add("ReduceMean", inputs, name, axes=[2, 3], keepdims=int(options.get("keepdims", False)))
    return piece


def _flatten(name: str, _options: Options, inputs: Sequence[str], _: Arrays) -> Piece:
    """In Keras's order: channels last."""
    piece = Piece(inputs[0])
    piece.add("Transpose", inputs, f"{name}/last", perm=[0, 2, 3, 1])
    piece.add("Flatten", [piece.output], name, axis=1)
    return piece


def _dense(name: str, options: Options, inputs: Sequence[str], weights: Arrays) -> Piece:
    piece = Piece(inputs[0])
    piece.add("MatMul", [inputs[0], piece.constant(f"{name}/kernel", weights[0])], f"{name}/matmul")
    if options["use_bias"]:
        bias = piece.constant(f"{name}/bias", weights[1])
        piece.add("Add", [piece.output, bias], f"{name}/biased")
    return _activate(piece, name, options["activation"])


def _add(name: str, _options: Options, inputs: Sequence[str], _: Arrays) -> Piece:
    piece = Piece(inputs[0])
    for index, other in enumerate(inputs[1:], 1):
        piece.add(
            "Add", [piece.output, other], name if index == len(inputs) - 1 else f"{name}/{index}"
        )
    return piece


def _multiply(name: str, _options: Options, inputs: Sequence[str], _: Arrays) -> Piece:
    piece = Piece(inputs[0])
    piece.add("Mul", inputs, name)  # of two: ONNX takes no more
    return piece


def _concatenate(name: str, options: Options, inputs: Sequence[str], _: Arrays) -> Piece:
    if options["axis"] not in (3, -1):
        raise ConversionError(f"The layer {name} does not join channels, which is not known.")
    piece = Piece(inputs[0])
    piece.add("Concat", inputs, name, axis=1)
    return piece


def _prelu(name: str, options: Options, inputs: Sequence[str], weights: Arrays) -> Piece:
    if list(options["shared_axes"] or ()) != [1, 2]:
        raise ConversionError(f"The layer {name} has a slope a pixel, which is not known.")
    piece = Piece(inputs[0])
    slope = piece.constant(f"{name}/slope", weights[0].reshape(-1, 1, 1))
    piece.add("PRelu", [inputs[0], slope], name)
    return piece


def _reshape(name: str, options: Options, inputs: Sequence[str], _: Arrays) -> Piece:
    """A vector as the channels of one pixel, as squeeze-and-excitation does."""
    shape = list(options["target_shape"])
    if len(shape) != 3 or shape[:2] != [1, 1]:
        raise ConversionError(f"The layer {name} reshapes to {shape}, which is not known.")
    piece = Piece(inputs[0])
    sizes = piece.constant(f"{name}/shape", np.array([0, -1, 1, 1], np.int64))
    piece.add("Reshape", [inputs[0], sizes], name)
    return piece


def _nothing(_name: str, _options: Options, inputs: Sequence[str], _: Arrays) -> Piece:
    """Dropout does nothing when the net is used."""
    return Piece(inputs[0])


LAYERS: dict[str, Layer] = {
    "Activation": _activation,
    "Add": _add,
    "AveragePooling2D": _average_pool,
    "BatchNormalization": _normalise,
    "Concatenate": _concatenate,
    "Conv2D": _conv,
    "Dense": _dense,
    "DepthwiseConv2D": _depthwise,
    "Dropout": _nothing,
    "Flatten": _flatten,
    "GlobalAveragePooling2D": _global_average,
    "MaxPooling2D": _max_pool,
    "Multiply": _multiply,
    "PReLU": _prelu,
    "ReLU": _relu,
    "Reshape": _reshape,
    "SeparableConv2D": _separable,
    "ZeroPadding2D": _pad,
}
