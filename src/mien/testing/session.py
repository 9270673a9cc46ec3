"""MockSession: a net without weights, for tests of whatever calls a Session."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import numpy as np

from mien.errors import InvalidArgument
from mien.models.session import Array

__all__ = ["MockSession"]

Net = Callable[[Mapping[str, Array]], Mapping[str, Array]]


class MockSession:
    """A :class:`mien.models.Session` that answers what it is told to.

    Args:
        outputs: the answer to every run, by name, or a function from inputs to it.
        input_names: the inputs that a run must have.
        output_names: the outputs that an answer must have; None: those of fixed ``outputs``.
        precision: what the session says of itself.

    Attributes:
        calls: copies of the inputs of every run, oldest first.

    Example:
        >>> session = MockSession(lambda inputs: {"y": inputs["x"] * 2}, ["x"], ["y"])
        >>> session.run({"x": np.ones(2, np.float32)})["y"].tolist()
        [2.0, 2.0]
        >>> len(session.calls)
        1
    """

    runtime = "mock"

    def __init__(
        self,
        outputs: Mapping[str, Array] | Net,
        input_names: list[str] | tuple[str, ...] = ("input",),
        output_names: list[str] | tuple[str, ...] | None = None,
        *,
        precision: str = "float32",
    ) -> None:
        if output_names is None:
            if callable(outputs):
                raise InvalidArgument("A MockSession with a function needs output_names.")
            output_names = tuple(outputs)
        self._outputs = outputs
        self._lock = threading.Lock()
        self.precision = precision
        self.input_names = tuple(input_names)
        self.output_names = tuple(output_names)
        self.calls: list[dict[str, Array]] = []

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The answer, as float32 arrays that the caller owns; the call is recorded.

        Raises:
            InvalidArgument: other inputs or outputs than the session has.
        """
        if set(inputs) != set(self.input_names):
            raise InvalidArgument(f"The net's inputs are {self.input_names}, not {(*inputs,)}.")
        with self._lock:
            self.calls.append({name: np.array(value) for name, value in inputs.items()})
        answer = self._outputs(inputs) if callable(self._outputs) else self._outputs
        if set(answer) != set(self.output_names):
            raise InvalidArgument(f"The net's outputs are {self.output_names}, not {(*answer,)}.")
        return {name: np.array(answer[name], np.float32) for name in self.output_names}
