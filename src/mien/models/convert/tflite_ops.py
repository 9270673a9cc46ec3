"""TensorFlow Lite operators, each as the ONNX nodes that compute the same.

Numbers of operators and of option fields are those of ``tensorflow/lite/schema/schema.fbs``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mien.errors import ConversionError
from mien.models.convert.tflite_builder import FIRST, Builder
from mien.models.convert.tflite_file import Operator

__all__ = ["ABS", "ADD", "MUL", "OPERATORS", "PRELU", "RELU", "SUB"]

ADD, MUL, RELU, SUB, PRELU, ABS = 0, 18, 19, 41, 54, 101
SAME, VALID = 0, 1

Emit = Callable[[Builder, Operator], None]


def _convolution(order: tuple[int, int, int, int], *, depthwise: bool) -> Emit:
    """``order`` brings the weights to (out, in, height, width)."""
    shift = int(depthwise)  # DepthwiseConv2DOptions has one field more, the multiplier

    def emit(builder: Builder, operator: Operator) -> None:
        weight = builder.known(operator.inputs[1])
        if weight is None:
            raise ConversionError("A convolution with computed weights is not known here.")
        weight = weight.transpose(order)
        shape = builder.tensors[operator.inputs[0]].shape
        kernel, strides = weight.shape[2:], (operator.option(2), operator.option(1))
        dilations = [operator.option(f + shift, default=1) for f in (5, 4)]
        inputs = [builder.value(operator.inputs[0], channels_first=True), builder.constant(weight)]
        inputs += [builder.value(i) for i in operator.inputs[2:] if i >= 0]
        name = builder.node(
            "Conv",
            inputs,
            group=shape[3] // weight.shape[1],
            kernel_shape=kernel,
            strides=strides,
            dilations=dilations,
            pads=_pads(operator, shape, kernel, strides, dilations),
        )
        name = builder.activated(name, operator.option(3 + shift, "b"))
        builder.define(operator.outputs[0], name, channels_first=True)

    return emit


def _pads(
    operator: Operator,
    shape: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int] = (1, 1),
) -> list[int]:
    """ONNX padding ``[top, left, bottom, right]``; SAME puts the odd pixel at the end."""
    if operator.option(0, "b") == VALID:
        return [0, 0, 0, 0]
    begin, end = [], []
    for size, k, stride, dilation in zip(shape[1:3], kernel, strides, dilations, strict=True):
        total = max((-(-size // stride) - 1) * stride + (k - 1) * dilation + 1 - size, 0)
        begin.append(total // 2)
        end.append(total - total // 2)
    return begin + end


def _pool(kind: str) -> Emit:
    def emit(builder: Builder, operator: Operator) -> None:
        source = operator.inputs[0]
        kernel = (operator.option(4), operator.option(3))
        strides = (operator.option(2), operator.option(1))
        name = builder.node(
            kind,
            [builder.value(source, channels_first=True)],
            kernel_shape=kernel,
            strides=strides,
            pads=_pads(operator, builder.tensors[source].shape, kernel, strides),
        )
        name = builder.activated(name, operator.option(5, "b"))
        builder.define(operator.outputs[0], name, channels_first=True)

    return emit


def _elementwise(kind: str, *, activation: bool = False) -> Emit:
    """Any number of inputs that are broadcast; channels stay first where they are."""

    def emit(builder: Builder, operator: Operator) -> None:
        computed = [i for i in operator.inputs if builder.known(i) is None]
        first = any(builder.is_first(i) for i in computed) and all(
            len(builder.tensors[i].shape) == 4 for i in computed
        )
        inputs = [builder.value(i, channels_first=first) for i in operator.inputs]
        name = builder.node(kind, inputs)
        if activation:
            name = builder.activated(name, operator.option(0, "b"))
        builder.define(operator.outputs[0], name, channels_first=first)

    return emit


def _squared_difference(builder: Builder, operator: Operator) -> None:
    difference = builder.node("Sub", [builder.value(i) for i in operator.inputs])
    builder.define(operator.outputs[0], builder.node("Mul", [difference, difference]))


def _reciprocal_root(builder: Builder, operator: Operator) -> None:
    root = builder.node("Sqrt", [builder.value(operator.inputs[0])])
    builder.define(operator.outputs[0], builder.node("Reciprocal", [root]))


def _unpack(builder: Builder, operator: Operator) -> None:
    """DEQUANTIZE of float16 weights; ``known`` makes them float32."""
    value = builder.known(operator.inputs[0])
    if value is None or value.dtype != np.float32:
        raise ConversionError("Quantised activations and integer weights are not known here.")
    builder.define_constant(operator.outputs[0], value)


def _pad(builder: Builder, operator: Operator) -> None:
    pairs = np.array(builder.integers(operator.inputs[1])).reshape(-1, 2)
    first = builder.is_first(operator.inputs[0])
    if first:
        pairs = pairs[list(FIRST)]
    amounts = builder.constant(pairs.T.ravel().astype(np.int64))
    source = builder.value(operator.inputs[0], channels_first=first)
    builder.define(
        operator.outputs[0], builder.node("Pad", [source, amounts]), channels_first=first
    )


def _resize_bilinear(builder: Builder, operator: Operator) -> None:
    shape = builder.tensors[operator.inputs[0]].shape
    target = builder.integers(operator.inputs[1])
    scales = np.array([1, 1, target[0] / shape[1], target[1] / shape[2]], np.float32)
    if operator.option(2, "?", default=False):
        mode = "align_corners"
    else:
        half = operator.option(3, "?", default=False)
        mode = "half_pixel" if half else "asymmetric"
    name = builder.node(
        "Resize",
        [builder.value(operator.inputs[0], channels_first=True), "", builder.constant(scales)],
        mode="linear",
        coordinate_transformation_mode=mode,
    )
    builder.define(operator.outputs[0], name, channels_first=True)


def _reshape(builder: Builder, operator: Operator) -> None:
    """To the output's shape; 0 copies the batch size, so that it can be free."""
    shape = list(builder.tensors[operator.outputs[0]].shape)
    if shape[:1] == list(builder.tensors[operator.inputs[0]].shape[:1]):
        shape[0] = 0
    wanted = builder.constant(np.array(shape, np.int64))
    name = builder.node("Reshape", [builder.value(operator.inputs[0]), wanted])
    builder.define(operator.outputs[0], name)


