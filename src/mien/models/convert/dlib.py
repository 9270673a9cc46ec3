"""dlib's nets (``.dat``) to ONNX: the face recogniser ResNet-29 and the MMOD face detector.

The input is RGB 0..255; the mean colour is taken off and the rest divided by 256 inside the net.
Affine layers (batch normalisation that no longer learns) are folded into their convolutions.

Source: the nets' definitions in dlib's ``examples/dnn_face_recognition_ex.cpp`` and
``examples/dnn_mmod_face_detection_ex.cpp``; King, "Max-Margin Object Detection", arXiv:1502.00046.
"""

# ruff: noqa: ANN401  (onnx has no types)
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mien.errors import ConversionError
from mien.models.convert.dlib_file import DlibNet, Layer, read_net

__all__ = ["convert_detector", "convert_recogniser"]

OPSET = 17
IR_VERSION = 8
SIDE = 150  # of the recogniser's crop, pixels
BORDER = 11  # of mean colour around every image that the detector sees, pixels

Shape = tuple[int | str, int, int | str, int | str]


def convert_recogniser(source: bytes) -> bytes:
    """The recogniser as ONNX: ``image (n, 3, 150, 150)`` to ``embedding (n, 128)``.

    Args:
        source: bytes of ``dlib_face_recognition_resnet_model_v1.dat``.

    Raises:
        ConversionError: not a net that dlib trained with ``loss_metric``.
    """
    return _convert(
        source,
        loss="loss_metric_2",
        inputs=("n", 3, SIDE, SIDE),
        output=helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 128]),
    )


def convert_detector(source: bytes) -> bytes:
    """The detector as ONNX: ``image (n, 3, h, w)`` to ``score (n, 1, rows, columns)``.

    A score above 0 is a face in the 80 x 80 window around the place in the image that the cell
    looks at (see :mod:`mien.detect.dlib_cnn`).

    Args:
        source: bytes of ``mmod_human_face_detector.dat``.

    Raises:
        ConversionError: not a net that dlib trained with ``loss_mmod``.
    """
    cells: list[str | int | None] = ["n", 1, "rows", "columns"]
    return _convert(
        source,
        loss="loss_mmod_",
        inputs=("n", 3, "h", "w"),
        output=helper.make_tensor_value_info("score", TensorProto.FLOAT, cells),
        border=BORDER,
    )


def _convert(source: bytes, *, loss: str, inputs: Shape, output: Any, border: int = 0) -> bytes:
    try:
        net = read_net(source)
        if net.loss != loss:
            raise ConversionError(f"The weight file was trained with {net.loss!r}, not {loss!r}.")
        graph = _Graph(inputs)
        graph.normalise(net)
        if border:
            graph.pad_border(border)
        return graph.build(net, output)
    except ConversionError:
        raise
    except Exception as error:  # numpy and onnx each have their own
        raise ConversionError(
            f"The weight file is not a net of dlib's ({type(error).__name__})."
        ) from error


