"""The ONNX net while it is made from a TensorFlow Lite graph: names, layouts, constants."""

# ruff: noqa: ANN401  (onnx has no types)
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from mien.errors import ConversionError
from mien.models.convert.tflite_file import Tensor

__all__ = ["Builder"]

FIRST = (0, 3, 1, 2)  # channels last to channels first
LAST = (0, 2, 3, 1)
ACTIVATIONS = {1: "Relu", 4: "Tanh"}
RELU6 = 3


class Builder:
    """The ONNX net while it is made.

    Args:
        tensors: edges of the TensorFlow Lite graph; operators speak of them by index.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.tensors = tensors
        self.nodes: list[Any] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self._known = {i: t.value for i, t in enumerate(tensors) if t.value is not None}
        self._names: dict[tuple[int, bool], str] = {}

    def known(self, index: int) -> NDArray[Any] | None:
        """The constant at ``index``, float32 where it is a fraction; None: it is computed."""
        value = self._known.get(index)
        if value is not None and value.dtype.kind == "f":
            return value.astype(np.float32)
        return value

    def integers(self, index: int) -> list[int]:
        """The constant at ``index`` as integers.

        Raises:
            ConversionError: it is computed by the net.
        """
        value = self.known(index)
        if value is None:
            raise ConversionError("The net computes shapes while it runs; that is not known here.")
        return [int(v) for v in value.ravel()]

    def define(self, index: int, name: str, *, channels_first: bool = False) -> None:
        """Say what the tensor is called in ONNX, and in which layout."""
        self._names[index, channels_first] = name

    def define_constant(self, index: int, value: NDArray[Any]) -> None:
        """Say that an operator's output does not depend on the input."""
        self._known[index] = value

    def is_first(self, index: int) -> bool:
        """Whether the tensor is there with its channels first."""
        return (index, True) in self._names

    def value(self, index: int, *, channels_first: bool = False) -> str:
        """The tensor's name in a layout; a Transpose or a constant is made where it is needed."""
        key = (index, channels_first)
        if key not in self._names:
            constant = self.known(index)
            if constant is not None:
                if channels_first:
                    shape = (1,) * (4 - constant.ndim) + constant.shape
                    constant = constant.reshape(shape).transpose(FIRST)
                self._names[key] = self.constant(constant)
            else:
                other = self._names[index, not channels_first]
                order = FIRST if channels_first else LAST
                self._names[key] = self.node("Transpose", [other], perm=order)
        return self._names[key]

    def constant(self, value: NDArray[Any]) -> str:
        """The name of a new constant."""
        name = f"c{len(self.constants)}"
        self.constants[name] = np.ascontiguousarray(value)
        return name

    def node(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """The name of a new node's output."""
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def activated(self, name: str, activation: int) -> str:
        """``name`` after a fused activation (schema.fbs, enum ActivationFunctionType)."""
        if activation == 0:
            return name
        if activation == RELU6:
            limits = [self.constant(np.array(v, np.float32)) for v in (0, 6)]
            return self.node("Clip", [name, *limits])
        if activation not in ACTIVATIONS:
            raise ConversionError(f"TensorFlow Lite activation {activation} is not known here.")
        return self.node(ACTIVATIONS[activation], [name])

    def rename(self, name: str, wanted: str) -> None:
        """Give an edge the name that the outside knows."""
        for node in self.nodes:
            for names in (node.input, node.output):
                for i, one in enumerate(names):
                    if one == name:
                        names[i] = wanted
