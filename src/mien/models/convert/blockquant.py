"""Block-quantised ONNX to float32 ONNX.

The OpenCV Zoo publishes ``*_int8bq.onnx``: every weight is stored as int8 blocks with a scale and
a zero point each, then ``DequantizeLinear(axis, block_size)`` and a ``Reshape`` to the layer's
shape. ONNX Runtime does not run them. Here those nodes are computed once and stored as float32
weights; the arithmetic is that of the ONNX operator: ``(x - zero_point) * scale``.
"""

# ruff: noqa: ANN401  (onnx has no types)
from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from mien.errors import ConversionError

__all__ = ["convert", "convert_convolutional"]

IR_VERSION = 10  # the oldest that knows opset 21


def convert(source: bytes) -> bytes:
    """A float32 ONNX file whose batch size is free.

    Args:
        source: bytes of a block-quantised ONNX file.

    Raises:
        ConversionError: not ONNX, or not block-quantised in the way described above.
    """
    return _convert(source, free_axes={0: "n"})


def convert_convolutional(source: bytes) -> bytes:
    """A float32 ONNX file whose batch size, height and width are free (axes 0, 2 and 3)."""
    return _convert(source, free_axes={0: "n", 2: "h", 3: "w"})


def _convert(source: bytes, *, free_axes: dict[int, str]) -> bytes:
    try:
        model = onnx.load_model_from_string(source)
        graph = model.graph
        constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        _fold(graph, constants)
        _free(graph, constants, free_axes)
        _store(graph, constants)
        model.ir_version = max(model.ir_version, IR_VERSION)
        onnx.checker.check_model(model)
        result: bytes = model.SerializeToString(deterministic=True)
    except ConversionError:
        raise
    except Exception as error:  # protobuf, numpy and onnx each have their own
        raise ConversionError(
            f"The weight file is not a block-quantised ONNX file ({type(error).__name__})."
        ) from error
    return result


def dequantise(
    x: NDArray[Any],
    scale: NDArray[np.float32],
    zero_point: NDArray[Any] | None,
    *,
    axis: int,
    block_size: int,
) -> NDArray[np.float32]:
    """``DequantizeLinear`` of ONNX opset 21: one scale per tensor, per axis or per block.

    Args:
        x: integers of any shape.
        scale: a number, ``(x.shape[axis],)``, or as ``x`` with ``axis`` cut into blocks.
        zero_point: as ``scale``, or None for 0.
        axis: the axis that is cut.
        block_size: elements of a block; 0 where ``scale`` is per tensor or per axis.
    """

    def spread(values: NDArray[Any]) -> NDArray[Any]:
        if block_size:
            repeated = np.repeat(values, block_size, axis=axis)
            return np.take(repeated, np.arange(x.shape[axis]), axis=axis)
        if values.size > 1:
            shape = [1] * x.ndim
            shape[axis] = x.shape[axis]
            return values.reshape(shape)
        return values.reshape(())

    offset = np.int32(0) if zero_point is None else spread(zero_point).astype(np.int32)
    difference = (x.astype(np.int32) - offset).astype(np.float32)
    return np.asarray(difference * spread(scale), np.float32)


def _fold(graph: Any, constants: dict[str, NDArray[Any]]) -> None:
    """Compute every DequantizeLinear and Reshape whose inputs are all constant."""
    kept, folded = [], 0
    for node in graph.node:
        known = [constants.get(name) for name in node.input]
        if node.op_type not in {"DequantizeLinear", "Reshape"} or any(v is None for v in known):
            kept.append(node)
            continue
        attributes = {a.name: a.i for a in node.attribute}
        if node.op_type == "DequantizeLinear":
            folded += 1
            value = dequantise(
                known[0],  # type: ignore[arg-type]  # None was ruled out above
                known[1],  # type: ignore[arg-type]
                known[2] if len(known) > 2 else None,
                axis=attributes.get("axis", 1),
                block_size=attributes.get("block_size", 0),
            )
        else:
            value = known[0].reshape(tuple(known[1].tolist()))  # type: ignore[union-attr]
        constants[node.output[0]] = value
    if not folded:
        raise ConversionError("The weight file holds no quantised weights to unpack.")
    if any(node.op_type == "DequantizeLinear" for node in kept):
        raise ConversionError("The weight file quantises activations too; only weights are done.")
    del graph.node[:]
    graph.node.extend(kept)


def _free(graph: Any, constants: dict[str, NDArray[Any]], free_axes: dict[int, str]) -> None:
    """Make axes of the image input free, and let outputs and reshapes follow."""
    used = {name for node in graph.node for name in node.input}
    inputs = [v for v in graph.input if v.name in used and v.name not in constants]
    if len(inputs) != 1:
        raise ConversionError(f"The net has {len(inputs)} inputs where one is known how to free.")
    for axis, name in free_axes.items():
        inputs[0].type.tensor_type.shape.dim[axis].dim_param = name
    del graph.input[:]
    graph.input.extend(inputs)
    for node in graph.node:
        if node.op_type == "Reshape" and node.input[1] in constants:
            shape = constants[node.input[1]]
            if shape[0] == 1 and -1 in shape:  # 0 copies the batch size from the input
                constants[node.input[1]] = np.concatenate([[0], shape[1:]]).astype(np.int64)
    spatial = len(free_axes) > 1
    for output in graph.output:
        dims = output.type.tensor_type.shape.dim
        dims[0].dim_param = free_axes[0]
        if spatial:
            for axis in range(1, len(dims) - 1):
                dims[axis].dim_param = f"{output.name}_{axis}"
    del graph.value_info[:]  # shapes of the fixed size


def _store(graph: Any, constants: dict[str, NDArray[Any]]) -> None:
    """Write the constants that are still used, in the order of use."""
    used = dict.fromkeys(name for node in graph.node for name in node.input)
    del graph.initializer[:]
    graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(constants[name]), name)
        for name in used
        if name in constants
    )
