"""The three nets of MTCNN, from facenet-pytorch's checkpoints to ONNX.

Source: Zhang, Zhang, Li, Qiao, "Joint Face Detection and Alignment using Multi-task Cascaded
Convolutional Networks", IEEE SPL 23(10), 2016; reference implementation: the modules ``PNet``,
``RNet`` and ``ONet`` of facenet-pytorch (``models/mtcnn.py``).
"""

# ruff: noqa: ANN401  (onnx has no types)
from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mien.errors import ConversionError
from mien.models.convert.torch import read_tensors

__all__ = ["convert"]

OPSET = 17
IR_VERSION = 8

# Trunk: convolutions by name, pools as (kernel, stride); every one but a pool has its PReLU.
# Heads: output, layer. `side`: height and width of the map that the first dense layer takes.
_NETS: dict[str, dict[str, Any]] = {
    "pnet": {
        "trunk": ["conv1", (2, 2), "conv2", "conv3"],
        "heads": {"box": "conv4_2", "probability": "conv4_1"},
    },
    "rnet": {
        "trunk": ["conv1", (3, 2), "conv2", (3, 2), "conv3", "dense4"],
        "heads": {"box": "dense5_2", "probability": "dense5_1"},
        "input": 24,
        "side": 3,
    },
    "onet": {
        "trunk": ["conv1", (3, 2), "conv2", (3, 2), "conv3", (2, 2), "conv4", "dense5"],
        "heads": {"box": "dense6_2", "probability": "dense6_1", "points": "dense6_3"},
        "input": 48,
        "side": 3,
    },
}


def convert(source: bytes) -> bytes:
    """One of the nets, told from the others by its layers.

    Input ``image`` ``(n, 3, h, w)`` RGB, ``(pixel - 127.5) / 128``; h and w are free for PNet.
    Outputs ``box`` ``(n, 4, ...)``, ``probability`` ``(n, 2, ...)`` (of no face and a face) and,
    from ONet, ``points`` ``(n, 10)`` (five x, five y).

    Args:
        source: bytes of ``pnet.pt``, ``rnet.pt`` or ``onet.pt``.

    Raises:
        ConversionError: not a checkpoint of these nets.
    """
    tensors = read_tensors(source)
    for name, net in _NETS.items():
        layers = {*(x for x in net["trunk"] if isinstance(x, str)), *net["heads"].values()}
        weighted = {key.split(".")[0] for key in tensors if not key.startswith("prelu")}
        if layers == weighted:
            return _build(name, net, tensors)
    raise ConversionError("The checkpoint is of none of MTCNN's three nets.")


class _Graph:
    """Nodes and weights, each step from the output of the last."""

    def __init__(self, tensors: dict[str, NDArray[Any]]) -> None:
        self._tensors = tensors
        self.nodes: list[Any] = []
        self.weights: dict[str, NDArray[np.float32]] = {}

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def weight(self, name: str, value: NDArray[Any] | None = None) -> str:
        tensor = self._tensors[name] if value is None else value
        self.weights[name] = np.ascontiguousarray(tensor, np.float32)
        return name

    def layer(self, name: str, at: str, side: int, output: str | None = None) -> str:
        """A convolution or a dense layer, by its weight's rank; a dense one flattens a map.

        The reference flattens in the order (width, height, channel); here the columns are
        reordered instead.
        """
        kernel = self._tensors[f"{name}.weight"]
        bias = self.weight(f"{name}.bias")
        if kernel.ndim == 4:
            return self.add("Conv", [at, self.weight(f"{name}.weight"), bias], output or name)
        if not any(node.op_type == "Flatten" for node in self.nodes):
            kernel = kernel.reshape(len(kernel), side, side, -1).transpose(0, 3, 2, 1)
            kernel = kernel.reshape(len(kernel), -1)
            at = self.add("Flatten", [at], "flat")
        return self.add(
            "Gemm", [at, self.weight(f"{name}.weight", kernel), bias], output or name, transB=1
        )

    def prelu(self, layer: str, at: str) -> str:
        name = f"prelu{layer.removeprefix('conv').removeprefix('dense')}"
        slope = self._tensors[f"{name}.weight"]
        if layer.startswith("conv"):
            slope = slope.reshape(-1, 1, 1)
        return self.add("PRelu", [at, self.weight(f"{name}.weight", slope)], name)


def _build(name: str, net: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> bytes:
    graph = _Graph(tensors)
    at = "image"
    for step, layer in enumerate(net["trunk"]):
        if isinstance(layer, tuple):
            kernel, stride = [layer[0]] * 2, [layer[1]] * 2
            facts = {"kernel_shape": kernel, "strides": stride, "ceil_mode": 1}
            at = graph.add("MaxPool", [at], f"pool{step}", **facts)
        else:
            at = graph.prelu(layer, graph.layer(layer, at, net.get("side", 0)))
    outputs = []
    for output, layer in net["heads"].items():
        softmax = output == "probability"
        raw = graph.layer(layer, at, 0, "logit" if softmax else output)
        if softmax:
            graph.add("Softmax", [raw], output, axis=1)
        width = len(tensors[f"{layer}.bias"])
        free = [] if "side" in net else [f"{output}_h", f"{output}_w"]
        outputs.append(
            helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", width, *free])
        )
    size = [net["input"]] * 2 if "input" in net else ["h", "w"]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            name,
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, *size])],
            outputs,
            [numpy_helper.from_array(value, key) for key, value in graph.weights.items()],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))
