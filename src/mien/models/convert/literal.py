"""ONNX out of Python source: a module that assigns the bytes of an ONNX file to a name.

The source is parsed, never run.
"""

from __future__ import annotations

import ast

import onnx

from mien.errors import ConversionError

__all__ = ["convert"]


def convert(source: bytes) -> bytes:
    """The ONNX file that is the only bytes literal assigned in a Python module, unchanged.

    Args:
        source: UTF-8 text of the module.

    Raises:
        ConversionError: not Python, no such literal or several, or no ONNX in it.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConversionError("The weight file is not Python source.") from error
    literals = [
        node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, bytes)
    ]
    if len(literals) != 1:
        raise ConversionError(
            f"The Python source assigns {len(literals)} bytes literals where one is wanted."
        )
    try:
        onnx.checker.check_model(onnx.load_model_from_string(literals[0]))
    except Exception as error:  # protobuf and onnx each have their own
        raise ConversionError("The bytes in the Python source are not an ONNX file.") from error
    return literals[0]
