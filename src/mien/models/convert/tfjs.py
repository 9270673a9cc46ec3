"""TensorFlow.js graph models to ONNX.

TensorFlow keeps channels last, ONNX first. Every map of the net (a tensor of rank four) is kept
channels first all the way, so constants and axes are turned here and no Transpose is left inside;
a net that takes an image ``(n, h, w, 3)`` is fed ``(n, 3, h, w)``. Its outputs are as published.
"""

# ruff: noqa: ANN401  (onnx has no types)
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mien.errors import ConversionError
from mien.models.convert.tfjs_file import Graph, Node, read_graph

__all__ = ["convert"]

OPSET = 17
IR_VERSION = 8

_AXES = (0, 2, 3, 1)  # where a channels-last axis is in a channels-first tensor
_FIRST = (0, 3, 1, 2)

_UNARY = {"Relu": "Relu", "Sigmoid": "Sigmoid", "Tanh": "Tanh"}
_BINARY = {
    "Add": "Add",
    "AddV2": "Add",
    "BiasAdd": "Add",
    "Sub": "Sub",
    "Mul": "Mul",
    "RealDiv": "Div",
    "Minimum": "Min",
    "Maximum": "Max",
}


def convert(weights: bytes, document: bytes) -> bytes:
    """A float32 ONNX file whose batch size is free.

    Args:
        weights: the ``.bin`` file.
        document: the ``model.json`` file beside it.

    Raises:
        ConversionError: not a graph model, or one with operations that are not known here.
    """
    graph = read_graph(document, weights)
    net = _Net(graph)
    for node in graph.nodes:
        net.add(node)
    return net.to_onnx()


