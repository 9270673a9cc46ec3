"""Pickles as data: an interpreter that can build arrays and plain containers, and nothing else.

Python's own unpickler with an allow-list would still hand a stranger's bytes to NumPy's C code,
fill memory for one large memo number, and overflow the stack on tuples that hold each other. So
the few opcodes that lists of names and arrays need are carried out here, over the reader of the
standard library (:func:`pickletools.genops`, which runs nothing): no class is looked up, no
function is imported, and what it will cost is counted before it is spent.

Source of the formats: ``pickletools.py`` and PEP 574; ``numpy/_core/multiarray.py`` and
``arraydescr_reduce`` for what an array and its type are pickled as, in NumPy 1 and 2.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable
from typing import Any

from mien.engine.foreign.pickled import (
    MARK,
    NAMED,
    ElementType,
    Named,
    OpenArray,
    OpenTuple,
    filled,
    plain,
    refuse,
)
from mien.errors import InvalidArgument

__all__ = ["read_pickle"]

_NUMBER_COST = 40  # bytes that an object of Python's takes, with the pointer to it
_CONTAINER_COST = 120
_PROTOCOLS = range(6)


def read_pickle(data: bytes, *, limit: int) -> Any:  # noqa: ANN401 - whatever it holds
    """What a pickle holds: None, booleans, numbers, texts, bytes, arrays, lists, tuples, dicts.

    Args:
        data: the whole pickle, of protocol 0 to 5.
        limit: bytes that reading it may take, about; more is refused before it is taken.

    Returns:
        Plain values, tuples as lists; arrays are read-only, their types numbers, booleans or texts.

    Raises:
        InvalidArgument: it is damaged, too large, or wants anything else to be made.
    """
    machine = _Machine(limit)
    try:
        return machine.run(data)
    except InvalidArgument:
        raise
    except RecursionError:
        raise InvalidArgument("The pickle is nested too deeply.") from None
    except Exception:  # bytes of a stranger: what they raised is of no use
        raise InvalidArgument("The pickle is damaged or cut off.") from None


class _Machine:
    """Carries a pickle out."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._limit = limit
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self, data: bytes) -> Any:  # noqa: ANN401
        for opcode, arg, _ in pickletools.genops(io.BytesIO(data)):
            name = opcode.name
            self._spend(_NUMBER_COST)
            if name in _LITERALS:
                if isinstance(arg, str | bytes | bytearray):
                    self._spend(len(arg))
                self._stack.append(arg)
            elif name == "STOP":
                return plain(self._pop())
            elif name in _CONSTANTS:
                self._stack.append(_CONSTANTS[name])
            elif name in _MEMO:
                _MEMO[name](self, arg)
            elif name in _STEPS:
                self._spend(_CONTAINER_COST)
                _STEPS[name](self, arg)
            else:
                refuse(f"an instruction {name}")
        raise InvalidArgument("The pickle is damaged or cut off.")

    def _spend(self, cost: int) -> None:
        self._left -= cost
        if self._left < 0:
            raise InvalidArgument(
                f"Reading the pickle would take more than {self._limit} bytes of memory: split it, "
                "save the vectors as .npz, or raise MIEN_MIGRATE_MAX_BYTES.",
                details={"limit": self._limit},
            )

    def _pop(self) -> Any:  # noqa: ANN401
        value = self._stack.pop()
        if value is MARK:
            raise ValueError("a mark where a value should be")
        return value

    def _to_mark(self) -> list[Any]:
        at = len(self._stack) - 1
        while self._stack[at] is not MARK:
            at -= 1
            if at < 0:
                raise ValueError("no mark")
        values = self._stack[at + 1 :]
        del self._stack[at:]
        return values

    # Memo

    def put(self, number: int) -> None:
        self._memo[number] = self._stack[-1]

    def memoize(self, _arg: object) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def get(self, number: int) -> None:
        self._stack.append(self._memo[number])

    # Containers

    def list_to_mark(self, _arg: object) -> None:
        self._stack.append(self._to_mark())

    def tuple_to_mark(self, _arg: object) -> None:
        self._stack.append(OpenTuple(self._to_mark()))

    def tuple_of(self, count: int) -> None:
        values = [self._pop() for _ in range(count)]
        self._stack.append(OpenTuple(reversed(values)))

    def append(self, _arg: object) -> None:
        value = self._pop()
        self._top(list).append(value)

    def appends(self, _arg: object) -> None:
        values = self._to_mark()
        self._top(list).extend(values)

    def dict_to_mark(self, _arg: object) -> None:
        values = self._to_mark()
        self._stack.append({})
        self._set(values)

    def set_item(self, _arg: object) -> None:
        value = self._pop()
        self._set([self._pop(), value])

    def set_items(self, _arg: object) -> None:
        self._set(self._to_mark())

    def _set(self, values: list[Any]) -> None:
        target = self._top(dict)
        for key, value in zip(values[::2], values[1::2], strict=True):
            short = type(key) is int and key.bit_length() <= 64
            if not (short or type(key) in (str, bytes)):  # whose hashes cost nothing
                refuse("a dictionary with keys other than texts and numbers")
            target[key] = value

    def _top(self, kind: type[Any]) -> Any:  # noqa: ANN401
        if type(self._stack[-1]) is not kind:
            raise ValueError("another container")
        return self._stack[-1]

    # What is named and called

    def named(self, where: str) -> None:
        if where not in NAMED:
            module, _, name = where.partition(" ")
            refuse(f"{module[:40]}.{name[:40]}")
        self._stack.append(NAMED[where])

    def named_on_stack(self, _arg: object) -> None:
        name, module = self._pop(), self._pop()
        if not (isinstance(module, str) and isinstance(name, str)):
            raise ValueError("a name that is none")
        self.named(f"{module} {name}")

    def call(self, _arg: object) -> None:
        args, what = self._pop(), self._pop()
        if not (isinstance(what, Named) and what.make and isinstance(args, OpenTuple)):
            refuse("a call")
        self._spend(sum(len(arg) for arg in args if isinstance(arg, str)))
        self._stack.append(what.make(*args))

    def build(self, _arg: object) -> None:
        state, target = self._pop(), self._stack[-1]
        if isinstance(target, ElementType) and isinstance(state, OpenTuple):
            if state[1] not in ("<", ">", "|", "="):
                refuse("numbers in an unknown byte order")
            if state[2] is not None or state[3] is not None or state[4] is not None:
                refuse("an array of records")
            if state[1] in ("<", ">"):
                target.order = state[1]
        elif isinstance(target, OpenArray) and isinstance(state, OpenTuple):
            _, shape, kind, fortran, data = state
            target.value = filled(shape, kind, data, fortran=bool(fortran))
        else:
            refuse("the state of an object")


