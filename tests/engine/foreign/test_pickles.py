"""read_pickle: arrays and plain containers in, everything else refused before it can do harm."""

from __future__ import annotations

import collections
import contextlib
import io
import os
import pickle
import pickletools
import struct
import zipfile

import numpy as np
import pytest

from mien.engine.foreign.arrays import faces_in_arrays
from mien.engine.foreign.pickles import read_pickle
from mien.errors import InvalidArgument

A = np.random.default_rng(0).random((3, 8))
LIMIT = 1_000_000


def listed(value):
    """What a pickle of ``value`` is read as: tuples are lists."""
    if isinstance(value, tuple | list):
        return [listed(one) for one in value]
    return {k: listed(v) for k, v in value.items()} if isinstance(value, dict) else value


VALUES = {
    "float64": A,
    "float32": A.astype("f4"),
    "fortran": np.asfortranarray(A),
    "big endian": A.astype(">f8"),
    "texts": np.array(["ann", "홍길동"]),
    "bytes": np.array([b"a", b"bcd"]),
    "no rows": np.zeros((0, 4)),
    "face_recognition": {"encodings": [*A], "names": ["x", "y", "z"]},
    "scalars": [A[0, 0], np.float32(1.5), np.str_("n"), True, None, 3, 10**30, -1, b"x"],
    "pair": ([1, 2.5], ("x", ("y", ()))),
    "ordered": collections.OrderedDict(ann=[1.0]),
    "old datastore": [["db/ann/1.jpg", [0.5, 1.5]]],
    "datastore": [{"identity": "a", "hash": "b", "embedding": None, "target_x": 3}],
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("what", VALUES)
def test_arrays_and_containers_are_read(what, protocol):
    value = VALUES[what]
    found = read_pickle(pickle.dumps(value, protocol), limit=LIMIT)
    np.testing.assert_equal(found, listed(value))


def test_a_default_dictionary_is_a_dictionary():
    made = collections.defaultdict(list)
    made["ann"].append(A[0])
    assert list(read_pickle(pickle.dumps(made), limit=LIMIT)) == ["ann"]


def test_numpy_of_before_and_after_its_second_version():
    data = pickle.dumps(A, 2)
    core, private = b"numpy.core", b"numpy._core"
    other = data.replace(private, core) if private in data else data.replace(core, private)
    assert other != data
    np.testing.assert_array_equal(read_pickle(other, limit=LIMIT), A)


class Calls:
    """Pickled as a call."""

    def __init__(self, what, *args):
        self.call = what, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "evil",
    [
        Calls(os.system, "touch harmed"),
        Calls(eval, "open('harmed', 'w')"),
        Calls(getattr, os, "system"),
        Calls(np.memmap, "harmed", "u1", "w+", 0, 10),
        Calls(np.load, "harmed"),
        Calls(np.zeros, 10**6),
        Calls(bytearray, 10**6),
        Calls(io.open, "harmed", "w"),
        np.array([Calls(os.system, "touch harmed")], object),
        np.ma.masked_array(A),
        np.zeros(2, [("a", "f4")]),
        {1.5: "x"},
        {(1, 2): "x"},
        {"x"},
        os.system,
        np.ndarray,
        complex(1, 2),
        np.zeros(2, complex),
    ],
    ids=lambda evil: type(evil).__name__,
)
def test_nothing_else_is_made(evil, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if evil.__class__ is Calls and evil.call[0] is getattr:
        data = b"cos\nsystem\n(S'touch harmed'\ntR."
    else:
        data = pickle.dumps([evil], protocol)
    with pytest.raises(InvalidArgument):
        read_pickle(data, limit=10**8)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "module", ["builtins eval", "posix system", "numpy memmap", "numpy.core.multiarray fromfile"]
)
def test_names_that_are_not_on_the_list(module):
    with pytest.raises(InvalidArgument, match="only lists"):
        read_pickle(f"c{module.replace(' ', chr(10))}\n(tR.".encode(), limit=LIMIT)


def nested(count: int) -> bytes:
    """A list of two of a list of two of ...: 2 ** count entries to walk for 20 bytes each."""
    doubled = b"".join(
        b"\x94(" + b"j" + struct.pack("<I", i) + b"j" + struct.pack("<I", i) + b"t"
        for i in range(count)
    )
    return b"\x80\x04]" + doubled + b"."


