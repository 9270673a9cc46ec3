"""Read dlib's own file format (``.dat``): numbers, strings, tensors, and the layers of a net.

An integer is a control byte (length in the low four bits, sign in the highest) and that many
bytes, least significant first. A floating-point number is two of them: mantissa and power of two.
A net is written from its output to its input, a version number a layer, then from the input
to the output, one layer's parameters after the other. Which layers there are is the type of
the C++ program and not in the file, but every layer that computes begins with its name.

Source: dlib's ``serialize.h``, ``dnn/core.h``, ``dnn/layers.h`` and ``dnn/loss.h``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mien.errors import ConversionError

__all__ = ["DlibNet", "Layer", "Reader", "read_net"]

Floats = NDArray[np.float32]

_COMPUTES = 2  # version number of a layer that computes
_FIRST = 3  # ... of the one above the input
_MARKS = 1  # ... of a tag, or of a skip to a tag
_NOT_FINITE = {32000: math.inf, 32001: -math.inf, 32002: math.nan}


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One layer.

    Attributes:
        kind: ``con``, ``affine``, ``relu``, ``max_pool``, ``avg_pool``, ``add_prev``, ``fc``, or
            ``mark``: a tag, or a skip to a tag (the file does not tell which).
        weight: convolution ``(filters, channels, rows, columns)``; fully connected
            ``(inputs, outputs)``; affine ``(channels,)``.
        bias: ``(filters,)`` or ``(channels,)``; None: the layer has none.
        size, stride, padding: rows and columns of a window; size (0, 0): all there are.
    """

    kind: str
    weight: Floats | None = None
    bias: Floats | None = None
    size: tuple[int, int] = (0, 0)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class DlibNet:
    """A net as it was stored.

    Attributes:
        loss: name of its loss layer, such as ``loss_metric_2``.
        input: name of its input layer.
        mean: red, green and blue, subtracted from a pixel before it is divided by 256.
        layers: from the input to the output.
    """

    loss: str
    input: str
    mean: tuple[float, float, float]
    layers: list[Layer] = field(default_factory=list)


class Reader:
    """A position in a file of dlib's; every method reads one thing and moves on.

    Raises:
        ConversionError: the file ends, or something else stands there.
    """

    def __init__(self, data: bytes, start: int = 0) -> None:
        self._data = data
        self.position = start

    def take(self, count: int) -> bytes:
        """``count`` bytes as they are."""
        end = self.position + count
        if count < 0 or end > len(self._data):
            raise ConversionError("The weight file ends too early: it is not complete.")
        part = self._data[self.position : end]
        self.position = end
        return part

    def integer(self) -> int:
        """An integer of up to 64 bits."""
        control = self.take(1)[0]
        if control & 0x70 or not 1 <= control & 0x0F <= 8:
            raise ConversionError("The weight file is not in dlib's format.")
        value = int.from_bytes(self.take(control & 0x0F), "little")
        return -value if control & 0x80 else value

    def floating(self) -> float:
        """A floating-point number."""
        mantissa, exponent = self.integer(), self.integer()
        if exponent in _NOT_FINITE:
            return _NOT_FINITE[exponent]
        try:
            return math.ldexp(mantissa, exponent)
        except OverflowError:
            raise ConversionError("The weight file is not in dlib's format.") from None

    def text(self) -> str:
        """A string: its length and its bytes."""
        return self.take(self.integer()).decode("latin-1")

    def tensor(self) -> Floats:
        """A tensor of four dimensions, its entries as they lie in memory, little-endian."""
        self.expect(2, "tensor")
        shape = tuple(self.integer() for _ in range(4))
        return np.frombuffer(self.take(4 * math.prod(shape)), "<f4").reshape(shape)

    def expect(self, version: int, what: str) -> None:
        """The version number of something, which must be this one."""
        found = self.integer()
        if found != version:
            raise ConversionError(f"The weight file has a {what} of version {found}, unknown here.")


