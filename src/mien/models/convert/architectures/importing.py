"""From a sketch of a net and a .h5 file of its weights to ONNX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mien.errors import ConversionError
from mien.models.convert.architectures.functions import FUNCTIONS
from mien.models.convert.architectures.sketch import Sketch, Value
from mien.models.convert.keras_file import KerasFile
from mien.models.convert.keras_graph import assemble, check
from mien.models.convert.keras_layers import LAYERS

__all__ = ["Net", "import_weights"]


@dataclass(frozen=True, slots=True)
class Net:
    """A net as it was published.

    Attributes:
        sketch: its layers.
        end: what the net gives whose weights the file has, perhaps classes.
        embedding: what Mien wants of it.
    """

    sketch: Sketch
    end: Value
    embedding: Value


def import_weights(source: bytes, draw: Callable[[], Net], *, called: str) -> bytes:
    """A float32 ONNX file: input ``(n, 3, height, width)``, output the embedding.

    Args:
        source: bytes of the .h5 file.
        draw: the net that its weights belong to.
        called: the net's name, for messages.

    Raises:
        ConversionError: not a .h5 file of weights, or of another net; the message names the
            first layer that differs.
    """
    try:
        file, net = KerasFile(source), draw()
        layer_of = _match(file, net, called)
        rows = net.sketch.rows(net.embedding)
        model = assemble(
            rows,
            lambda name: file.arrays(layer_of[name]) if name in layer_of else [],
            known={**LAYERS, **FUNCTIONS},
        )
        check(model)
    except ConversionError:
        raise
    except Exception as error:  # h5py, numpy and onnx each have their own
        raise ConversionError(
            f"The weight file is not a whole Keras .h5 file ({type(error).__name__})."
        ) from error
    return model


def _match(file: KerasFile, net: Net, called: str) -> dict[str, str]:
    """For each layer with weights, the layer of the file that is its own."""
    ours = [name for name in net.sketch.keras_order(net.end) if name in net.sketch.arrays]
    for name, published in zip(ours, file.names, strict=False):
        wanted, found = net.sketch.arrays[name], file.shapes(published)
        if wanted != found:
            raise ConversionError(
                f"These are not {called}'s weights: its layer {name} has arrays of shape "
                f"{_listed(wanted)}, and {published} of the file has {_listed(found)}."
            )
    if len(file.names) < len(ours):
        raise ConversionError(
            f"These are not {called}'s weights, or not all: the file has {len(file.names)} layers "
            f"with weights, not {len(ours)}; the first that is missing is {ours[len(file.names)]}."
        )
    if len(file.names) > len(ours):
        raise ConversionError(
            f"These are not {called}'s weights: the file has {len(file.names)} layers with "
            f"weights, not {len(ours)}; the first that is too many is {file.names[len(ours)]}."
        )
    return dict(zip(ours, file.names, strict=True))


def _listed(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join(str(shape) for shape in shapes) or "none"
