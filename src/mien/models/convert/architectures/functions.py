"""What DeepFace's graphs write as Lambda layers, and locally connected layers, as ONNX nodes.

Source: ``tf.nn.lrn``, ``tf.math.l2_normalize`` and ``LocallyConnected2D`` of TensorFlow 2.12.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.models.convert.keras_layers import Arrays, Layer, Options, Piece

__all__ = ["FUNCTIONS"]

LRN_SIZE = 11
"""Channels that ``tf.nn.lrn`` looks at: five to each side."""

L2_EPSILON = 1e-12
HARD_SIGMOID_SLOPE = 0.2
"""Keras 2's, with which the published weights were trained; Keras 3 has 1/6."""


def _scale(name: str, options: Options, inputs: Sequence[str], _: Arrays) -> Piece:
    piece = Piece(inputs[0])
    factor = piece.constant(f"{name}/factor", np.array(options["factor"], np.float32))
    piece.add("Mul", [inputs[0], factor], name)
    return piece


def _square(name: str, _options: Options, inputs: Sequence[str], _: Arrays) -> Piece:
    piece = Piece(inputs[0])
    piece.add("Mul", [inputs[0], inputs[0]], name)
    return piece


def _root(name: str, _options: Options, inputs: Sequence[str], _: Arrays) -> Piece:
    piece = Piece(inputs[0])
    piece.add("Sqrt", inputs, name)
    return piece


def _local_response(name: str, options: Options, inputs: Sequence[str], _: Arrays) -> Piece:
    """TensorFlow sums over the neighbours where ONNX takes their mean."""
    piece = Piece(inputs[0])
    alpha = options["alpha"] * LRN_SIZE
    piece.add("LRN", inputs, name, alpha=alpha, beta=options["beta"], bias=1.0, size=LRN_SIZE)
    return piece


def _unit_length(name: str, _options: Options, inputs: Sequence[str], _: Arrays) -> Piece:
    piece = Piece(inputs[0])
    least = piece.constant(f"{name}/least", np.array(L2_EPSILON**0.5, np.float32))
    piece.add("ReduceL2", inputs, f"{name}/length", axes=[1], keepdims=1)
    piece.add("Max", [piece.output, least], f"{name}/at_least")
    piece.add("Div", [inputs[0], piece.output], name)
    return piece


def _hard_sigmoid(name: str, _options: Options, inputs: Sequence[str], _: Arrays) -> Piece:
    piece = Piece(inputs[0])
    piece.add("HardSigmoid", inputs, name, alpha=HARD_SIGMOID_SLOPE, beta=0.5)
    return piece


def _locally_connected(
    name: str, options: Options, inputs: Sequence[str], weights: Arrays
) -> Piece:
    """A convolution whose kernel is another at every place; valid padding, ReLU.

    Kernels are ``(places, height * width * in, out)``, the bias ``(rows, columns, out)``. A
    depthwise convolution with kernels of one 1 each lays every window out as channels; then each
    place is one matrix product.
    """
    kernels, bias = weights
    rows, columns, out = bias.shape
    height, width = options["kernel_size"]
    channels = kernels.shape[1] // (height * width)
    window = height * width
    ones = np.tile(np.eye(window, dtype=np.float32), (channels, 1))
    by_channel = kernels.reshape(-1, window, channels, out).transpose(0, 2, 1, 3)
    piece = Piece(inputs[0])
    pick = piece.constant(f"{name}/pick", ones.reshape(-1, 1, height, width))
    strides = list(options["strides"])
    piece.add("Conv", [inputs[0], pick], f"{name}/windows", group=channels, strides=strides)
    flat = piece.constant(f"{name}/flat", np.array([0, channels * window, -1], np.int64))
    piece.add("Reshape", [piece.output, flat], f"{name}/columns")
    piece.add("Transpose", [piece.output], f"{name}/places", perm=[2, 0, 1])
    kernel = by_channel.reshape(-1, channels * window, out)
    piece.add("MatMul", [piece.output, piece.constant(f"{name}/kernels", kernel)], f"{name}/sums")
    piece.add("Transpose", [piece.output], f"{name}/channels", perm=[1, 2, 0])
    shape = piece.constant(f"{name}/shape", np.array([0, out, rows, columns], np.int64))
    piece.add("Reshape", [piece.output, shape], f"{name}/image")
    offset = piece.constant(f"{name}/bias", bias.transpose(2, 0, 1)[None])
    piece.add("Add", [piece.output, offset], f"{name}/biased")
    piece.add("Relu", [piece.output], name)
    return piece


FUNCTIONS: dict[str, Layer] = {
    "HardSigmoid": _hard_sigmoid,
    "LocalResponse": _local_response,
    "LocallyConnected2D": _locally_connected,
    "Scale": _scale,
    "SquareRoot": _root,
    "Square": _square,
    "UnitLength": _unit_length,
}
