"""Keras .h5 models to ONNX, without TensorFlow.

The file holds the graph and its weights. Images are channels-last there and channels-first here:
kernels are transposed, and the net takes ``(n, channels, height, width)``.

Semantics of the layers: their documentation. ``same`` padding is TensorFlow's, ONNX's
``SAME_UPPER``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mien.errors import ConversionError
from mien.models.convert.keras_file import KerasFile
from mien.models.convert.keras_graph import Row, assemble, check

__all__ = ["convert"]


def convert(source: bytes) -> bytes:
    """A float32 ONNX file whose batch size is free and whose input is channels-first.

    Args:
        source: bytes of a Keras .h5 file with one image input and one output ``(n, d)``.

    Raises:
        ConversionError: not such a file, or a layer that is not known.
    """
    try:
        file = KerasFile(source)
        model = assemble(_rows(file.config()), file.arrays)
        check(model)
    except ConversionError:
        raise
    except Exception as error:  # h5py, json, numpy and onnx each have their own
        raise ConversionError(
            f"The weight file is not a Keras .h5 model ({type(error).__name__})."
        ) from error
    return model


def _rows(config: Mapping[str, Any]) -> list[Row]:
    """The layers in the file's order."""
    inner = config["config"]
    rows = inner if isinstance(inner, list) else inner["layers"]
    found: list[Row] = []
    for row in rows:
        options = row["config"]
        taken = [found[-1].name] if found else []
        if config["class_name"] != "Sequential":
            calls = row["inbound_nodes"]
            if len(calls) > 1:
                raise ConversionError(f"The layer {options['name']} is used more than once.")
            taken = [entry[0] for entry in calls[0]] if calls else []
        elif not found and row["class_name"] != "InputLayer":
            shape = {"batch_input_shape": options["batch_input_shape"]}
            found.append(Row("InputLayer", "input", shape, []))
            taken = ["input"]
        found.append(Row(row["class_name"], options["name"], options, taken))
    return found
