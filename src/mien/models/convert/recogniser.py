"""ONNX of a published recognition net to one whose names and batch size are known.

Exporters name the image as they like (``input.1``, ``input``, ``data``), and some fix the batch at
one image. Here the input is called ``image``, the only output ``embedding``, and the batch is free.
"""

# ruff: noqa: ANN401  (onnx has no types)
from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from mien.errors import ConversionError

__all__ = ["convert"]

IMAGE, EMBEDDING = "image", "embedding"
TOLERANCE = 1e-3
"""Largest difference between images together and one by one, in units of the largest number."""


def convert(source: bytes) -> bytes:
    """The same net with free batch size, ``image`` as its input and ``embedding`` as its output.

    Where the batch was fixed at one, the net is run on two images together and one by one.

    Args:
        source: bytes of an ONNX file with one image input ``(n, 3, h, w)`` whose first output is
            ``(n, d)``; further outputs are dropped.

    Raises:
        ConversionError: not such a file, or a net that cannot take several images at once.
    """
    try:
        model = onnx.load_model_from_string(source)
        graph = model.graph
        was_fixed = _prepare(graph)
        model.ir_version = max(model.ir_version, 4)  # the first whose weights need not be inputs
        onnx.checker.check_model(model)
        result: bytes = model.SerializeToString(deterministic=True)
        if was_fixed:
            _try_together(result, graph)
    except ConversionError:
        raise
    except Exception as error:  # protobuf and onnx each have their own
        raise ConversionError(
            f"The weight file is not an ONNX file of a recognition net ({type(error).__name__})."
        ) from error
    return result


def _prepare(graph: Any) -> bool:
    """Rename, and free the batch; whether it was fixed."""
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if len(inputs) != 1 or len(inputs[0].type.tensor_type.shape.dim) != 4 or not graph.output:
        raise ConversionError("The net does not have one image as its input.")
    outputs = list(graph.output[:1])
    _rename(graph, {inputs[0].name: IMAGE, outputs[0].name: EMBEDDING})
    for values, name, kept in ((graph.input, IMAGE, inputs), (graph.output, EMBEDDING, outputs)):
        kept[0].name = name
        del values[:]
        values.extend(kept)
    image, embedding = (value.type.tensor_type.shape.dim for value in (*inputs, *outputs))
    fixed = bool(image[0].dim_value)
    if len(embedding) != 2:
        raise ConversionError("The net does not give one vector an image.")
    if fixed:
        if image[0].dim_value != 1:
            raise ConversionError(f"The net takes {image[0].dim_value} images at once, no others.")
        del graph.value_info[:]  # shapes of one image
        _free_reshapes(graph)
    for value in (graph.input[0], graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    return fixed


def _rename(graph: Any, names: dict[str, str]) -> None:
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    for new in names.values():
        if new in taken and new not in names:
            names = {**names, new: f"{new}/inner"}
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in (*graph.value_info, *graph.initializer):
        value.name = names.get(value.name, value.name)


def _free_reshapes(graph: Any) -> None:
    """A reshape to ``(1, …)`` becomes one that keeps its first axis."""
    shapes = {node.input[1] for node in graph.node if node.op_type == "Reshape"}
    tensors = [tensor for tensor in graph.initializer if tensor.name in shapes]
    for node in graph.node:
        if node.op_type == "Constant" and node.output[0] in shapes:
            tensors += [one.t for one in node.attribute if one.name == "value"]
    for tensor in tensors:
        shape = numpy_helper.to_array(tensor)
        if shape.ndim == 1 and len(shape) > 1 and shape[0] == 1:
            freed = np.array([0, *shape[1:]], np.int64)
            tensor.CopyFrom(numpy_helper.from_array(freed, tensor.name))


def _try_together(model: bytes, graph: Any) -> None:
    """Run two images together and one by one.

    Raises:
        ConversionError: the results differ, or they cannot be run together.
    """
    import onnxruntime

    shape = [dim.dim_value for dim in graph.input[0].type.tensor_type.shape.dim[1:]]
    images = np.random.default_rng(0).uniform(-1, 1, (2, *shape)).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    alone = [np.asarray(session.run(None, {IMAGE: images[i : i + 1]})[0]) for i in range(2)]
    try:
        together = np.asarray(session.run(None, {IMAGE: images})[0])
    except Exception as error:  # onnxruntime has its own, by status
        raise ConversionError("The net takes one image at a time only.") from error
    wanted = np.concatenate(alone)
    largest = float(np.abs(wanted).max())
    if together.shape != wanted.shape or np.abs(together - wanted).max() > TOLERANCE * largest:
        raise ConversionError("The net gives other vectors for images together than one by one.")
