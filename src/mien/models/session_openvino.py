"""Session on OpenVINO: often the fastest on CPUs, and able to compute in bf16 where they can.

Nothing here talks to the network: the telemetry package that comes with the wheel is used by
OpenVINO's conversion tools only, which are never called.
"""

from __future__ import annotations

import queue
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino

from mien.errors import RuntimeUnavailable
from mien.models.session import Array

__all__ = ["OpenVino", "OpenVinoSession"]

_HINTS = {"float32": "f32", "bf16": "bf16"}


class OpenVino:
    """OpenVINO's CPU device: compiles nets, and keeps the compiled ones on disk.

    Args:
        cache_dir: folder for compiled nets; None to keep none.
    """

    def __init__(self, *, cache_dir: Path | None = None) -> None:
        self._core = openvino.Core()
        self._cache_dir = cache_dir

    @property
    def version(self) -> str:
        """Version of the runtime."""
        return str(openvino.__version__)

    @property
    def precisions(self) -> tuple[str, ...]:
        """Arithmetic that this CPU computes in hardware."""
        able = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        return ("float32", "bf16") if "BF16" in able else ("float32",)

    def open(
        self, path: Path, *, precision: str = "float32", threads: int, streams: int = 1
    ) -> OpenVinoSession:
        """Compile a net (or load the compiled one).

        Args:
            path: ONNX file.
            precision: one of :attr:`precisions`.
            threads: budget for all streams together.
            streams: calls of ``run`` that may proceed at the same time; more wait.

        Raises:
            RuntimeUnavailable: OpenVINO does not run this net, or not in this precision.
        """
        if precision not in self.precisions:
            raise RuntimeUnavailable(f"This CPU does not compute in {precision}: use float32.")
        options: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": streams,
        }
        try:
            compiled = self._compile(path, options)
        except Exception as error:  # OpenVINO raises RuntimeError, TypeError and its own
            raise RuntimeUnavailable(
                f"OpenVINO cannot run {path.name} ({type(error).__name__})."
            ) from error
        return OpenVinoSession(compiled, precision=precision)

    def _compile(self, path: Path, options: dict[str, Any]) -> Any:
        if self._cache_dir is not None:
            try:
                cached = {**options, "CACHE_DIR": str(self._cache_dir)}
                return self._core.compile_model(path, "CPU", cached)
            except Exception:  # noqa: S110  # a folder that is full, damaged or read-only
                pass
        return self._core.compile_model(path, "CPU", options)


class OpenVinoSession:
    """A net in OpenVINO (see :class:`mien.models.Session`); made by :meth:`OpenVino.open`.

    An infer request serves one call at a time, so there is a pool of them that grows to the
    number of threads that have called at once.
    """

    runtime = "openvino"

    def __init__(self, compiled: Any, *, precision: str) -> None:
        self._compiled = compiled
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.precision = precision
        self.input_names = tuple(port.get_any_name() for port in compiled.inputs)
        self.output_names = tuple(port.get_any_name() for port in compiled.outputs)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name, as float32 arrays that the caller owns."""
        try:
            request = self._idle.get_nowait()
        except queue.Empty:
            request = self._compiled.create_infer_request()
        try:
            results = request.infer(dict(inputs), share_inputs=True, share_outputs=False)
            return {
                name: np.array(results[port], np.float32)
                for name, port in zip(self.output_names, self._compiled.outputs, strict=True)
            }
        finally:
            self._idle.put(request)
