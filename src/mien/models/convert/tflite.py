"""TensorFlow Lite to ONNX: float32 nets with float32 or float16 weights.

TensorFlow keeps channels last, ONNX first. Images enter the ONNX net channels first, every tensor
is transposed only where an operator needs the other layout, and outputs keep the file's own
layout. The batch size is free where every output has one row an image.
"""

# ruff: noqa: ANN401  (onnx has no types)
from __future__ import annotations

import dataclasses
import io
import struct
import zipfile
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mien.errors import ConversionError
from mien.models.convert.tflite_builder import Builder
from mien.models.convert.tflite_file import Operator, Tensor, TfliteGraph, read
from mien.models.convert.tflite_ops import ABS, ADD, MUL, OPERATORS, PRELU, RELU, SUB

__all__ = [
    "convert",
    "convert_convolutional",
    "convert_task_blendshapes",
    "convert_task_landmarks",
]

OPSET = 17
IR_VERSION = 8
MOST_BYTES = 64_000_000  # of a net inside a .task file


def convert(source: bytes) -> bytes:
    """An ONNX file that computes what the ``.tflite`` file computes.

    Args:
        source: bytes of a TensorFlow Lite file; activations float32.

    Raises:
        ConversionError: another file, or an operator, activation or weight type not known here.
    """
    return _convert(source, any_size=False)


def convert_convolutional(source: bytes) -> bytes:
    """As :func:`convert`, for a net that only convolves: height and width are free too.

    They must be multiples of all strides of the net together. Outputs are one row a cell.
    """
    return _convert(source, any_size=True)


def convert_task_landmarks(source: bytes) -> bytes:
    """The landmark net in a MediaPipe ``face_landmarker.task``, which is a zip file."""
    return convert(_member(source, "face_landmarks_detector.tflite"))


def convert_task_blendshapes(source: bytes) -> bytes:
    """The blendshape net in a MediaPipe ``face_landmarker.task``."""
    return convert(_member(source, "face_blendshapes.tflite"))


def _convert(source: bytes, *, any_size: bool) -> bytes:
    try:
        graph = _fuse_prelu(read(source))
        builder = _build(graph)
        model = _model(graph, builder, any_size=any_size)
        onnx.checker.check_model(model)
        result: bytes = model.SerializeToString(deterministic=True)
    except ConversionError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, struct.error) as error:
        raise ConversionError(
            f"The weight file is not a TensorFlow Lite file that can be converted ({error})."
        ) from error
    except onnx.checker.ValidationError as error:
        raise ConversionError("The weight file makes no valid ONNX net.") from error
    return result


def _member(source: bytes, name: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(source)) as box:
            if box.getinfo(name).file_size > MOST_BYTES:
                raise ConversionError(f"{name} in the weight file is too large.")
            return box.read(name)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ConversionError(f"The weight file is no zip file with {name} in it.") from error


def _build(graph: TfliteGraph) -> Builder:
    builder = Builder(graph.tensors)
    for index in graph.inputs:
        tensor = graph.tensors[index]
        builder.define(index, tensor.name, channels_first=len(tensor.shape) == 4)
    for operator in graph.operators:
        if operator.code not in OPERATORS:
            raise ConversionError(f"TensorFlow Lite operator {operator.code} is not known here.")
        OPERATORS[operator.code](builder, operator)
    return builder


def _model(graph: TfliteGraph, builder: Builder, *, any_size: bool) -> Any:
    tensors = graph.tensors
    batch = _batch(graph)
    inputs = []
    for index in graph.inputs:
        shape: list[Any] = list(tensors[index].shape)
        if len(shape) == 4:
            shape = [shape[0], shape[3], *(("h", "w") if any_size else shape[1:3])]
        inputs.append(_info(tensors[index].name, [batch or shape[0], *shape[1:]]))
    outputs = []
    for index in graph.outputs:
        tensor = tensors[index]
        builder.rename(builder.value(index), tensor.name)
        shape = [batch or tensor.shape[0], *tensor.shape[1:]]
        if any_size:
            shape[1] = f"{tensor.name}_1"
        outputs.append(_info(tensor.name, shape))
    if any_size:
        _free_cells(builder)
    constants = [numpy_helper.from_array(value, name) for name, value in builder.constants.items()]
    made = helper.make_graph(builder.nodes, "tflite", inputs, outputs, constants)
    opset = [helper.make_opsetid("", OPSET)]
    return helper.make_model(made, opset_imports=opset, ir_version=IR_VERSION)


def _free_cells(builder: Builder) -> None:
    """Let every Reshape of a map to rows give as many rows as the map has cells."""
    for node in builder.nodes:
        if node.op_type == "Reshape":
            shape = builder.constants[node.input[1]]
            if len(shape) != 3 or shape[0] != 0:
                raise ConversionError("The net does more than convolve: its size cannot be free.")
            shape[1] = -1


def _info(name: str, shape: list[Any]) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _batch(graph: TfliteGraph) -> str | None:
    """The name of the batch axis, where it can be free: images in, as many rows out."""
    first = [graph.tensors[i].shape for i in (*graph.inputs, *graph.outputs)]
    images = all(len(graph.tensors[i].shape) == 4 for i in graph.inputs)
    rows = {shape[0] if len(shape) > 1 else None for shape in first}
    return "n" if images and len(rows) == 1 and None not in rows else None


def _fuse_prelu(graph: TfliteGraph) -> TfliteGraph:
    """Make ``relu(x) + c (x - |x|)``, as TensorFlow 1 wrote a PReLU, one operator of slope 2c."""
    made_by = {o.outputs[0]: o for o in graph.operators}
    uses: dict[int, int] = {}
    for operator in graph.operators:
        for index in operator.inputs:
            uses[index] = uses.get(index, 0) + 1
    tensors, operators = list(graph.tensors), []
    gone: set[int] = set()
    for operator in graph.operators:
        found = _prelu(operator, made_by, tensors)
        if found is None or any(uses[i] != 1 or i in graph.outputs for i in found[2]):
            operators.append(operator)
            continue
        x, slope, inner = found
        gone.update(inner)
        tensors.append(Tensor(f"slope_{len(tensors)}", slope.shape, slope))
        operators.append(Operator(PRELU, (x, len(tensors) - 1), operator.outputs, None))
    kept = tuple(o for o in operators if o.outputs[0] not in gone)
    return dataclasses.replace(graph, tensors=tuple(tensors), operators=kept)


def _prelu(
    add: Operator, made_by: dict[int, Operator], tensors: list[Tensor]
) -> tuple[int, NDArray[np.float32], tuple[int, ...]] | None:
    """``(x, slope, tensors inside)`` if ``add`` ends a PReLU that was written out."""
    if add.code != ADD or add.option(0, "b"):
        return None
    parts = [made_by.get(i) for i in add.inputs]
    for relu, product in (parts, parts[::-1]):
        if relu is None or product is None or (relu.code, product.code) != (RELU, MUL):
            continue
        x = relu.inputs[0]
        for difference, factor in (product.inputs, product.inputs[::-1]):
            minus, slope = made_by.get(difference), tensors[factor].value
            if minus is None or minus.code != SUB or slope is None or minus.inputs[0] != x:
                continue
            size = made_by.get(minus.inputs[1])
            plain = not (product.option(0, "b") or minus.option(0, "b"))
            if plain and size is not None and size.code == ABS and size.inputs[0] == x:
                inside = (relu.outputs[0], product.outputs[0], difference, size.outputs[0])
                return x, np.asarray(slope * np.float32(2), np.float32), inside
    return None
