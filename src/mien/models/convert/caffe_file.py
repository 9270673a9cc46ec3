"""Read a ``.caffemodel``: a protocol buffer of layers, each with its parameters and weights.

Only the wire format is read, by hand, with the field numbers of Caffe's ``caffe.proto`` (and of
its SSD branch: https://github.com/weiliu89/caffe), so neither Caffe nor its schema is needed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.errors import ConversionError

__all__ = ["Fields", "Layer", "read_layers"]

_LAYER = 100  # NetParameter.layer
_NAME, _TYPE, _BOTTOM, _TOP, _BLOBS = 1, 2, 3, 4, 7  # LayerParameter
_DATA, _SHAPE, _DIM = 5, 7, 1  # BlobProto, BlobShape
_OLD_SHAPE = (1, 2, 3, 4)  # BlobProto of older files: num, channels, height, width


class Fields:
    """One message: its values by field number, in the order of the file."""

    def __init__(self, data: bytes) -> None:
        self._values: dict[int, list[int | bytes]] = {}
        for number, value in _values(data):
            self._values.setdefault(number, []).append(value)

    def ints(self, number: int) -> list[int]:
        """The values of a repeated integer, packed or not."""
        found: list[int] = []
        for value in self._values.get(number, []):
            found.extend([value] if isinstance(value, int) else _varints(value))
        return found

    def number(self, number: int, default: int) -> int:
        """An integer or a truth value."""
        return next(iter(self.ints(number)), default)

    def floats(self, number: int) -> list[float]:
        """The values of a repeated float, packed or not."""
        return [float(value) for value in self.array(number)]

    def array(self, number: int) -> NDArray[np.float32]:
        """The same as an array."""
        return np.frombuffer(self._joined(number), "<f4").astype(np.float32)

    def texts(self, number: int) -> list[str]:
        """The values of a repeated string."""
        return [value.decode() for value in self._bytes(number)]

    def messages(self, number: int) -> list[Fields]:
        """The values of a repeated message."""
        return [Fields(value) for value in self._bytes(number)]

    def message(self, number: int) -> Fields:
        """A message; an empty one where it is missing."""
        return next(iter(self.messages(number)), Fields(b""))

    def _bytes(self, number: int) -> list[bytes]:
        found = self._values.get(number, [])
        return [value for value in found if isinstance(value, bytes)]

    def _joined(self, number: int) -> bytes:
        return b"".join(self._bytes(number))


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a net.

    Attributes:
        name, kind: ``conv1``, ``Convolution``.
        bottoms, tops: names of its inputs and outputs; a layer may write over its input.
        fields: the layer's message, for the parameters of its kind.
        blobs: its weights.
    """

    name: str
    kind: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    fields: Fields
    blobs: tuple[NDArray[np.float32], ...]


def read_layers(source: bytes) -> list[Layer]:
    """The layers of a ``.caffemodel``, in the order in which they are computed.

    Raises:
        ConversionError: not such a file.
    """
    try:
        layers = [_layer(fields) for fields in Fields(source).messages(_LAYER)]
    except (ValueError, IndexError, struct.error) as error:
        raise ConversionError("The weight file is not a Caffe model.") from error
    if not layers:
        raise ConversionError("The weight file is not a Caffe model: it has no layers.")
    return layers


def _layer(fields: Fields) -> Layer:
    (name,), (kind,) = fields.texts(_NAME), fields.texts(_TYPE)
    blobs = tuple(_blob(blob) for blob in fields.messages(_BLOBS))
    return Layer(name, kind, tuple(fields.texts(_BOTTOM)), tuple(fields.texts(_TOP)), fields, blobs)


def _blob(fields: Fields) -> NDArray[np.float32]:
    shape = [fields.number(number, 1) for number in _OLD_SHAPE]
    if new := fields.messages(_SHAPE):
        shape = new[0].ints(_DIM)
    return fields.array(_DATA).reshape(shape)


def _values(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and values: integers, or the bytes of whatever else it is."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        wire = key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        size = {1: 8, 5: 4}.get(wire)
        if wire == 2:
            size, at = _varint(data, at)
        if size is None or at + size > len(data):
            raise ValueError("not a protocol buffer")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    raise ValueError("not a protocol buffer")


def _varints(data: bytes) -> list[int]:
    found, at = [], 0
    while at < len(data):
        value, at = _varint(data, at)
        found.append(value)
    return found
