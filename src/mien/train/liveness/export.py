"""Export: both trunks as one ONNX file, normalisation folded into the convolutions before it."""

# ruff: noqa: ANN401  (onnx and torch have no types here)
# mypy: disable-error-code="misc,no-untyped-call,no-any-return"
from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mien.liveness.student import SIDE
from mien.train.liveness.net import BLOCKS, DOWN, MULTIPLE, Block, Bottleneck, Gate, Trunk

__all__ = ["export"]

OPSET = 17
IR_VERSION = 8
SMALL = 1024
"""Weights of fewer numbers keep their 32 bits."""

Array = NDArray[np.float32]


def export(trunks: dict[str, Trunk]) -> bytes:
    """One net: an input for each trunk, ``belief`` (n, 3) out: the mean of their softmaxes.

    Args:
        trunks: by the name of their input.
    """
    graph = _Graph()
    beliefs = [graph.trunk(name, trunk.eval()) for name, trunk in trunks.items()]
    graph.add("Sum", beliefs, "sum")
    share = graph.weight("share", np.array([1 / len(beliefs)], np.float32))
    graph.add("Mul", ["sum", share], "belief")
    image: list[str | int | None] = ["n", 3, SIDE, SIDE]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, image) for name in trunks]
    output = helper.make_tensor_value_info("belief", TensorProto.FLOAT, ["n", 3])
    nodes, weights = _halved(graph.weights)
    made = helper.make_graph([*nodes, *graph.nodes], "student", inputs, [output], weights)
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(made, opset_imports=opset, ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _halved(weights: dict[str, Array]) -> tuple[list[Any], list[Any]]:
    """Large weights in 16 bits, and the nodes that widen them, which runtimes do at loading."""
    nodes, kept = [], []
    for name, value in weights.items():
        if value.size < SMALL:
            kept.append(numpy_helper.from_array(value, name))
        else:
            kept.append(numpy_helper.from_array(value.astype(np.float16), f"{name}.16"))
            nodes.append(helper.make_node("Cast", [f"{name}.16"], [name], to=TensorProto.FLOAT))
    return nodes, kept


class _Graph:
    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: dict[str, Array] = {}

    def add(self, kind: str, inputs: list[str], output: str, **facts: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], **facts))
        return output

    def weight(self, name: str, value: Array) -> str:
        self.weights[name] = np.ascontiguousarray(value, np.float32)
        return name

    def trunk(self, at: str, trunk: Trunk) -> str:
        """One trunk; the name of its softmax."""
        prefix = at
        for name in ("conv1", "conv2_dw"):
            at = self.block(f"{prefix}.{name}", at, getattr(trunk, name))
        for stage in BLOCKS:
            at = self.bottleneck(f"{prefix}.{DOWN[stage]}", at, getattr(trunk, DOWN[stage]))
            for index, block in enumerate(getattr(trunk, stage).model):
                at = self.bottleneck(f"{prefix}.{stage}.{index}", at, block)
        at = self.block(f"{prefix}.conv_6_sep", at, trunk.conv_6_sep)
        at = self.block(f"{prefix}.conv_6_dw", at, trunk.conv_6_dw)
        at = self.add("Flatten", [at], f"{prefix}.flat")
        inputs = [
            at,
            self.weight(f"{prefix}.dense", _array(trunk.head.weight)),
            self.weight(f"{prefix}.bias", _array(trunk.head.bias)),
        ]
        at = self.add("Gemm", inputs, f"{prefix}.logit", transB=1)
        return self.add("Softmax", [at], f"{prefix}.belief", axis=-1)

    def bottleneck(self, name: str, at: str, block: Bottleneck) -> str:
        more = -block.conv.conv.out_channels % MULTIPLE
        out = self.block(f"{name}.conv", at, block.conv, grown=(more, 0))
        out = self.block(f"{name}.dw", out, block.conv_dw, grown=(more, 0))
        out = self.block(f"{name}.project", out, block.project, grown=(0, more))
        if block.se_module is not None:
            out = self.gate(f"{name}.se", out, block.se_module)
        return self.add("Add", [at, out], f"{name}.sum") if block.residual else out

    def block(self, name: str, at: str, block: Block, *, grown: tuple[int, int] = (0, 0)) -> str:
        """A convolution and its slope; ``grown``: channels of zeros more, going out and in."""
        conv = block.conv
        out, into = grown
        facts = {
            "group": conv.groups + out if conv.groups > 1 else 1,
            "strides": list(conv.stride),
            "pads": [*conv.padding, *conv.padding],
        }
        kernel, bias = self.folded(name, conv, block.bn)
        sides = ((0, out), (0, into), (0, 0), (0, 0))
        self.weights[kernel] = np.pad(self.weights[kernel], sides)
        self.weights[bias] = np.pad(self.weights[bias], (0, out))
        at = self.add("Conv", [at, kernel, bias], name, **facts)
        if block.slope is None:
            return at
        return self.add("LeakyRelu", [at], f"{name}.slope", alpha=block.slope)

    def gate(self, name: str, at: str, gate: Gate) -> str:
        inner = self.add("GlobalAveragePool", [at], f"{name}.mean")
        inner = self.add(
            "Conv", [inner, *self.folded(f"{name}.1", gate.fc1, gate.bn1)], f"{name}.1"
        )
        inner = self.add("Relu", [inner], f"{name}.relu")
        inner = self.add(
            "Conv", [inner, *self.folded(f"{name}.2", gate.fc2, gate.bn2)], f"{name}.2"
        )
        inner = self.add("Sigmoid", [inner], f"{name}.gate")
        return self.add("Mul", [at, inner], f"{name}.out")

    def folded(self, name: str, conv: Any, norm: Any) -> list[str]:
        """Kernel and bias with the normalisation in them."""
        scale, shift = _affine(norm)
        kernel = _array(conv.weight) * scale[:, None, None, None]
        return [self.weight(f"{name}.kernel", kernel), self.weight(f"{name}.bias", shift)]


def _affine(norm: Any) -> tuple[Array, Array]:
    """A normalisation as ``x * scale + shift``."""
    scale = _array(norm.weight) / np.sqrt(_array(norm.running_var) + norm.eps)
    return scale, _array(norm.bias) - _array(norm.running_mean) * scale


def _array(tensor: Any) -> Array:
    return np.asarray(tensor.detach().numpy(), np.float32)
