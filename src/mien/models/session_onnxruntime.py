"""Session on ONNX Runtime: everywhere, and the fallback of every other runtime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime

from mien.errors import RuntimeUnavailable
from mien.models.session import Array, check_inputs

__all__ = ["OnnxRuntimeSession"]

_ERRORS_ONLY = 3


class OnnxRuntimeSession:
    """A net in ONNX Runtime (see :class:`mien.models.Session`).

    ``InferenceSession.run`` may be called from several threads; callers share one pool of
    ``threads`` workers that sleep when there is nothing to do (a spinning pool burns the CPU that
    the next request needs). Memory patterns are off: they keep a plan and a block for every
    input size seen, and photos have many.

    Args:
        path: ONNX file.
        threads: size of the pool.

    Raises:
        RuntimeUnavailable: ONNX Runtime does not run this net.
    """

    runtime = "onnxruntime"

    def __init__(self, path: Path, *, threads: int) -> None:
        onnxruntime.set_default_logger_severity(_ERRORS_ONLY)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        options.enable_mem_pattern = False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions share no base but Exception
            raise RuntimeUnavailable(
                f"ONNX Runtime cannot run {path.name} ({type(error).__name__})."
            ) from error
        self.precision = "float32"
        self._shapes = {
            node.name: [side if isinstance(side, int) else None for side in node.shape]
            for node in self._session.get_inputs()
        }
        self.input_names = tuple(self._shapes)
        self.output_names = tuple(node.name for node in self._session.get_outputs())

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name, as float32 arrays that the caller owns."""
        check_inputs(self._shapes, inputs)
        try:
            results = self._session.run(self.output_names, dict(inputs))
        except Exception as error:  # its exceptions share no base but Exception
            raise RuntimeUnavailable(
                f"ONNX Runtime cannot compute these inputs ({type(error).__name__}): use others, "
                "or another runtime (MIEN_RUNTIME)."
            ) from error
        return {
            name: np.asarray(value, np.float32)
            for name, value in zip(self.output_names, results, strict=True)
        }