@dataclass
class _Graph:
    """An ONNX graph that grows at its end."""

    shape: Shape
    nodes: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)
    last: str = "image"

    def __post_init__(self) -> None:
        self._first = self.shape
        self._tag: tuple[str, Shape] | None = None
        self._branch: tuple[str, Shape] | None = None

    def normalise(self, net: DlibNet) -> None:
        mean = np.array(net.mean, np.float32).reshape(1, 3, 1, 1)
        self._node("Sub", [self._constant("mean", mean)])
        self._node("Mul", [self._constant("scale", np.array(1 / 256, np.float32))])

    def pad_border(self, pixels: int) -> None:
        pads = np.array([0, 0, pixels, pixels, 0, 0, pixels, pixels], np.int64)
        self._node("Pad", [self._constant("border", pads)])

    def build(self, net: DlibNet, output: Any) -> bytes:
        """Append the layers; the bytes of the model."""
        layers = _folded(net.layers)
        for index, layer in enumerate(layers):
            before = layers[index - 1].kind if index else ""
            after = layers[index + 1].kind if index + 1 < len(layers) else ""
            self._append(layer, before=before, after=after)
        self.nodes[-1].output[0] = output.name
        graph = helper.make_graph(
            self.nodes,
            net.loss,
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, list(self._first))],
            [output],
            self.weights,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
        )
        onnx.checker.check_model(model, full_check=True)
        result: bytes = model.SerializeToString(deterministic=True)
        return result

    def _append(self, layer: Layer, *, before: str, after: str) -> None:
        match layer.kind:
            case "con":
                assert layer.weight is not None
                assert layer.bias is not None
                weights = [self._constant("w", layer.weight), self._constant("b", layer.bias)]
                self._window("Conv", layer, weights, int(layer.weight.shape[0]))
            case "relu":
                self._node("Relu")
            case "max_pool":
                self._window("MaxPool", layer, [], self.shape[1])
            case "avg_pool" if layer.size == (0, 0):
                self._node("GlobalAveragePool")
                self._node("Flatten")
            case "avg_pool":
                self._window("AveragePool", layer, [], self.shape[1])
            case "mark":
                self._mark(before=before, after=after)
            case "add_prev":
                self._add()
            case "fc":
                assert layer.weight is not None
                self._node("MatMul", [self._constant("w", layer.weight)])
            case _:
                raise ConversionError(f"The weight file has a {layer.kind} layer out of its place.")

    def _mark(self, *, before: str, after: str) -> None:
        """A tag where a block begins; two marks: a tag at its end and a skip back."""
        if after == "mark":  # remember the block's output ...
            self._branch = (self.last, self.shape)
        elif before == "mark":  # ... and go on from its input
            if self._tag is None:
                raise ConversionError("The weight file skips to a tag that it does not have.")
            self.last, self.shape = self._tag
        else:
            self._tag = (self.last, self.shape)

    def _add(self) -> None:
        """The sum of two images; the smaller is filled with zeros at its right and lower end."""
        other, self._branch = self._branch or self._tag, None
        if other is None:
            raise ConversionError("The weight file adds a tag that it does not have.")
        shapes = [self.shape, other[1]]
        if not all(isinstance(side, int) for shape in shapes for side in shape[1:]):
            raise ConversionError("The weight file adds images of unknown size.")
        channels, rows, columns = (max(int(s[axis]) for s in shapes) for axis in (1, 2, 3))
        name = self._filled(other, channels, rows, columns)
        self.last = self._filled((self.last, self.shape), channels, rows, columns)
        self._node("Add", [name])
        self.shape = (self.shape[0], channels, rows, columns)

    def _filled(
        self, image: tuple[str, Shape], channels: int, rows: int, columns: int
    ) -> str:  # fmt: skip
        name, shape = image
        missing = [channels - shape[1], rows - int(shape[2]), columns - int(shape[3])]
        if not any(missing):
            return name
        pads = self._constant("fill", np.array([0, 0, 0, 0, 0, *missing], np.int64))
        output = f"filled_{len(self.nodes)}"
        self.nodes.append(helper.make_node("Pad", [name, pads], [output]))
        return output

    def _window(self, kind: str, layer: Layer, weights: list[str], channels: int) -> None:
        """A layer that slides a window over the image."""
        rows, columns = layer.padding
        self._node(
            kind,
            weights,
            kernel_shape=list(layer.size),
            strides=list(layer.stride),
            pads=[rows, columns, rows, columns],
        )
        sides = [
            1 + (side + 2 * padding - size) // stride if isinstance(side, int) else side
            for side, padding, size, stride in zip(
                self.shape[2:], layer.padding, layer.size, layer.stride, strict=True
            )
        ]
        self.shape = (self.shape[0], channels, sides[0], sides[1])

    def _node(self, kind: str, more: list[str] | None = None, **attributes: Any) -> None:
        output = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(kind, [self.last, *(more or [])], [output], **attributes)
        )
        self.last = output

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        name = f"{name}_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name


def _folded(layers: list[Layer]) -> list[Layer]:
    """The layers with each affine layer folded into the convolution before it."""
    answer: list[Layer] = []
    for layer in layers:
        if layer.kind != "affine":
            answer.append(layer)
            continue
        if not answer or answer[-1].kind != "con":
            raise ConversionError("The weight file has an affine layer without a convolution.")
        answer[-1] = _scaled(answer[-1], layer)
    return answer


def _scaled(convolution: Layer, affine: Layer) -> Layer:
    assert convolution.weight is not None
    assert convolution.bias is not None
    assert affine.weight is not None
    assert affine.bias is not None
    gamma = affine.weight.astype(np.float64)
    weight = convolution.weight * gamma[:, None, None, None]
    bias = convolution.bias * gamma + affine.bias
    return Layer(
        "con",
        weight.astype(np.float32),
        bias.astype(np.float32),
        size=convolution.size,
        stride=convolution.stride,
        padding=convolution.padding,
    )
