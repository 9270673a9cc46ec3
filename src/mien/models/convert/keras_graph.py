"""From rows of Keras layers and their arrays to an ONNX file."""

# ruff: noqa: ANN401  (onnx has no types)
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from mien.errors import ConversionError
from mien.models.convert.keras_layers import LAYERS, Layer, Piece

__all__ = ["ArraysOf", "Row", "assemble", "check"]

IR_VERSION = 8
OPSET = 13

ArraysOf = Callable[[str], Sequence[NDArray[np.float32]]]


class Row(NamedTuple):
    """A layer of a net: its class, its name, its options and the layers that it takes."""

    kind: str
    name: str
    options: Mapping[str, Any]
    takes: Sequence[str]


def assemble(
    rows: Sequence[Row], arrays_of: ArraysOf, *, known: Mapping[str, Layer] = LAYERS
) -> bytes:
    """A float32 ONNX file whose batch size is free and whose input is channels-first.

    Weights go into the file layer by layer, so that no second copy of all of them is in memory.

    Args:
        rows: the layers in an order of computing, with one ``InputLayer`` and one end.
        arrays_of: the arrays of a layer by its name, in Keras's order.
        known: what each class of layer becomes.

    Raises:
        ConversionError: a layer that is not known, or several inputs or ends.
    """
    model = helper.make_model(
        helper.make_graph([], "keras", [], []), opset_imports=[helper.make_opsetid("", OPSET)]
    )
    model.ir_version = IR_VERSION
    graph = model.graph
    value_of: dict[str, str] = {}
    for kind, name, options, takes in rows:
        if kind == "InputLayer":
            height, width, channels = options["batch_input_shape"][1:]
            shape = ["n", channels, height, width]
            graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
            value_of[name] = name
            continue
        if kind not in known:
            raise ConversionError(f"The Keras layer {kind} is not known to this version.")
        made = known[kind](name, options, [value_of[one] for one in takes], arrays_of(name))
        _add(graph, made)
        value_of[name] = made.output
    used = {one for row in rows for one in row.takes}
    ends = [row.name for row in rows if row.name not in used]
    if len(graph.input) != 1 or len(ends) != 1:
        raise ConversionError(
            f"The net has {len(graph.input)} inputs and {len(ends)} outputs, not one."
        )
    graph.node.append(helper.make_node("Identity", [value_of[ends[0]]], ["output"]))
    graph.output.append(helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", None]))
    result: bytes = model.SerializeToString(deterministic=True)
    return result


def check(model: bytes) -> None:
    """Ask ONNX whether the file is sound, shapes and all.

    Raises:
        onnx.checker.ValidationError, onnx.shape_inference.InferenceError: it is not.
    """
    onnx.checker.check_model(model, full_check=True)


def _add(graph: Any, piece: Piece) -> None:
    graph.node.extend(piece.nodes)
    for name in list(piece.tensors):
        value = piece.tensors.pop(name)
        tensor = graph.initializer.add()
        tensor.name = name
        tensor.data_type = helper.np_dtype_to_tensor_dtype(value.dtype)
        tensor.dims.extend(value.shape)
        tensor.raw_data = value.tobytes()
