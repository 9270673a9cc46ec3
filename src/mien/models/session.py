"""Session: one small protocol between the nets and whatever runs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Session"]

Array = NDArray[np.float32]


@runtime_checkable
class Session(Protocol):
    """A loaded net. Safe to call from several threads at once.

    Attributes:
        runtime: ``openvino``, ``onnxruntime`` or ``mock``.
        precision: ``float32``, ``bf16`` or ``int8``.
        input_names, output_names: in the file's order.
    """

    runtime: str
    precision: str
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name, as float32 arrays that the caller owns."""
        ...