def read_net(data: bytes) -> DlibNet:
    """The net in a file.

    Raises:
        ConversionError: not a net of dlib's, or with layers that this version does not know.
    """
    reader = Reader(data)
    reader.expect(1, "loss layer")
    loss = reader.text()
    _skip_loss(reader, loss)
    order = _order(reader)
    name = reader.text()
    mean = (reader.floating(), reader.floating(), reader.floating())
    if name == "input_rgb_image_sized":
        reader.integer(), reader.integer()  # rows and columns
    net = DlibNet(loss, name, mean)
    for version in order:
        if version == _MARKS:
            net.layers.append(Layer("mark"))
            continue
        net.layers.append(_layer(reader))
        if reader.take(3).strip(b"01"):  # set up, gradient stale, gradient disabled
            raise ConversionError("The weight file is not in dlib's format.")
        for _ in range(3):  # left over from training: gradients and the last output
            reader.tensor()
        if version == _FIRST:
            reader.integer()  # images made of one image
    return net


def _order(reader: Reader) -> list[int]:
    """The version numbers of all layers, the input's neighbour first."""
    versions: list[int] = []
    while not versions or versions[-1] != _FIRST:
        versions.append(reader.integer())
        if versions[-1] not in (_COMPUTES, _MARKS, _FIRST):
            raise ConversionError(f"The weight file has a layer of version {versions[-1]}.")
    return versions[::-1]


def _skip_loss(reader: Reader, loss: str) -> None:
    if loss == "loss_metric_2":
        reader.floating(), reader.floating()  # margin and distance threshold
    elif loss == "loss_mmod_":
        reader.expect(1, "detector")
        reader.integer(), reader.integer()  # width and height of the window
        for _ in range(7):  # costs and overlaps
            reader.floating()
    else:
        raise ConversionError(f"The weight file was trained with {loss!r}, unknown here.")


def _layer(reader: Reader) -> Layer:
    name = reader.text()
    if name == "con_4":
        return _convolution(reader)
    if name == "affine_":
        values = reader.tensor().ravel()
        _alias(reader), _alias(reader)
        reader.integer()  # convolutional or fully connected
        half = values.size // 2
        return Layer("affine", values[:half], values[half:])
    if name == "bn_con2":
        return _normalisation(reader)
    if name in ("max_pool_2", "avg_pool_2"):
        size = (reader.integer(), reader.integer())
        stride = (reader.integer(), reader.integer())
        padding = (reader.integer(), reader.integer())
        return Layer(name[:8], size=size, stride=stride, padding=padding)
    if name == "fc_2":
        outputs, _ = reader.integer(), reader.integer()
        weight = reader.tensor()
        _alias(reader), _alias(reader)
        if reader.integer() != 1:  # 0: a bias is part of the weights
            raise ConversionError("The weight file has a fully connected layer with a bias.")
        _skip_multipliers(reader)
        return Layer("fc", weight.reshape(-1, outputs))
    if name in ("relu_", "add_prev_"):
        return Layer(name[:-1])
    raise ConversionError(f"The weight file has a layer {name!r}, unknown here.")


def _normalisation(reader: Reader) -> Layer:
    """A batch normalisation as the affine layer that it is once training is over."""
    gamma, beta = np.split(reader.tensor().astype(np.float64).ravel(), 2)
    _alias(reader), _alias(reader)
    reader.tensor(), reader.tensor()  # means and deviations of the last batch
    mean, variance = reader.tensor().ravel(), reader.tensor().ravel()
    reader.integer(), reader.integer()  # updates, and the window of the running means
    _skip_multipliers(reader)
    scale = gamma / np.sqrt(variance + reader.floating())
    return Layer("affine", scale.astype(np.float32), (beta - scale * mean).astype(np.float32))


def _convolution(reader: Reader) -> Layer:
    values = reader.tensor().ravel()
    filters = reader.integer()
    size = (reader.integer(), reader.integer())
    stride = (reader.integer(), reader.integer())
    padding = (reader.integer(), reader.integer())
    shape = _alias(reader)
    _alias(reader)
    _skip_multipliers(reader)
    count = math.prod(shape)
    if values.size != count + filters:
        raise ConversionError("The weight file has a convolution of another size than it says.")
    weight = values[:count].reshape(shape)
    return Layer("con", weight, values[count:], size=size, stride=stride, padding=padding)


def _alias(reader: Reader) -> tuple[int, ...]:
    """The shape of a part of a tensor."""
    reader.expect(1, "tensor")
    return tuple(reader.integer() for _ in range(4))


def _skip_multipliers(reader: Reader) -> None:
    """Learning rates and weight decays of weights and biases."""
    for _ in range(4):
        reader.floating()
