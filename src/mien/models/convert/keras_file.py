"""Keras .h5 files: the graph, where it is in the file, and the layers' arrays.

A file of a whole model has its graph as JSON in the attribute ``model_config`` and the arrays of
each layer under ``model_weights/<layer>``; a file of weights alone has ``<layer>`` at the top. The
layers are listed in the attribute ``layer_names``, in the order of the model that wrote them.

Source: ``keras/src/legacy/saving/legacy_h5_format.py`` of Keras.
"""

# ruff: noqa: ANN401  (h5py has no types)
from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import ConversionError

__all__ = ["KerasFile"]


class KerasFile:
    """A .h5 file in memory. Arrays are read when they are asked for, since some files are large.

    Args:
        source: bytes of the file.

    Attributes:
        names: the layers that have arrays, in the file's order.
    """

    def __init__(self, source: bytes) -> None:
        import h5py

        self._file = h5py.File(io.BytesIO(source), "r")
        whole = "layer_names" not in self._file.attrs and "model_weights" in self._file
        self._group = self._file["model_weights"] if whole else self._file
        self._arrays: dict[str, list[Any]] = {}
        for layer in _list(self._group.attrs, "layer_names"):
            group = self._group[layer]
            arrays = [group[name] for name in _list(group.attrs, "weight_names")]
            if arrays:
                self._arrays[layer] = arrays
        self.names = tuple(self._arrays)

    def config(self) -> dict[str, Any]:
        """The graph.

        Raises:
            ConversionError: the file has weights alone.
        """
        if "model_config" not in self._file.attrs:
            raise ConversionError("The weight file is a Keras .h5 file of weights, without a net.")
        config: dict[str, Any] = json.loads(_text(self._file.attrs["model_config"]))
        return config

    def shapes(self, layer: str) -> list[tuple[int, ...]]:
        """Shapes of a layer's arrays, in its own order."""
        return [tuple(array.shape) for array in self._arrays[layer]]

    def arrays(self, layer: str) -> list[NDArray[np.float32]]:
        """A layer's arrays, in its own order; none where the file has no such layer."""
        return [np.asarray(array, np.float32) for array in self._arrays.get(layer, ())]


def _list(attributes: Any, name: str) -> list[str]:
    """A list of names; one too long for an attribute is in ``name0``, ``name1`` and so on."""
    if name in attributes:
        return [_text(one) for one in attributes[name]]
    parts: list[str] = []
    while (part := f"{name}{len(parts)}") in attributes:
        parts.append(part)
    return [_text(one) for part in parts for one in attributes[part]]


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