def _transpose(builder: Builder, operator: Operator) -> None:
    order = builder.integers(operator.inputs[1])
    name = builder.node("Transpose", [builder.value(operator.inputs[0])], perm=order)
    builder.define(operator.outputs[0], name)


def _concatenate(builder: Builder, operator: Operator) -> None:
    axis = operator.option(0)
    name = builder.node("Concat", [builder.value(i) for i in operator.inputs], axis=axis)
    builder.define(operator.outputs[0], builder.activated(name, operator.option(1, "b")))


def _reduce(kind: str) -> Emit:
    def emit(builder: Builder, operator: Operator) -> None:
        source = builder.value(operator.inputs[0])
        axes = builder.integers(operator.inputs[1])
        keep = int(operator.option(0, "?", default=False))
        if kind == "ReduceSum":  # opset 13 takes its axes as an input, ReduceMean not yet
            wanted = builder.constant(np.array(axes, np.int64))
            name = builder.node(kind, [source, wanted], keepdims=keep)
        else:
            name = builder.node(kind, [source], axes=axes, keepdims=keep)
        builder.define(operator.outputs[0], name)

    return emit


def _strided_slice(builder: Builder, operator: Operator) -> None:
    begin, end, step = (builder.integers(i) for i in operator.inputs[1:4])
    masks = [operator.option(field) for field in range(5)]
    if masks[2] or masks[3] or any(s <= 0 for s in step):
        raise ConversionError("A slice with an ellipsis, new axes or backwards is not known here.")
    shape = builder.tensors[operator.inputs[0]].shape
    for axis, size in enumerate(shape):
        begin[axis] = 0 if masks[0] >> axis & 1 else begin[axis]
        end[axis] = size if masks[1] >> axis & 1 else end[axis]
        if masks[4] >> axis & 1:
            end[axis] = begin[axis] + 1 or size
    axes = list(range(len(shape)))
    limits = [builder.constant(np.array(v, np.int64)) for v in (begin, end, axes, step)]
    name = builder.node("Slice", [builder.value(operator.inputs[0]), *limits])
    dropped = [axis for axis in axes if masks[4] >> axis & 1]
    if dropped:
        name = builder.node("Squeeze", [name, builder.constant(np.array(dropped, np.int64))])
    builder.define(operator.outputs[0], name)


OPERATORS: dict[int, Emit] = {
    ADD: _elementwise("Add", activation=True),
    1: _pool("AveragePool"),
    2: _concatenate,
    3: _convolution((0, 3, 1, 2), depthwise=False),
    4: _convolution((3, 0, 1, 2), depthwise=True),
    6: _unpack,
    14: _elementwise("Sigmoid"),
    17: _pool("MaxPool"),
    MUL: _elementwise("Mul", activation=True),
    RELU: _elementwise("Relu"),
    22: _reshape,
    23: _resize_bilinear,
    34: _pad,
    39: _transpose,
    40: _reduce("ReduceMean"),
    SUB: _elementwise("Sub", activation=True),
    42: _elementwise("Div", activation=True),
    45: _strided_slice,
    PRELU: _elementwise("PRelu"),
    59: _elementwise("Neg"),
    74: _reduce("ReduceSum"),
    75: _elementwise("Sqrt"),
    76: _reciprocal_root,
    99: _squared_difference,
    ABS: _elementwise("Abs"),
}
