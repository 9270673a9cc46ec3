"""Caffe to ONNX, for single-shot detectors (SSD).

A ``.caffemodel`` is the trained net itself, layers and weights, so no ``.prototxt`` is needed. What
only training uses is left out; in place of the loss, the net gives what the loss compares:

* ``loc`` ``(n, p, 4)``: offsets of the p prior boxes,
* ``conf`` ``(n, p, c)``: probabilities of the c classes (softmax),
* ``prior`` ``(2, p, 4)``: the prior boxes ``x0, y0, x1, y1`` in units of the image, and the
  variances that the offsets are multiplied by.

Source: Jia et al. 2014, "Caffe: Convolutional Architecture for Fast Feature Embedding"; Liu et al.
2016, "SSD: Single Shot MultiBox Detector", https://arxiv.org/abs/1512.02325.
"""

# ruff: noqa: ANN401  (onnx has no types)
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mien.errors import ConversionError
from mien.models.convert.caffe_file import Fields, Layer, read_layers

__all__ = ["convert", "prior_boxes"]

OPSET, IR_VERSION = 13, 8

Size = tuple[int, int]


def convert(source: bytes) -> bytes:
    """A float32 ONNX file at the size that the net was trained with, of any batch size.

    Args:
        source: bytes of a ``.caffemodel``.

    Raises:
        ConversionError: not such a file, or a layer that is not known here.
    """
    graph = _Graph()
    for layer in read_layers(source):
        if layer.kind not in _LAYERS:
            raise ConversionError(f"The Caffe model has a layer {layer.kind}, which is not known.")
        try:
            _LAYERS[layer.kind](graph, layer)
        except (KeyError, ValueError, IndexError, TypeError) as error:
            raise ConversionError(f"The Caffe model's layer {layer.name} is malformed.") from error
    return graph.to_bytes()


