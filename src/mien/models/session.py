"""Session: one small protocol between the nets and whatever runs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mien.errors import InvalidArgument

__all__ = ["Array", "Session", "Shapes", "check_inputs"]

Array = NDArray[np.float32]

Shapes = Mapping[str, Sequence[int | None] | None]
"""Shapes of inputs by name: None for a side, or for the shape, that is free."""


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
        """All outputs by name, as float32 arrays that the caller owns.

        Raises:
            InvalidArgument: inputs of other names, shapes or types than the net's.
            RuntimeUnavailable: the runtime cannot compute them.
        """
        ...


def check_inputs(shapes: Shapes, inputs: Mapping[str, Array]) -> None:
    """Refuse what the net does not take, in words of its own and not of the runtime's.

    Raises:
        InvalidArgument: inputs of other names, shapes or types.
    """
    if inputs.keys() != shapes.keys():
        raise InvalidArgument(f"The net's inputs are {_listed(shapes)}, not {_listed(inputs)}.")
    for name, shape in shapes.items():
        value = inputs[name]
        given, kind = getattr(value, "shape", None), getattr(value, "dtype", None)
        if kind != np.float32 or given is None or not _fits(given, shape):
            sides = "any shape" if shape is None else f"({', '.join(_side(s) for s in shape)})"
            what = type(value).__name__ if kind is None else f"{kind} {given}"
            raise InvalidArgument(f"The net's input {name!r} is float32 {sides}, not {what}.")


def _fits(given: Sequence[int], shape: Sequence[int | None] | None) -> bool:
    if shape is None:
        return True
    sides = zip(given, shape, strict=False)
    return len(given) == len(shape) and all(want in (None, side) for side, want in sides)


def _side(side: int | None) -> str:
    return "any" if side is None else str(side)


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(names) or "none"
