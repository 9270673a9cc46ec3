"""The part of the TensorFlow Lite file format that the converter needs, read from its bytes.

A ``.tflite`` file is a FlatBuffer with the identifier ``TFL3``. Field numbers are those of
``tensorflow/lite/schema/schema.fbs``; FlatBuffers keeps them for ever. All offsets are checked by
the reads themselves: a read outside the file is a ``struct.error`` or ``ValueError``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Operator", "Table", "Tensor", "TfliteGraph", "read"]

IDENTIFIER = b"TFL3"
# schema.fbs, enum TensorType
TYPES = {0: np.float32, 1: np.float16, 2: np.int32, 3: np.uint8, 4: np.int64, 6: np.bool_}


class Table:
    """A FlatBuffer table: fields by number, each with a default where it is left out.

    Args:
        data: the whole file.
        at: where the table starts.
    """

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at
        self._fields = at - self._unpack("<i", at)
        self._size = self._unpack("<H", self._fields)

    @classmethod
    def root(cls, data: bytes) -> Table:
        """The table that the file starts with."""
        return cls(data, struct.unpack_from("<I", data, 0)[0])

    def number(self, field: int, kind: str = "i", default: float = 0) -> Any:  # noqa: ANN401
        """A number of :mod:`struct` kind ``kind``."""
        at = self._offset(field)
        return self._unpack("<" + kind, at) if at else default

    def table(self, field: int) -> Table | None:
        """A table, or None where it is left out."""
        at = self._offset(field)
        return Table(self._data, at + self._unpack("<I", at)) if at else None

    def tables(self, field: int) -> list[Table]:
        """A vector of tables."""
        begin, count = self._vector(field)
        places = range(begin, begin + 4 * count, 4)
        return [Table(self._data, at + self._unpack("<I", at)) for at in places]

    def array(self, field: int, dtype: str) -> NDArray[Any]:
        """A vector of numbers."""
        begin, count = self._vector(field)
        if begin < 0 or begin + count * np.dtype(dtype).itemsize > len(self._data):
            raise ValueError("a vector ends outside the file")
        return np.frombuffer(self._data, dtype, count, begin)

    def text(self, field: int) -> str:
        """A string."""
        return self.array(field, "u1").tobytes().decode()

    def _vector(self, field: int) -> tuple[int, int]:
        at = self._offset(field)
        if not at:
            return 0, 0
        begin = at + self._unpack("<I", at)
        count = self._unpack("<I", begin)
        if begin + 4 + count > len(self._data):
            raise ValueError("a vector ends outside the file")
        return begin + 4, count

    def _offset(self, field: int) -> int:
        """Where a field's value is, 0 if it is left out."""
        entry = 4 + 2 * field
        if entry >= self._size:
            return 0
        offset = self._unpack("<H", self._fields + entry)
        return self._at + offset if offset else 0

    def _unpack(self, kind: str, at: int) -> Any:  # noqa: ANN401
        if at < 0:
            raise ValueError("an offset points outside the file")
        return struct.unpack_from(kind, self._data, at)[0]


@dataclass(frozen=True, slots=True)
class Tensor:
    """An edge of the graph.

    Attributes:
        name: as in the file.
        shape: as in the file, batch first.
        value: the constant that it holds, or None.
    """

    name: str
    shape: tuple[int, ...]
    value: NDArray[Any] | None


@dataclass(frozen=True, slots=True)
class Operator:
    """A node of the graph.

    Attributes:
        code: number of the built-in operator (schema.fbs, enum BuiltinOperator).
        inputs, outputs: indices of tensors; -1: left out.
        options: its table of options, or None.
    """

    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Table | None

    def option(self, field: int, kind: str = "i", default: float = 0) -> Any:  # noqa: ANN401
        """A number from the options."""
        return self.options.number(field, kind, default) if self.options else default


@dataclass(frozen=True, slots=True)
class TfliteGraph:
    """The first graph of a file; inputs and outputs are indices of tensors."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read(source: bytes) -> TfliteGraph:
    """Read a file.

    Raises:
        ValueError, struct.error: not a TensorFlow Lite file, or one that ends early.
    """
    if source[4:8] != IDENTIFIER:
        raise ValueError("no TensorFlow Lite file")
    model = Table.root(source)
    codes = [max(t.number(0, "b"), t.number(3)) for t in model.tables(1)]
    buffers = model.tables(4)
    graph = model.tables(2)[0]
    return TfliteGraph(
        tuple(_tensor(table, buffers) for table in graph.tables(0)),
        tuple(_operator(table, codes) for table in graph.tables(3)),
        _indices(graph, 1),
        _indices(graph, 2),
    )


def _indices(table: Table, field: int) -> tuple[int, ...]:
    return tuple(int(i) for i in table.array(field, "<i4"))


def _operator(table: Table, codes: list[int]) -> Operator:
    code = codes[table.number(0, "I")]
    return Operator(code, _indices(table, 1), _indices(table, 2), table.table(4))


def _tensor(table: Table, buffers: list[Table]) -> Tensor:
    shape = _indices(table, 0)
    kind = table.number(1, "b")
    data = buffers[table.number(2, "I")].array(0, "u1")
    value = None
    if data.size:
        if kind not in TYPES:
            raise ValueError(f"weights of type {kind}")
        if table.table(6) is not None:
            raise ValueError("sparse weights")
        value = data.view(np.dtype(TYPES[kind]).newbyteorder("<")).reshape(shape)
    return Tensor(table.text(3), shape, value)
