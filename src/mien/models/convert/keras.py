"""Keras .h5 models to ONNX, without TensorFlow.

A Keras 2 file is HDF5: the attribute ``model_config`` is the graph as JSON, and each layer's arrays
are under ``model_weights/<layer>``. Images are channels-last there and channels-first here: kernels
are transposed, and the net takes ``(n, channels, height, width)``.

Source of the file format: ``keras/src/legacy/saving/legacy_h5_format.py`` of Keras; semantics of
the layers: their documentation. ``same`` padding is TensorFlow's, ONNX's ``SAME_UPPER``.
"""

# ruff: noqa: ANN401  (onnx and h5py have no types)
from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mien.errors import ConversionError
from mien.models.convert.keras_layers import LAYERS

__all__ = ["convert"]

IR_VERSION = 8
OPSET = 13

Weights = Mapping[str, Sequence[NDArray[np.float32]]]


def convert(source: bytes) -> bytes:
    """A float32 ONNX file whose batch size is free and whose input is channels-first.

    Args:
        source: bytes of a Keras .h5 file with one image input and one output ``(n, d)``.

    Raises:
        ConversionError: not such a file, or a layer that is not known.
    """
    try:
        config, weights = _read(source)
        model = _build(_layers(config), weights)
        onnx.checker.check_model(model, full_check=True)
        result: bytes = model.SerializeToString(deterministic=True)
    except ConversionError:
        raise
    except Exception as error:  # h5py, json, numpy and onnx each have their own
        raise ConversionError(
            f"The weight file is not a Keras .h5 model ({type(error).__name__})."
        ) from error
    return result


def _read(source: bytes) -> tuple[dict[str, Any], Weights]:
    """The graph, and the arrays of each layer in the layer's own order."""
    import h5py

    with h5py.File(io.BytesIO(source), "r") as file:
        text = file.attrs["model_config"]
        group = file["model_weights"]
        weights = {
            _text(layer): [
                np.asarray(group[_text(layer)][_text(name)], np.float32)
                for name in group[_text(layer)].attrs["weight_names"]
            ]
            for layer in group.attrs["layer_names"]
        }
        return json.loads(_text(text)), weights


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _layers(config: Mapping[str, Any]) -> list[tuple[str, str, dict[str, Any], list[str]]]:
    """``(class, name, options, names of the layers that it takes)`` in the file's order."""
    inner = config["config"]
    rows = inner if isinstance(inner, list) else inner["layers"]
    found: list[tuple[str, str, dict[str, Any], list[str]]] = []
    for row in rows:
        options = row["config"]
        taken = [found[-1][1]] if found else []
        if config["class_name"] != "Sequential":
            calls = row["inbound_nodes"]
            if len(calls) > 1:
                raise ConversionError(f"The layer {options['name']} is used more than once.")
            taken = [entry[0] for entry in calls[0]] if calls else []
        elif not found and row["class_name"] != "InputLayer":
            shape = {"batch_input_shape": options["batch_input_shape"]}
            found.append(("InputLayer", "input", shape, []))
            taken = ["input"]
        found.append((row["class_name"], options["name"], options, taken))
    return found


def _build(layers: Sequence[tuple[str, str, dict[str, Any], list[str]]], weights: Weights) -> Any:
    nodes: list[Any] = []
    tensors: dict[str, NDArray[Any]] = {}
    inputs, used = [], set()
    value_of: dict[str, str] = {}
    for kind, name, options, taken in layers:
        used.update(taken)
        if kind == "InputLayer":
            height, width, channels = options["batch_input_shape"][1:]
            inputs.append(
                helper.make_tensor_value_info(
                    name, TensorProto.FLOAT, ["n", channels, height, width]
                )
            )
            value_of[name] = name
            continue
        if kind not in LAYERS:
            raise ConversionError(f"The Keras layer {kind} is not known to this version.")
        made = LAYERS[kind](name, options, [value_of[one] for one in taken], weights.get(name, ()))
        nodes += made.nodes
        tensors |= made.tensors
        value_of[name] = made.output
    ends = [name for kind, name, _, _ in layers if name not in used]
    if len(inputs) != 1 or len(ends) != 1:
        raise ConversionError(f"The net has {len(inputs)} inputs and {len(ends)} outputs, not one.")
    nodes.append(helper.make_node("Identity", [value_of[ends[0]]], ["output"]))
    graph = helper.make_graph(
        nodes,
        "keras",
        inputs,
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", None])],
        [numpy_helper.from_array(np.ascontiguousarray(v), k) for k, v in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    return model