class _Graph:
    """The ONNX graph that grows layer by layer.

    Attributes:
        values: the ONNX name of what each Caffe name holds now.
        sizes: height and width of those that are feature maps.
        priors: prior boxes and variances ``(2, p, 4)``, by Caffe name.
    """

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.values: dict[str, str] = {}
        self.sizes: dict[str, Size] = {}
        self.priors: dict[str, NDArray[np.float32]] = {}

    def weight(self, name: str, value: NDArray[Any]) -> str:
        """A constant, under a name that no input or output of the graph has."""
        name = f"net/{name}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """What ``operator`` gives, under a name that no input or output of the graph has."""
        output = f"net/{output}"
        self.nodes.append(helper.make_node(operator, inputs, [output], output, **attributes))
        return output

    def put(self, layer: Layer, operator: str, *weights: str, **attributes: Any) -> None:
        """The layer as one node: its bottoms and ``weights`` in, its top out, of the same size."""
        bottoms = [self.values[bottom] for bottom in layer.bottoms]
        self.values[layer.tops[0]] = self.node(
            operator, [*bottoms, *weights], layer.name, **attributes
        )
        if layer.bottoms[0] in self.sizes:
            self.sizes[layer.tops[0]] = self.sizes[layer.bottoms[0]]

    def output(self, value: str, name: str, shape: list[int | str]) -> None:
        self.nodes.append(helper.make_node("Identity", [value], [name], name))
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def to_bytes(self) -> bytes:
        if not self.inputs or not self.outputs:
            raise ConversionError("The Caffe model is not a single-shot detector.")
        graph = helper.make_graph(self.nodes, "caffe", self.inputs, self.outputs, self.weights)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        try:
            onnx.checker.check_model(model, full_check=True)
        except Exception as error:  # onnx has several
            raise ConversionError("The Caffe model's layers do not fit each other.") from error
        result: bytes = model.SerializeToString(deterministic=True)
        return result


def _data(graph: _Graph, layer: Layer) -> None:
    resize = layer.fields.message(100).message(8)  # transform_param.resize_param
    size = (resize.number(3, 0), resize.number(4, 0))
    if not all(size):
        raise ConversionError("The Caffe model does not say what image size it was trained with.")
    name = layer.tops[0]
    shape: list[int | str] = ["n", 3, *size]
    graph.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    graph.values[name], graph.sizes[name] = name, size


def _split(graph: _Graph, layer: Layer) -> None:
    (bottom,) = layer.bottoms
    for top in layer.tops:
        graph.values[top] = graph.values[bottom]
        if bottom in graph.sizes:
            graph.sizes[top] = graph.sizes[bottom]


def _convolution(graph: _Graph, layer: Layer) -> None:
    facts = layer.fields.message(106)
    kernel, group = facts.number(4, 0), facts.number(5, 1)
    pad, stride, dilation = facts.number(3, 0), facts.number(6, 1), facts.number(18, 1)
    height, width = graph.sizes[layer.bottoms[0]]
    weights = [graph.weight(f"{layer.name}.{i}", blob) for i, blob in enumerate(layer.blobs)]
    graph.put(
        layer,
        "Conv",
        *weights,
        kernel_shape=[kernel] * 2,
        group=group,
        pads=[pad] * 4,
        strides=[stride] * 2,
        dilations=[dilation] * 2,
    )
    reach = 2 * pad - dilation * (kernel - 1) - 1
    graph.sizes[layer.tops[0]] = ((height + reach) // stride + 1, (width + reach) // stride + 1)


def _pooling(graph: _Graph, layer: Layer) -> None:
    facts = layer.fields.message(121)
    kernel, stride, pad = facts.number(2, 0), facts.number(3, 1), facts.number(4, 0)
    if facts.number(1, 0) or pad:
        raise ConversionError("The Caffe model pools in a way that is not known.")
    height, width = graph.sizes[layer.bottoms[0]]
    graph.put(layer, "MaxPool", kernel_shape=[kernel] * 2, strides=[stride] * 2, ceil_mode=1)
    graph.sizes[layer.tops[0]] = (
        math.ceil((height - kernel) / stride) + 1,
        math.ceil((width - kernel) / stride) + 1,
    )


def _batch_norm(graph: _Graph, layer: Layer) -> None:
    mean, variance, count = layer.blobs
    factor = np.float32(0 if count[0] == 0 else 1 / count[0])
    parts = [np.ones_like(mean), np.zeros_like(mean), mean * factor, variance * factor]
    names = [graph.weight(f"{layer.name}.{i}", part) for i, part in enumerate(parts)]
    epsilon = next(iter(layer.fields.message(139).floats(3)), 1e-5)
    graph.put(layer, "BatchNormalization", *names, epsilon=epsilon)


def _scale(graph: _Graph, layer: Layer) -> None:
    for operator, blob in zip(("Mul", "Add"), layer.blobs, strict=False):
        name = f"{layer.name}.{operator.lower()}"
        value = [graph.values[layer.bottoms[0]], graph.weight(f"{name}.0", _by_channel(blob))]
        graph.values[layer.bottoms[0]] = graph.node(operator, value, name)
    _split(graph, layer)


def _normalise(graph: _Graph, layer: Layer) -> None:
    """Each pixel's channels to length 1, then by a factor a channel."""
    facts = layer.fields.message(206)
    if facts.number(1, 1):
        raise ConversionError("The Caffe model normalises in a way that is not known.")
    epsilon = np.array(next(iter(facts.floats(4)), 1e-10), np.float32)
    value, name = graph.values[layer.bottoms[0]], layer.name
    squares = graph.node("Mul", [value, value], f"{name}.squares")
    axes = graph.weight(f"{name}.axes", np.array([1], np.int64))
    total = graph.node("ReduceSum", [squares, axes], f"{name}.total", keepdims=1)
    above = graph.node("Add", [total, graph.weight(f"{name}.eps", epsilon)], f"{name}.above")
    length = graph.node("Sqrt", [above], f"{name}.length")
    unit = graph.node("Div", [value, length], f"{name}.unit")
    factor = graph.weight(f"{name}.0", _by_channel(layer.blobs[0]))
    graph.values[layer.tops[0]] = graph.node("Mul", [unit, factor], name)
    graph.sizes[layer.tops[0]] = graph.sizes[layer.bottoms[0]]


def _by_channel(blob: NDArray[np.float32]) -> NDArray[np.float32]:
    return blob.reshape(1, -1, 1, 1)


def _relu(graph: _Graph, layer: Layer) -> None:
    slope = next(iter(layer.fields.message(123).floats(1)), 0.0)
    if slope:
        graph.put(layer, "LeakyRelu", alpha=slope)
    else:
        graph.put(layer, "Relu")