_LITERALS = frozenset(
    [
        "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
        "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
        "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
    ]
)  # fmt: skip
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "MARK": MARK}
_Step = Callable[[_Machine, Any], None]


def _check_protocol(_machine: _Machine, number: int) -> None:
    if number not in _PROTOCOLS:
        refuse(f"protocol {number}")


_MEMO: dict[str, _Step] = {
    "PROTO": _check_protocol,
    "FRAME": lambda _machine, _arg: None,
    "POP": lambda machine, _arg: machine._stack.pop() and None,
    **dict.fromkeys(["PUT", "BINPUT", "LONG_BINPUT"], _Machine.put),
    "MEMOIZE": _Machine.memoize,
    **dict.fromkeys(["GET", "BINGET", "LONG_BINGET"], _Machine.get),
}
_STEPS: dict[str, _Step] = {
    "EMPTY_LIST": lambda machine, _arg: machine._stack.append([]),
    "EMPTY_DICT": lambda machine, _arg: machine._stack.append({}),
    "LIST": _Machine.list_to_mark,
    "EMPTY_TUPLE": lambda machine, _arg: machine._stack.append(OpenTuple()),
    "TUPLE": _Machine.tuple_to_mark,
    "TUPLE1": lambda machine, _arg: machine.tuple_of(1),
    "TUPLE2": lambda machine, _arg: machine.tuple_of(2),
    "TUPLE3": lambda machine, _arg: machine.tuple_of(3),
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "DICT": _Machine.dict_to_mark,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "GLOBAL": _Machine.named,
    "STACK_GLOBAL": _Machine.named_on_stack,
    "REDUCE": _Machine.call,
    "BUILD": _Machine.build,
}