class _Net:
    """The ONNX graph as it grows; tensors keep their TensorFlow names."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._nodes: list[Any] = []
        self._weights: dict[str, NDArray[Any]] = {}
        self._maps = {port.name for port in graph.inputs if len(port.shape) == 4}
        self._alias: dict[str, str] = {}
        self._at_least: dict[str, float] = {}  # smallest value that a tensor can have

    # ------------------------------------------------------------------ one node

    def add(self, node: Node) -> None:
        """Translate one node.

        Raises:
            ConversionError: it cannot be.
        """
        if node.op in _BINARY:
            self._binary(node)
        elif node.op in _UNARY:
            self._step(_UNARY[node.op], [self._tensor(node.inputs[0])], node.name)
            if node.op == "Relu":
                self._at_least[node.name] = 0.0
            self._keep_layout(node)
        elif handler := _HANDLERS.get(node.op):
            handler(self, node)
        else:
            raise ConversionError(f"The net has an operation that is not known here: {node.op}.")

    def _step(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self._nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))

    def _tensor(self, name: str) -> str:
        """What a tensor is called in ONNX; a constant is stored as it is."""
        if name in self._graph.constants:
            return self._weight(name, self._graph.constants[name])
        return self._alias.get(name, name)

    def _weight(self, name: str, value: NDArray[Any], layout: str = "") -> str:
        key = f"{name}/{layout}" if layout else name
        self._weights[key] = np.ascontiguousarray(value)
        return key

    def _constant(self, name: str) -> NDArray[Any]:
        if name not in self._graph.constants:
            raise ConversionError(f"The net computes {name}, which is known here as a constant.")
        return self._graph.constants[name]

    def _keep_layout(self, node: Node) -> None:
        if not self._maps.isdisjoint(node.inputs):
            self._maps.add(node.name)

    def _binary(self, node: Node) -> None:
        constants = [name for name in node.inputs if name in self._graph.constants]
        if node.op in ("Minimum", "Maximum") and len(constants) == 1:
            limit = self._constant(constants[0])
            if limit.size == 1:
                (name,) = [name for name in node.inputs if name not in constants]
                self._limit(node, name, float(limit.reshape(())))
                return
        self._keep_layout(node)
        inputs = [self._operand(name, as_map=node.name in self._maps) for name in node.inputs]
        self._step(_BINARY[node.op], inputs, node.name)

    def _operand(self, name: str, *, as_map: bool) -> str:
        if not as_map or name in self._maps:
            return self._tensor(name)
        value = self._constant(name)
        if value.ndim == 4:
            return self._weight(name, value.transpose(_FIRST), "first")
        if value.size == 1:
            return self._tensor(name)
        if value.ndim != 1:
            raise ConversionError(f"The net adds {name} of rank {value.ndim} to a map.")
        return self._weight(name, value.reshape(-1, 1, 1), "channels")

    def _limit(self, node: Node, name: str, limit: float) -> None:
        """A minimum or maximum with a number; none where it changes nothing (relu6 in steps)."""
        lower = self._at_least.get(self._alias.get(name, name), -np.inf)
        self._maps |= {node.name} if name in self._maps else set()
        if node.op == "Maximum" and limit <= lower:
            self._alias[node.name] = self._tensor(name)
            return
        number = self._weight(f"{node.name}/limit", np.array(limit, np.float32))
        bounds = ["", number] if node.op == "Minimum" else [number]
        self._step("Clip", [self._tensor(name), *bounds], node.name)
        self._at_least[node.name] = min(lower, limit) if node.op == "Minimum" else max(lower, limit)

    # ------------------------------------------------------------------ operations

    def convolution(self, node: Node) -> None:
        """Conv2D and its depthwise and fused forms."""
        if node.inputs[0] not in self._maps or node.attributes.get("data_format") != "NHWC":
            raise ConversionError(f"The net's convolution {node.name} has another layout.")
        kernel = self._constant(node.inputs[1])
        facts = _window(node)
        if "epthwise" in node.op:
            channels = kernel.shape[2]
            kernel = kernel.transpose(2, 3, 0, 1).reshape(-1, 1, *kernel.shape[:2])
            facts["group"] = channels
        else:
            kernel = kernel.transpose(3, 2, 0, 1)
        facts["dilations"] = node.attributes.get("dilations", [1] * 4)[1:3]
        weight = self._weight(node.inputs[1], kernel, "kernel")
        self._fused(node, "Conv", [self._tensor(node.inputs[0]), weight], facts)
        self._maps.add(node.name)

    def product(self, node: Node) -> None:
        """MatMul and its fused form."""
        if node.attributes.get("transpose_a") or node.inputs[0] in self._maps:
            raise ConversionError(f"The net's product {node.name} has a turned first factor.")
        facts = {"transB": int(bool(node.attributes.get("transpose_b")))}
        self._fused(node, "Gemm", [self._tensor(name) for name in node.inputs[:2]], facts)

    def _fused(self, node: Node, kind: str, inputs: list[str], facts: dict[str, Any]) -> None:
        """A convolution or product, the bias and the activation that may be fused to it."""
        steps = list(node.attributes.get("fused_ops", []))
        if steps[:1] == ["BiasAdd"]:
            inputs = [*inputs, self._tensor(node.inputs[2])]
            steps = steps[1:]
        if not steps:
            self._step(kind, inputs, node.name, **facts)
            return
        if len(steps) > 1 or steps[0] not in (*_UNARY, "Relu6"):
            raise ConversionError(f"The net's {node.name} has {steps} fused to it.")
        self._step(kind, inputs, f"{node.name}/before", **facts)
        self._activation(steps[0], f"{node.name}/before", node.name)

    def _activation(self, kind: str, before: str, name: str) -> None:
        if kind != "Relu6":
            self._step(_UNARY[kind], [before], name)
            return
        bounds = [self._weight(f"limit/{n}", np.array(n, np.float32)) for n in (0, 6)]
        self._step("Clip", [before, *bounds], name)

    def relu6(self, node: Node) -> None:
        """Relu6."""
        self._activation("Relu6", self._tensor(node.inputs[0]), node.name)
        self._keep_layout(node)

    def softmax(self, node: Node) -> None:
        """Softmax over the last axis."""
        axis = 1 if node.inputs[0] in self._maps else -1
        self._step("Softmax", [self._tensor(node.inputs[0])], node.name, axis=axis)
        self._keep_layout(node)

    def pool(self, node: Node) -> None:
        """MaxPool and AvgPool; padding counts in neither."""
        facts = _window(node)
        facts["kernel_shape"] = node.attributes["ksize"][1:3]
        kind = "MaxPool" if node.op == "MaxPool" else "AveragePool"
        self._step(kind, [self._tensor(node.inputs[0])], node.name, **facts)
        self._maps.add(node.name)

    def mean(self, node: Node) -> None:
        """Mean over some axes."""
        keep = bool(node.attributes.get("keep_dims"))
        axes = [int(axis) for axis in self._constant(node.inputs[1]).ravel()]
        if node.inputs[0] in self._maps:
            axes = sorted(axis % 4 for axis in axes)
            if not keep and axes != [1, 2]:
                raise ConversionError(f"The net's mean {node.name} is not over a whole map.")
            axes = [_AXES[axis] for axis in axes]
            self._maps |= {node.name} if keep else set()
        self._step(
            "ReduceMean", [self._tensor(node.inputs[0])], node.name, axes=axes, keepdims=int(keep)
        )

    def reshape(self, node: Node) -> None:
        """Reshape to a constant shape that is not a map."""
        shape = self._constant(node.inputs[1]).astype(np.int64)
        if len(shape) == 4:
            raise ConversionError(f"The net's {node.name} makes a map of something else.")
        at = self._tensor(node.inputs[0])
        if node.inputs[0] in self._maps:
            self._step("Transpose", [at], f"{node.name}/last", perm=_AXES)
            at = f"{node.name}/last"
        self._step("Reshape", [at, self._weight(f"{node.name}/shape", shape)], node.name)

    def identity(self, node: Node) -> None:
        """Identity."""
        self._alias[node.name] = self._tensor(node.inputs[0])
        self._keep_layout(node)

    # ------------------------------------------------------------------ the file

    def to_onnx(self) -> bytes:
        """The file's bytes."""
        outputs = [self._output(name) for name in self._graph.outputs]
        inputs = []
        for port in self._graph.inputs:
            sides = [n if n > 0 else f"side{i}" for i, n in enumerate(port.shape[1:])]
            shape: list[Any] = ["n", *sides]
            shape = [shape[i] for i in _FIRST] if len(shape) == 4 else shape
            inputs.append(helper.make_tensor_value_info(port.name, TensorProto.FLOAT, shape))
        used = {name for node in self._nodes for name in node.input}
        model = helper.make_model(
            helper.make_graph(
                self._nodes,
                "tfjs",
                inputs,
                outputs,
                [numpy_helper.from_array(w, n) for n, w in self._weights.items() if n in used],
            ),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
        )
        try:
            model = onnx.shape_inference.infer_shapes(model, strict_mode=True)  # of the outputs
            del model.graph.value_info[:]
            onnx.checker.check_model(model, full_check=True)
        except Exception as error:  # onnx has several of its own
            raise ConversionError(
                f"The net could not be put together again ({type(error).__name__})."
            ) from error
        return bytes(model.SerializeToString(deterministic=True))

    def _output(self, name: str) -> Any:
        """An output under its published name and layout."""
        at = self._tensor(name)
        if name in self._maps:
            at = self._rename(at, f"{name}/first") if at == name else at
            self._step("Transpose", [at], name, perm=_AXES)
        elif at != name:
            self._step("Identity", [at], name)
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)

    def _rename(self, old: str, new: str) -> str:
        for node in self._nodes:
            node.name = new if node.name == old else node.name
            for names in (node.input, node.output):
                names[:] = [new if name == old else name for name in names]
        return new


def _window(node: Node) -> dict[str, Any]:
    """Strides and padding of a convolution or pool."""
    padding = {"SAME": "SAME_UPPER", "VALID": "VALID"}.get(node.attributes["padding"])
    if padding is None:
        raise ConversionError(f"The net's {node.name} is padded in a way not known here.")
    return {"strides": node.attributes["strides"][1:3], "auto_pad": padding}


_HANDLERS: Mapping[str, Callable[[_Net, Node], None]] = {
    "AvgPool": _Net.pool,
    "Conv2D": _Net.convolution,
    "DepthwiseConv2dNative": _Net.convolution,
    "FusedDepthwiseConv2dNative": _Net.convolution,
    "Identity": _Net.identity,
    "MatMul": _Net.product,
    "MaxPool": _Net.pool,
    "Mean": _Net.mean,
    "Relu6": _Net.relu6,
    "Reshape": _Net.reshape,
    "Softmax": _Net.softmax,
    "_FusedConv2D": _Net.convolution,
    "_FusedMatMul": _Net.product,
}
