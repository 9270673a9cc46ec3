"""ONNX of a published detector whose image is called ``image``, whatever its exporter called it.

So a card can give the input's name, by which runtimes are measured, without anybody having seen
the file. Nothing else is changed.
"""

from __future__ import annotations

import onnx

from mien.errors import ConversionError

__all__ = ["convert", "convert_any_size"]

IMAGE = "image"


def convert_any_size(source: bytes) -> bytes:
    """:func:`convert` for a net that is shown images of any size.

    Raises:
        ConversionError: as there, or the net takes images of one size only.
    """
    result = convert(source)
    image = next(v for v in onnx.load_model_from_string(result).graph.input if v.name == IMAGE)
    height, width = (dim.dim_value for dim in image.type.tensor_type.shape.dim[2:])
    if height or width:
        raise ConversionError(
            f"The net takes images of {width or 'any'} x {height or 'any'} pixels only, and this "
            "detector shows it images of any size."
        )
    return result


def convert(source: bytes) -> bytes:
    """The same net with ``image`` as its input.

    Args:
        source: bytes of an ONNX file with one image input ``(n, 3, h, w)``.

    Raises:
        ConversionError: not ONNX, or not one image input.
    """
    try:
        model = onnx.load_model_from_string(source)
        graph = model.graph
        weights = {tensor.name for tensor in graph.initializer}
        inputs = [value for value in graph.input if value.name not in weights]
        if len(inputs) != 1 or len(inputs[0].type.tensor_type.shape.dim) != 4:
            raise ConversionError("The net does not have one image as its input.")
        before = inputs[0].name
        taken = {name for node in graph.node for name in [*node.input, *node.output]} | weights
        if IMAGE in taken - {before}:
            raise ConversionError(f"The net calls something else {IMAGE!r} than its input.")
        inputs[0].name = IMAGE
        for node in graph.node:
            for index, name in enumerate(node.input):
                if name == before:
                    node.input[index] = IMAGE
        onnx.checker.check_model(model)
        result: bytes = model.SerializeToString(deterministic=True)
    except ConversionError:
        raise
    except Exception as error:  # protobuf and onnx each have their own
        raise ConversionError(
            f"The weight file is not an ONNX file ({type(error).__name__})."
        ) from error
    return result