BOMBS = {
    "a memo number": b"\x80\x04]r\xff\xff\xff\xff.",
    "a length of bytes": b"\x80\x04\x8e" + struct.pack("<Q", 2**50) + b"x.",
    "a length of text": b"\x80\x04X\xff\xff\xff\x7fx.",
    "an array's shape": pickle.dumps(A, 2).replace(b"K\x03K\x08", b"J\xff\xff\xff\x7fK\x08"),
    "many lists": b"\x80\x04(" + b"]" * 100_000 + b"l.",
    "many numbers": b"\x80\x04](" + b"K\x01" * 100_000 + b"e.",
    "tuples in tuples, as a key": b"\x80\x04})" + b"\x85" * 5_000 + b"K\x01s.",
    "a number with many digits": b"I" + b"9" * 100_000 + b"\n.",
}


@pytest.mark.parametrize("what", BOMBS)
def test_sizes_that_the_file_does_not_have(what):
    with pytest.raises(InvalidArgument):
        read_pickle(BOMBS[what] if what != "a memo number" else BOMBS[what][:-1], limit=LIMIT)


def test_a_large_memo_number_takes_no_memory():
    assert read_pickle(BOMBS["a memo number"], limit=LIMIT) == []


def test_lists_that_hold_each_other_are_walked_once():
    found = read_pickle(nested(200), limit=LIMIT)
    depth = 0
    while found:
        found, depth = found[0], depth + 1
    assert depth == 200


def test_a_text_that_is_encoded_again_and_again_is_counted():
    text = b"X" + struct.pack("<I", 100_000) + b"a" * 100_000
    call = b"0c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R"
    with pytest.raises(InvalidArgument, match="MIEN_MIGRATE_MAX_BYTES"):
        read_pickle(b"\x80\x02" + text + b"q\x00" + call * 20 + b".", limit=LIMIT)


def test_the_limit_at_its_edge():
    data = pickle.dumps([1.5] * 10)
    costs = [n for n in range(0, 5000, 10) if _reads(data, n)]
    assert costs
    assert not _reads(data, costs[0] - 10)
    assert all(_reads(data, n) for n in costs)


def _reads(data, limit):
    try:
        read_pickle(data, limit=limit)
    except InvalidArgument as error:
        return "MIEN_MIGRATE_MAX_BYTES" not in error.message
    return True


def test_damaged_pickles_are_refused_whatever_is_missing():
    data = pickle.dumps({"encodings": [*A], "names": ["x", "y", "z"]})
    for end in range(len(data)):
        with pytest.raises(InvalidArgument):
            read_pickle(data[:end], limit=LIMIT)
    rng = np.random.default_rng(1)
    for _ in range(500):
        broken = bytearray(data)
        for at in rng.integers(0, len(data), 3):
            broken[at] = rng.integers(0, 256)
        with contextlib.suppress(InvalidArgument):  # and nothing else
            read_pickle(bytes(broken), limit=LIMIT)


def test_every_instruction_of_the_format_is_carried_out_or_refused():
    for opcode in pickletools.opcodes:
        with pytest.raises(InvalidArgument):
            read_pickle(opcode.code.encode("latin-1") + b"\x00" * 20, limit=LIMIT)


def npz(header: str) -> bytes:
    """A .npz file whose arrays all have this header."""
    text = header.encode() + b" " * (64 - (len(header) + 11) % 64) + b"\n"
    array = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(16)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name in ("names.npy", "encodings.npy"):
            made.writestr(name, array)
    return out.getvalue()


HEADERS = [
    "{'descr': '<f4', 'fortran_order': False, 'shape': (3,",
    "(" * 200,
    "'''",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (3L,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}",
    "{'descr': '|O', 'fortran_order': False, 'shape': (3,)}",
    "{'descr': '<U1000000000', 'fortran_order': False, 'shape': (1,)}",
    "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,)}",
    "[]",
    "\0",
]
FILES = {
    **{f"header {i}": npz(header) for i, header in enumerate(HEADERS)},
    "a name of 6000 digits": pickle.dumps([[10**6000, [0.5] * 8]]),
    "names of 6000 digits": pickle.dumps({"names": [10**6000], "encodings": [[0.5] * 8]}),
    "numbers beyond every float": pickle.dumps([["a", [10**400] * 8]]),
    "nothing but marks": b"\x80\x02" + b"(" * 1000 + b"t.",
}


@pytest.mark.parametrize("what", FILES)
def test_files_made_to_harm_are_refused_with_a_word(what, tmp_path):
    file = tmp_path / "faces"
    file.write_bytes(FILES[what])
    with pytest.raises(InvalidArgument) as caught:
        faces_in_arrays(file, limit=LIMIT)
    assert len(str(caught.value)) < 300
