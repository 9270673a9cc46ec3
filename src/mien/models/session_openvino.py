"""Session on OpenVINO: often the fastest on CPUs, and able to compute in bf16 where they can.

``import openvino`` loads its conversion tools, which report the import to their makers over the
network, from a forked process, and leave files in the home folder. Mien never talks to anybody,
so the package that does it, ``openvino_telemetry``, is hidden during the import; OpenVINO then
takes its own stand-in, which sends nothing. OpenVINO must not be imported elsewhere in Mien.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import queue
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mien.errors import ModelUnavailable, RuntimeUnavailable
from mien.models.cache import Cache
from mien.models.machine import cpu_facts, version_of
from mien.models.session import Array, check_inputs

__all__ = ["OpenVino", "OpenVinoSession"]

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def _without_telemetry() -> Iterator[None]:
    """Let ``import openvino_telemetry`` fail, unless the program has it already."""
    name = "openvino_telemetry"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # how Python spells "not importable"
    try:
        yield
    finally:
        del sys.modules[name]


with _without_telemetry():
    import openvino

_KERNELS = "200"  # kept for input sizes seen; without a bound memory grows with every new size
_HINTS = {"float32": "f32", "bf16": "bf16"}


class OpenVino:
    """OpenVINO's CPU device: compiles nets, and keeps the compiled ones on disk.

    Args:
        cache: where compiled nets are kept; None to keep none. They are written here and not by
            OpenVINO's own cache, which leaves damaged files after a power cut and believes them.
    """

    def __init__(self, *, cache: Cache | None = None) -> None:
        self._core = openvino.Core()
        self._cache = cache
        with contextlib.suppress(Exception):  # a version without the property runs as well
            self._core.set_property("CPU", {"CPU_RUNTIME_CACHE_CAPACITY": _KERNELS})

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

    def _compile(self, path: Path, options: dict[str, Any]) -> Any:  # noqa: ANN401
        """The compiled net, from the cache where it is there and can be loaded."""
        if self._cache is None:
            return self._core.compile_model(path, "CPU", options)
        facts = [path.stem, options["INFERENCE_PRECISION_HINT"], version_of("openvino")]
        digest = hashlib.sha256(repr([*facts, *cpu_facts()]).encode()).hexdigest()[:32]
        blob = self._cache.compiled(digest)
        if blob.is_file():
            try:
                return self._core.import_model(openvino.tensor_from_file(blob), "CPU", options)
            except Exception:
                _log.info("A compiled net in the cache cannot be loaded; compiling it again.")
        compiled = self._core.compile_model(path, "CPU", options)
        with contextlib.suppress(ModelUnavailable):  # full or read-only: compiled every time
            self._cache.write(blob, compiled.export_model().getvalue())
        return compiled


class OpenVinoSession:
    """A net in OpenVINO (see :class:`mien.models.Session`); made by :meth:`OpenVino.open`.

    An infer request serves one call at a time, so there is a pool of them that grows to the
    number of threads that have called at once.
    """

    runtime = "openvino"

    def __init__(self, compiled: Any, *, precision: str) -> None:  # noqa: ANN401
        self._compiled = compiled
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.precision = precision
        self._shapes = {port.get_any_name(): _sides(port) for port in compiled.inputs}
        self.input_names = tuple(self._shapes)
        self.output_names = tuple(port.get_any_name() for port in compiled.outputs)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name, as float32 arrays that the caller owns."""
        check_inputs(self._shapes, inputs)
        try:
            request = self._idle.get_nowait()
        except queue.Empty:
            request = self._compiled.create_infer_request()
        try:
            try:
                results = request.infer(dict(inputs), share_inputs=True, share_outputs=False)
            except Exception as error:  # OpenVINO raises RuntimeError and its own
                raise RuntimeUnavailable(
                    f"OpenVINO cannot compute these inputs ({type(error).__name__}): use others, "
                    "or another runtime (MIEN_RUNTIME)."
                ) from error
            return {
                name: np.array(results[port], np.float32)
                for name, port in zip(self.output_names, self._compiled.outputs, strict=True)
            }
        finally:
            self._idle.put(request)


def _sides(port: Any) -> list[int | None] | None:  # noqa: ANN401
    """Shape of an input: None for a side that is free, or where all of it is."""
    shape = port.get_partial_shape()
    if shape.rank.is_dynamic:
        return None
    return [None if side.is_dynamic else side.get_length() for side in shape]
