"""PyTorch checkpoints read without PyTorch: both formats, views, and what must be refused."""

from __future__ import annotations

import io
import pickle
import sys
import zipfile
from collections import OrderedDict
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.errors import ConversionError
from mien.models.convert.mtcnn import convert
from mien.models.convert.torch import read_tensors

TYPES = {
    "<f4": "FloatStorage",
    "<f2": "HalfStorage",
    "<f8": "DoubleStorage",
    "<i8": "LongStorage",
    "|b1": "BoolStorage",
}


class View:
    """A tensor as PyTorch pickles it: a view of a storage with this key."""

    def __init__(self, key, flat, offset, shape, strides):
        self.key, self.flat, self.facts = key, flat, (offset, shape, strides)


@pytest.fixture(scope="module")
def torch():
    """Names for the pickler to write; there is no PyTorch."""
    kept = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    module, inner = ModuleType("torch"), ModuleType("torch._utils")
    for name in TYPES.values():
        setattr(module, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2():
        raise AssertionError("nothing of a checkpoint is called")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = (
        "torch._utils",
        "_rebuild_tensor_v2",
    )
    inner._rebuild_tensor_v2 = _rebuild_tensor_v2
    module._utils = inner
    sys.modules |= {"torch": module, "torch._utils": inner}
    yield SimpleNamespace(types=module, rebuild=_rebuild_tensor_v2)
    for name, old in kept.items():
        if old is None:
            del sys.modules[name]
        else:
            sys.modules[name] = old


class Storage:
    def __init__(self, view):
        self.view = view


def pickled(torch, state, *, stream_format):
    out = io.BytesIO()

    class Pickler(pickle.Pickler):
        def persistent_id(self, item):
            if not isinstance(item, Storage):
                return None
            kind = getattr(torch.types, TYPES[item.view.flat.dtype.str])
            pid = ("storage", kind, item.view.key, "cpu", len(item.view.flat))
            return (*pid, None) if stream_format else pid

        def reducer_override(self, item):
            if isinstance(item, View):
                arguments = (Storage(item), *item.facts, False, OrderedDict())
                return torch.rebuild, arguments
            return NotImplemented

    Pickler(out, protocol=2).dump(state)
    return out.getvalue()


def stream_of(torch, state, storages):
    plain = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True, "protocol_version": 1001}]
    parts = [pickle.dumps(item, protocol=2) for item in plain]
    parts += [pickled(torch, state, stream_format=True), pickle.dumps(list(storages), protocol=2)]
    for flat in storages.values():
        parts += [len(flat).to_bytes(8, "little"), flat.tobytes()]
    return b"".join(parts)


def zip_of(torch, state, storages):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as box:
        box.writestr("net/data.pkl", pickled(torch, state, stream_format=False))
        box.writestr("net/byteorder", "little")
        for key, flat in storages.items():
            box.writestr(f"net/data/{key}", flat.tobytes())
    return out.getvalue()


@pytest.fixture(scope="module", params=[stream_of, zip_of])
def write(torch, request):
    return lambda state, storages: request.param(torch, state, storages)


def test_tensors_of_every_type_and_views_of_one_storage(write):
    numbers = np.arange(24, dtype="<f4")
    counts = np.array([7], "<i8")
    half = np.array([0.5, 2], "<f2")
    state = OrderedDict(
        whole=View("a", numbers, 0, (2, 3, 4), (12, 4, 1)),
        turned=View("a", numbers, 4, (4, 3), (1, 4)),
        count=View("b", counts, 0, (), ()),
        half=View("c", half, 0, (2,), (1,)),
        none=View("a", numbers, 24, (0, 5), (5, 1)),
    )
    found = read_tensors(write(state, {"a": numbers, "b": counts, "c": half}))
    assert list(found) == ["whole", "turned", "count", "half", "none"]
    np.testing.assert_array_equal(found["whole"], numbers.reshape(2, 3, 4))
    np.testing.assert_array_equal(found["turned"], numbers[4:16].reshape(3, 4).T)
    assert found["count"].shape == ()
    assert found["count"] == 7
    np.testing.assert_array_equal(found["half"], half)
    assert found["none"].shape == (0, 5)
    assert found["whole"].flags.writeable  # an array of its own


@pytest.mark.parametrize(
    "facts", [(0, (25,), (1,)), (20, (5,), (1,)), (-1, (2,), (1,)), (0, (3,), (-1,))]
)
def test_a_tensor_may_not_reach_beyond_its_storage(write, facts):
    numbers = np.arange(24, dtype="<f4")
    with pytest.raises(ConversionError, match="beyond"):
        read_tensors(write({"x": View("a", numbers, *facts)}, {"a": numbers}))


class Evil:
    def __reduce__(self):
        return print, ("a checkpoint ran something",)


@pytest.mark.parametrize("state", [Evil(), {"x": Evil()}, {"x": type}])
def test_nothing_of_a_checkpoint_is_run(write, state, capsys):
    with pytest.raises(ConversionError, match="not plain data"):
        read_tensors(write(state, {}))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("state", [{"x": 3}, [1, 2], 7])
def test_other_pickles_are_refused(write, state):
    with pytest.raises(ConversionError, match="dict of tensors"):
        read_tensors(write(state, {}))


def test_other_nets_are_refused(write):
    numbers = np.arange(24, dtype="<f4")
    with pytest.raises(ConversionError, match="none of MTCNN's"):
        convert(write({"conv1.weight": View("a", numbers, 0, (24,), (1,))}, {"a": numbers}))


@pytest.fixture(scope="module")
def published(models):
    return models.source_path(models.card("mtcnn")).read_bytes()


def test_the_published_net_converts_to_the_same_bytes_every_time(published):
    assert convert(published) == convert(published)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_damaged_file_is_a_conversion_error(published, data):
    length = data.draw(st.integers(0, len(published) - 1))
    with pytest.raises(ConversionError):
        convert(published[:length])