def _eltwise(graph: _Graph, layer: Layer) -> None:
    facts = layer.fields.message(110)
    if facts.number(1, 1) != 1 or facts.floats(2) or len(layer.bottoms) != 2:
        raise ConversionError("The Caffe model combines layers in a way that is not known.")
    graph.put(layer, "Add")


def _permute(graph: _Graph, layer: Layer) -> None:
    graph.put(layer, "Transpose", perm=layer.fields.message(202).ints(1))


def _flatten(graph: _Graph, layer: Layer) -> None:
    graph.put(layer, "Flatten", axis=layer.fields.message(135).number(1, 1))


def _concat(graph: _Graph, layer: Layer) -> None:
    if layer.bottoms[0] in graph.priors:
        parts = [graph.priors[bottom] for bottom in layer.bottoms]
        graph.priors[layer.tops[0]] = np.concatenate(parts, axis=1)
    else:
        graph.put(layer, "Concat", axis=layer.fields.message(104).number(2, 1))


def _prior_box(graph: _Graph, layer: Layer) -> None:
    cells, image = (graph.sizes[bottom] for bottom in layer.bottoms)
    graph.priors[layer.tops[0]] = prior_boxes(layer.fields.message(203), cells, image)


def prior_boxes(facts: Fields, cells: Size, image: Size) -> NDArray[np.float32]:
    """``(2, p, 4)``: prior boxes in units of the image, row by row, and their variances.

    Args:
        facts: the layer's ``PriorBoxParameter``.
        cells: height and width of the feature map.
        image: height and width of the image, pixels.
    """
    shapes = []
    for index, least in enumerate(facts.floats(1)):
        shapes.append((least, least))
        if most := facts.floats(2):
            shapes.append((math.sqrt(least * most[index]),) * 2)
        for ratio in facts.floats(3):
            root = math.sqrt(ratio)
            shapes.append((least * root, least / root))
            if facts.number(4, 1):
                shapes.append((least / root, least * root))
    step = next(iter(facts.floats(10)), 0.0)
    offset = next(iter(facts.floats(13)), 0.5)
    steps = (step or image[0] / cells[0], step or image[1] / cells[1])
    y, x = np.mgrid[0 : cells[0], 0 : cells[1]]
    centre = np.column_stack([x.ravel() * steps[1], y.ravel() * steps[0]])
    centre += np.array([steps[1], steps[0]]) * offset
    half = np.array(shapes) / 2
    corners = np.concatenate([centre[:, None] - half, centre[:, None] + half], axis=2)
    boxes = corners.reshape(-1, 4) / np.tile([image[1], image[0]], 2)
    if facts.number(5, 0):
        boxes = boxes.clip(0, 1)
    variance = facts.floats(6)
    return np.stack([boxes, np.broadcast_to(variance, boxes.shape)]).astype(np.float32)


def _loss(graph: _Graph, layer: Layer) -> None:
    """In its place, what it compares."""
    loc, conf, prior, *_ = layer.bottoms
    boxes = graph.priors[prior]
    count, classes = boxes.shape[1], layer.fields.message(201).number(4, 2)
    for name, bottom, depth in (("loc", loc, 4), ("conf", conf, classes)):
        shape = graph.weight(f"{name}.shape", np.array([-1, count, depth], np.int64))
        value = graph.node("Reshape", [graph.values[bottom], shape], f"{name}.each")
        if name == "conf":
            value = graph.node("Softmax", [value], "conf.softmax", axis=2)
        graph.output(value, name, ["n", count, depth])
    graph.output(graph.weight("prior.boxes", boxes), "prior", [2, count, 4])


_LAYERS: dict[str, Callable[[_Graph, Layer], None]] = {
    "AnnotatedData": _data,
    "BatchNorm": _batch_norm,
    "Concat": _concat,
    "Convolution": _convolution,
    "Eltwise": _eltwise,
    "Flatten": _flatten,
    "MultiBoxLoss": _loss,
    "Normalize": _normalise,
    "Permute": _permute,
    "Pooling": _pooling,
    "PriorBox": _prior_box,
    "ReLU": _relu,
    "Scale": _scale,
    "Split": _split,
}
