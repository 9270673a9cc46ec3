"""Tensors out of a PyTorch checkpoint (``.pt``, ``.pth``), without PyTorch and without running it.

A checkpoint is a pickle of a dict of tensors, whose numbers lie beside it: in the same stream
(the format before PyTorch 1.6) or as members of a ZIP archive. A pickle can call anything that
it names; the unpickler here knows the few names that a dict of tensors needs, and each of them
stands for plain data. Source: ``torch/serialization.py``, ``_legacy_load`` and ``_load``.
"""

# ruff: noqa: ANN401  (a pickle may hold anything)
from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import ConversionError

__all__ = ["read_tensors"]

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_STORAGES: dict[str, np.dtype[Any]] = {
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "DoubleStorage": np.dtype("<f8"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}


def read_tensors(source: bytes) -> dict[str, NDArray[Any]]:
    """The tensors of a checkpoint by name.

    Args:
        source: bytes of a file that ``torch.save(module.state_dict(), ...)`` wrote.

    Raises:
        ConversionError: it is none, or holds something else than a dict of tensors.
    """
    try:
        zipped = zipfile.is_zipfile(io.BytesIO(source))
        found, numbers = _read_zip(source) if zipped else _read_stream(source)
        if not isinstance(found, dict) or not all(isinstance(t, _Tensor) for t in found.values()):
            raise ConversionError("The checkpoint is not a dict of tensors.")
        return {str(name): tensor.array(numbers) for name, tensor in found.items()}
    except ConversionError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        raise ConversionError(
            f"The weight file is not a PyTorch checkpoint ({type(error).__name__})."
        ) from error


@dataclass(frozen=True, slots=True)
class _Storage:
    """A run of numbers that tensors are views of."""

    key: str
    dtype: np.dtype[Any]
    length: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A view of a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, numbers: Mapping[str, bytes]) -> NDArray[Any]:
        """The tensor as an array of its own."""
        flat = np.frombuffer(numbers[self.storage.key], self.storage.dtype, self.storage.length)
        last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))
        small = (self.offset, *self.shape, *self.strides)
        if min(small) < 0 or (0 not in self.shape and last >= len(flat)):
            raise ConversionError("A tensor of the checkpoint reaches beyond its numbers.")
        strides = [s * flat.itemsize for s in self.strides]
        view = np.lib.stride_tricks.as_strided(flat[self.offset :], self.shape, strides)
        return view.copy()


class _Unpickler(pickle.Unpickler):
    """Unpickles dicts of tensors, and nothing else; keeps the storages that it met."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name in the pickle.

        Raises:
            ConversionError: the name has no business in a dict of tensors.
        """
        if module == "torch" and name in _STORAGES:
            return name
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        raise ConversionError(f"The checkpoint wants {module}.{name}, which is not plain data.")

    def persistent_load(self, pid: Any) -> _Storage:
        """A storage: ``("storage", type, key, device, length[, view])``."""
        kind, storage, key, _, length, *view = pid
        if kind != "storage" or storage not in _STORAGES or any(view):
            raise ConversionError("The checkpoint holds a storage of an unknown kind.")
        return self.storages.setdefault(key, _Storage(key, _STORAGES[storage], int(length)))


def _rebuild(storage: _Storage, offset: int, shape: Any, strides: Any, *_: Any) -> _Tensor:
    return _Tensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def _read_stream(source: bytes) -> tuple[Any, dict[str, bytes]]:
    """Magic, protocol, system, object, keys: a pickle each; then every storage with its length."""
    stream = io.BytesIO(source)
    if (_load(stream), _load(stream)) != (_MAGIC, _PROTOCOL):
        raise ConversionError("The weight file is not a PyTorch checkpoint.")
    if not _load(stream)["little_endian"]:
        raise ConversionError("The checkpoint was written by a big-endian machine.")
    unpickler = _Unpickler(stream)
    found = unpickler.load()
    numbers = {}
    for key in _load(stream):
        length = int.from_bytes(stream.read(8), "little")
        numbers[key] = stream.read(length * unpickler.storages[key].dtype.itemsize)
    return found, numbers


def _load(stream: io.BytesIO) -> Any:
    return _Unpickler(stream).load()


def _read_zip(source: bytes) -> tuple[Any, dict[str, bytes]]:
    """``<name>/data.pkl`` and ``<name>/data/<key>``."""
    with zipfile.ZipFile(io.BytesIO(source)) as box:
        (index,) = [name for name in box.namelist() if name.endswith("/data.pkl")]
        folder = index.removesuffix("data.pkl")
        order = f"{folder}byteorder"
        if order in box.namelist() and box.read(order) != b"little":
            raise ConversionError("The checkpoint was written by a big-endian machine.")
        prefix = f"{folder}data/"
        numbers = {
            name.removeprefix(prefix): box.read(name)
            for name in box.namelist()
            if name.startswith(prefix)
        }
        return _load(io.BytesIO(box.read(index))), numbers
