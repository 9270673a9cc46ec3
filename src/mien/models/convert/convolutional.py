"""ONNX of one fixed input size to ONNX of any: for nets that only convolve."""

# ruff: noqa: ANN401  (onnx has no types)
from __future__ import annotations

from typing import Any

import onnx

from mien.errors import ConversionError

__all__ = ["convert"]

# What computes the same at any height and width. A Reshape or Gemm would fix the size.
SIZELESS = frozenset(
    {
        "Add",
        "AveragePool",
        "BatchNormalization",
        "Clip",
        "Concat",
        "Conv",
        "ConvTranspose",
        "LeakyRelu",
        "MaxPool",
        "Mul",
        "PRelu",
        "Relu",
        "Sigmoid",
        "Sub",
    }
)


def convert(source: bytes) -> bytes:
    """The same net with free batch size, height and width.

    Weights that are listed as inputs too (as files of ONNX IR version 3 do) are no longer inputs,
    so that a runtime may treat them as constant.

    Args:
        source: bytes of an ONNX file with one image input ``(n, c, h, w)``.

    Raises:
        ConversionError: not ONNX, not one image input, or an operator that fixes the size.
    """
    try:
        model = onnx.load_model_from_string(source)
        _free(model.graph)
        model.ir_version = max(model.ir_version, 4)  # the first whose weights need not be inputs
        onnx.checker.check_model(model)
        result: bytes = model.SerializeToString(deterministic=True)
    except ConversionError:
        raise
    except Exception as error:  # protobuf and onnx each have their own
        raise ConversionError(
            f"The weight file is not an ONNX file ({type(error).__name__})."
        ) from error
    return result


def _free(graph: Any) -> None:
    fixed = sorted({node.op_type for node in graph.node} - SIZELESS)
    if fixed:
        raise ConversionError(f"The net cannot take images of any size: it uses {fixed[0]}.")
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if len(inputs) != 1 or len(inputs[0].type.tensor_type.shape.dim) != 4:
        raise ConversionError("The net does not have one image as its input.")
    del graph.input[:]
    graph.input.extend(inputs)
    del graph.value_info[:]  # shapes of the fixed size
    image = graph.input[0].type.tensor_type.shape.dim
    image[0].dim_param, image[2].dim_param, image[3].dim_param = "n", "h", "w"
    for output in graph.output:
        dims = output.type.tensor_type.shape.dim
        dims[0].dim_param = "n"
        for axis in range(2, len(dims)):
            dims[axis].dim_param = f"{output.name}_{axis}"
